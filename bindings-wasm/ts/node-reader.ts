/** The seekable reader of Node's module. */
/** @ts-ignore a program for pages need not have the types of Node */
import { Readable } from "node:stream";
import type { RawReader, RawVideo } from "#glue";
import { guarded, heard, own, take, unlessRaised } from "./calls.js";
import { call, life, run, type About } from "./engine.js";
import type { JunFeiAIError } from "./errors.js";
import type { Handle } from "./handle.js";
import { Memory } from "./memory.js";
import { gone, weakly } from "./weak.js";

/** The buffer of a stream: that of Node's own file streams. The core reads ahead, so that a larger one would hold bytes twice. */
const HIGH_WATER_MARK = 64 * 1024;

/** Options of a stream of a reader. */
export interface ReadStreamOptions {
  /** The first byte. Default: 0. */
  start?: number | undefined;
  /** Where it ends: this byte is not read any more, as in `readRange` and unlike `fs.createReadStream`. Default: the end of the file. */
  end?: number | undefined;
  /** Bytes that are held for a consumer that is slower than the network, and of one piece at most. Default: 65536. 0 is refused. */
  highWaterMark?: number | undefined;
  /** Destroys the stream, which ends its request. Default: none. */
  signal?: AbortSignal | null | undefined;
}

/** What a reader reads from. @internal */
export interface Source {
  readonly size: number;
  /** So many bytes, which all lie within the size. It is called again when the last one has ended. */
  read(position: number, length: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** Ends the request that no read waits for. */
  pause(): void;
  close(): void;
}

/**
 * A video that can be read from any position, without a file, as `Video.open` gives it in Node, Bun and Deno. It caches 2 MiB and reads
 * ahead: a read costs a request only where the bytes are neither in the cache nor in the response that is being read. A connection that
 * breaks is resumed. If the file changes, every read ends with `integrity`.
 */
export class VideoReader {
  /** Length of the file in bytes. */
  readonly size: number;
  readonly #source: Source;
  readonly #taskId: string | null;
  /** Settles when all reads so far have ended, and never rejects. */
  #last: Promise<void> = Promise.resolve();
  readonly #running = new Set<AbortController>();
  #closed = false;

  /** @internal */
  constructor(source: Source, taskId: string | null) {
    this.size = source.size;
    this.#source = source;
    this.#taskId = taskId;
  }

