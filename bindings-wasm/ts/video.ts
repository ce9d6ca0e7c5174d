import { named } from "./errors.js";
import type { RawServed, RawStream, RawVideo } from "#glue";
import { guarded, heard, loaded, own, take, textOf } from "./calls.js";
import { call, run, type About } from "./engine.js";
import { Part, type Handle } from "./handle.js";
import { Memory } from "./memory.js";
import type { VideoReader } from "./node-reader.js";
import { playbackURL } from "./playback-of.js";
import { openReader } from "./reader.js";
import type { Progress } from "./values.js";
import { saver, type SaveOptions, type Summary } from "./saver.js";
import { gone, weakly } from "./weak.js";

export interface ReadOptions {
  signal?: AbortSignal | null | undefined;
  /** Called with every piece: bytes read so far, and the length where it is known. */
  onProgress?: ((progress: Progress) => unknown) | undefined;
  /** Largest video that is taken into memory. Default 1 GiB. */
  maxBytes?: number | undefined;
}

/** A number, or what is refused as none: the module would make one of nearly everything. */
export const numberOf = (value: number | null | undefined): number => (typeof value === "number" ? value : NaN);

/** A video of the service. Result links live about a day: save it soon. */
export class Video {
  static { named(this, "Video"); }
  readonly #handle: Handle;
  readonly #part: Part<RawVideo>;
  /** The task that made it, when it is known. */
  readonly taskId: string | null;
  /** Its address, when it is known. Reading it needs the key, unless the link is signed. */
  readonly url: string | null;

  readonly #about: About = () => ({ task_id: this.taskId });

  /** @internal */
  constructor(handle: Handle, raw: RawVideo) {
    this.#handle = handle;
    const id = call(() => raw.taskId);
    const url = call(() => raw.url);
    this.taskId = id ?? null;
    this.url = url ?? null;
    this.#part = new Part(() => handle.raw().video(id, url), raw);
    // An address may be a signature that opens the video for everybody: it is not shown unasked.
    Object.defineProperty(this, "url", { enumerable: false });
  }