  /**
   * `length` bytes from `position` on: fewer only where the file ends before, none behind its end. Reads may overlap: they are carried out
   * one after the other, in the order of the calls. An aborted one ends its request, and the next read sends another.
   */
  async read(position: number, length: number, options: { signal?: AbortSignal | null | undefined } = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { signal } = take(options, ["signal"], "content", this.#taskId);
    return this.#read(this.#count(position, "position"), this.#count(length, "length"), signal);
  }

  /**
   * The bytes from `start` up to, without, `end` as a stream of Node's. Streams and reads share one connection and take turns: for several
   * places at once open several readers. Destroyed before its end, it ends its request.
   */
  stream(options: ReadStreamOptions = {}): Readable {
    const { start, end, highWaterMark, signal } = take(options, ["start", "end", "highWaterMark", "signal"], "content", this.#taskId);
    const first = this.#count(start ?? 0, "start");
    const last = Math.min(this.#count(end ?? this.size, "end"), this.size);
    const most = this.#count(highWaterMark ?? HIGH_WATER_MARK, "highWaterMark", 1);
    if (typeof end === "number" && end < first) throw this.#refused("end must not be less than start", "end");
    if (this.#closed) throw this.#refused(CLOSED);
    let position = first;
    const stop = new AbortController();
    let deafen: (() => void) | undefined;
    const raised = (): void => {
      stream.destroy(own("cancelled", "content", "the call was cancelled", { taskId: this.#taskId, cause: signal?.reason }));
    };
    const stream = new Readable({
      highWaterMark: most,
      read: () => {
        if (position >= last) return void stream.push(null);
        this.#read(position, Math.min(most, last - position), stop.signal).then((bytes) => {
          position += bytes.length;
          stream.push(bytes);
        }, (error: unknown) => { stream.destroy(error as Error); });
      },
      destroy: (error, done) => {
        deafen?.();
        gone.unregister(raised);
        stop.abort();
        if (position < last) this.#source.pause();
        done(error);
      },
    });
    deafen = heard(signal, weakly(new WeakRef(raised)), "signal", "content", this.#taskId);
    if (deafen) gone.register(raised, deafen, raised);
    return stream;
  }

  /** Closes it and its connection. Reads that have not ended are rejected with `cancelled`; it resolves when they have. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      for (const stop of this.#running) stop.abort();
      this.#source.close();
    }
    await this.#last;
  }

  [Symbol.dispose](): void {
    void this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #read(position: number, length: number, signal: AbortSignal | null | undefined): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#closed) throw this.#refused(CLOSED);
    const before = this.#last;
    let end = (): void => undefined;
    this.#last = new Promise<void>((resolve) => { end = resolve; });
    const stop = new AbortController();
    this.#running.add(stop);
    let deafen: (() => void) | undefined;
    try {
      deafen = heard(signal, () => { stop.abort(signal?.reason); }, "signal", "content", this.#taskId);
      await unlessRaised(before, [stop.signal], "content", this.#taskId);
      const rest = Math.min(length, this.size - position);
      return rest > 0 ? await this.#source.read(position, rest, stop.signal) : new Uint8Array(0);
    } catch (error) {
      throw this.#closed ? own("cancelled", "content", "the reader was closed", { taskId: this.#taskId }) : error;
    } finally {
      deafen?.();
      this.#running.delete(stop);
      // One that is aborted before its turn leaves those in front of it running.
      void before.then(end);
    }
  }

  #count(value: number, field: string, least = 0): number {
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw this.#refused(`${field} must be a whole number of bytes, ${least} or more`, field);
  }

  #refused(why: string, field?: string): JunFeiAIError {
    return own("invalid_request", "content", why, { field, taskId: this.#taskId });
  }
}

const CLOSED = "the reader is closed: call open() of the video again";

/** The core's reader. One of a module that was restarted since is opened again with the next read. */
class NativeSource implements Source {
  readonly size: number;
  #raw: RawReader | undefined;
  #life = life();
  readonly #open: (signal: AbortSignal) => Promise<RawReader>;
  readonly #about: About;

  constructor(raw: RawReader, open: (signal: AbortSignal) => Promise<RawReader>, about: About) {
    this.size = call(() => raw.size);
    this.#raw = raw;
    this.#open = open;
    this.#about = about;
  }

  async read(position: number, length: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const raw = this.#here() ?? await this.#again(signal);
    const memory = new Memory();
    await run(() => raw.read(memory, position, length, signal), signal, this.#about);
    return memory.take();
  }

  pause(): void {
    const raw = this.#here();
    if (raw) call(() => { raw.pause(); });
  }

  close(): void {
    this.#here()?.free();
    this.#raw = undefined;
  }

  #here(): RawReader | undefined {
    return this.#life === life() ? this.#raw : undefined;
  }

  async #again(signal: AbortSignal): Promise<RawReader> {
    const born = life();
    const raw = await this.#open(signal);
    if (call(() => raw.size) !== this.size) {
      raw.free();
      throw own("integrity", "content", "the video has changed since it was opened", { taskId: this.#about().task_id ?? null });
    }
    [this.#raw, this.#life] = [raw, born];
    return raw;
  }
}

/** @internal */
export async function openReader(
  handle: Handle, video: () => RawVideo, about: About, options: { signal?: AbortSignal | null | undefined },
): Promise<VideoReader> {
  const taskId = about().task_id ?? null;
  const { signal } = take(options, ["signal"], "content", taskId);
  const open = async (inner: AbortSignal | undefined): Promise<RawReader> => {
    await handle.ready(about);
    return run(() => video().open(inner) as Promise<RawReader>, inner, about);
  };
  const raw = await guarded(signal, undefined, about, open);
  return new VideoReader(new NativeSource(raw, open, about), taskId);
}

/** What a fake has in place of a video that is read. @internal */
export const readerOf = (content: Uint8Array<ArrayBuffer>, taskId: string | null): VideoReader => new VideoReader({
  size: content.length,
  read: (position, length) => Promise.resolve(content.slice(position, position + length)),
  pause: () => undefined,
  close: () => undefined,
}, taskId);