  /** The whole video in memory, length and MP4 structure checked. */
  async bytes(options: ReadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { signal, onProgress, maxBytes } = take(options, ["signal", "onProgress", "maxBytes"], "content", this.taskId);
    await loaded(this.#handle, "read", [signal], "content", this.#about);
    const memory = new Memory();
    await guarded(signal, onProgress, this.#about, (inner, tell) => {
      const notify = tell && ((bytes: number, total: number | null) => { tell({ bytes, total }); });
      return run(() => this.#part.get().bytes(memory, maxBytes === undefined || maxBytes === null ? undefined : numberOf(maxBytes), notify as never, inner), inner, this.#about);
    });
    return memory.take();
  }

  /** The same as a `Blob` of type `video/mp4`. */
  async blob(options: ReadOptions = {}): Promise<Blob> {
    return new Blob([await this.bytes(options)], { type: "video/mp4" });
  }

  /** The same as an `ArrayBuffer`. */
  async arrayBuffer(options: ReadOptions = {}): Promise<ArrayBuffer> {
    return (await this.bytes(options)).buffer;
  }

  /** The bytes as they come, in order; resumes by itself when a connection breaks. */
  stream(options: { signal?: AbortSignal | null | undefined } = {}): ReadableStream<Uint8Array> {
    const { signal } = take(options, ["signal"], "content", this.taskId);
    return readable(async () => {
      await this.#handle.having("read", this.#about);
      return call(() => this.#part.get().stream());
    }, signal, this.#about);
  }

  /** Bytes from `start` up to, without, `end`, as `Blob.slice` counts; fewer when the file ends before. */
  async readRange(start: number, end: number, options: { signal?: AbortSignal | null | undefined } = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { signal } = take(options, ["signal"], "content", this.taskId);
    await loaded(this.#handle, "read", [signal], "content", this.#about);
    const memory = new Memory();
    await guarded(signal, undefined, this.#about, (inner) =>
      run(() => this.#part.get().readRange(memory, numberOf(start), numberOf(end), inner), inner, this.#about));
    return memory.take();
  }

  /**
   * Opens the video to read it from any position, without a file (Node, Deno, Bun), and finds out its length: where the server does not
   * say it, by reading up to the end.
   */
  async open(options: { signal?: AbortSignal | null | undefined } = {}): Promise<VideoReader> {
    return openReader(this.taskId)(this.#handle, () => this.#part.get(), this.#about, options);
  }

  /**
   * The response to a player that sent this `Range` header (or this request), exact to the byte whatever the server does:
   * 200, 206 or 416 with everything that a player looks at.
   */
  async response(range?: string | null | Request, options: { signal?: AbortSignal | null | undefined } = {}): Promise<Response> {
    let asked: unknown = range;
    try {
      // Of this engine, of another library, or of Node's `http`.
      const headers = (range as { headers?: Partial<Headers> & { range?: string } } | null | undefined)?.headers;
      if (headers) asked = headers.get ? headers.get("range") : headers.range;
    } catch { /* refused as what it is */ }
    const header = asked === undefined || asked === null ? undefined : textOf(asked, "range", "content", this.taskId);
    const { signal } = take(options, ["signal"], "content", this.taskId);
    await loaded(this.#handle, "more", [signal], "content", this.#about);
    const served = await guarded(signal, undefined, this.#about, (inner) =>
      run(() => this.#part.get().serve(header, inner) as Promise<RawServed>, inner, this.#about));
    const status = served.status;
    const headers = call(() => served.headers()) as [string, string][];
    const body = call(() => served.body());
    served.free();
    const empty = status === 416 || !body;
    return new Response(empty ? null : readable(() => Promise.resolve(body), signal, this.#about), { status, headers });
  }

  /**
   * Saves the video under this name (Node, Deno, Bun). The bytes go to `NAME.part` and get the final name only when the
   * file is whole, checked and on the disk; the next save resumes one that ended early.
   */
  async save(path: string | URL, options: SaveOptions = {}): Promise<Summary> {
    await this.#handle.ready(this.#about);
    return saver(this.taskId).save(() => this.#part.get(), this.#about, path, options);
  }

  /**
   * A URL for `<video src>`. With `registerPlayback` of `junfeiai/playback` it plays and seeks at once; a client that goes
   * through your server gives that server's address; anything else loads the video into memory first.
   */
  async playbackURL(options: { signal?: AbortSignal | null | undefined } = {}): Promise<string> {
    return playbackURL(this.#handle, this, take(options, ["signal"], "content", this.taskId).signal);
  }

  toJSON(): Record<string, unknown> {
    return { taskId: this.taskId };
  }

  /** Frees its memory now instead of when it is collected. */
  [Symbol.dispose](): void {
    this.#part.free();
  }
}

/** A native stream as a web stream: nothing is read before it is asked for. */
function readable(
  open: () => Promise<RawStream>, signal: AbortSignal | null | undefined, about: About,
): ReadableStream<Uint8Array> {
  let stream: RawStream | undefined;
  let raised: (() => void) | undefined;
  let deafen: (() => void) | undefined;
  let ended = false;
  const { task_id: taskId = null } = about();
  const end = (): void => {
    ended = true;
    deafen?.();
    if (raised) gone.unregister(raised);
    try { stream?.cancel(); } catch { /* of a module that was restarted since */ }
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (!signal) return;
      raised = () => {
        controller.error(own("cancelled", "content", "the call was cancelled", { taskId, cause: signal.reason }));
        end();
      };
      deafen = heard(signal, weakly(new WeakRef(raised)), "signal", "content", taskId);
      if (deafen) gone.register(raised, deafen, raised);
    },
    async pull(controller) {
      try {
        const from = (stream ??= await open());
        // It was given up meanwhile.
        if (ended) return end();
        const piece = await run(() => from.next() as Promise<Uint8Array | undefined>, undefined, about);
        if (piece === undefined) {
          end();
          controller.close();
        } else {
          controller.enqueue(piece);
        }
      } catch (error) {
        end();
        if (!signal?.aborted) throw error;
      }
    },
    cancel: end,
  }, { highWaterMark: 0 });
}
