import { named } from "./errors.js";
import type { RawServed, RawStream, RawVideo } from "#glue";
import { call, run } from "./engine.js";
import { Part, type Handle } from "./handle.js";
import { playbackURL } from "./playback-of.js";
import { withCallback } from "./signals.js";
import { saver, type SaveOptions, type Summary } from "./saver.js";

export interface ReadOptions {
  signal?: AbortSignal | null | undefined;
  /** Called with every piece: bytes that are there, and the length where it is known. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Largest video that is taken into memory. Default 1 GiB. */
  maxBytes?: number | undefined;
}

/** How far a read is. */
export interface Progress {
  bytes: number;
  total: number | null;
}

/** A video of the service. Result links live about a day: save it soon. */
export class Video {
  static { named(this, "Video"); }
  readonly #handle: Handle;
  readonly #part: Part<RawVideo>;
  /** The task that made it, when it is known. */
  readonly taskId: string | null;
  /** Its address, when it is known. Reading it needs the key, unless the link is signed. */
  readonly url: string | null;

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
    const { signal, onProgress, maxBytes } = options;
    await this.#handle.ready();
    return withCallback(signal, onProgress, (inner, tell) => {
      const told = tell && ((bytes: number, total: number | null) => tell({ bytes, total }));
      return run(() => this.#part.get().bytes(maxBytes, told as never, inner) as Promise<Uint8Array<ArrayBuffer>>, signal);
    });
  }

  /** The same as a `Blob` of type `video/mp4`. */
  async blob(options: ReadOptions = {}): Promise<Blob> {
    return new Blob([await this.bytes(options)], { type: "video/mp4" });
  }

  /** The same as an `ArrayBuffer`. */
  async arrayBuffer(options: ReadOptions = {}): Promise<ArrayBuffer> {
    return (await this.bytes(options)).buffer;
  }

  /** The bytes as they come, in order; it goes on by itself when a connection breaks. */
  stream(options: { signal?: AbortSignal | null | undefined } = {}): ReadableStream<Uint8Array> {
    return readable(async () => {
      await this.#handle.ready();
      return call(() => this.#part.get().stream());
    }, options.signal);
  }

  /** Bytes from `start` up to, without, `end`, as `Blob.slice` counts; fewer when the file ends before. */
  async readRange(start: number, end: number, options: { signal?: AbortSignal | null | undefined } = {}): Promise<Uint8Array<ArrayBuffer>> {
    await this.#handle.ready();
    const { signal } = options;
    return run(() => this.#part.get().readRange(start, end, signal ?? undefined) as Promise<Uint8Array<ArrayBuffer>>, signal);
  }

  /**
   * The answer to a player that sent this `Range` header (or this request), exact to the byte whatever the server does:
   * 200, 206 or 416 with everything that a player looks at.
   */
  async response(range?: string | null | Request, options: { signal?: AbortSignal | null | undefined } = {}): Promise<Response> {
    const header = range instanceof Request ? range.headers.get("range") : range;
    await this.#handle.ready();
    const { signal } = options;
    const served = await run(() => this.#part.get().serve(header ?? undefined, signal ?? undefined) as Promise<RawServed>, signal);
    const status = served.status;
    const headers = call(() => served.headers()) as [string, string][];
    const body = call(() => served.body());
    served.free();
    const empty = status === 416 || !body;
    return new Response(empty ? null : readable(() => Promise.resolve(body), signal), { status, headers });
  }

  /**
   * Saves the video under this name (Node, Deno, Bun). The bytes go to `NAME.part` and get the final name only when the
   * file is whole, checked and on the disk; a save that ended early is gone on with by the next.
   */
  async save(path: string | URL, options: SaveOptions = {}): Promise<Summary> {
    const save = saver(this.taskId);
    await this.#handle.ready();
    const { signal, onProgress } = options;
    return withCallback(signal, onProgress, (inner, tell) => {
      const told = tell && ((bytes: number, total: number | null) => tell({ bytes, total }));
      return save(path, options, this.taskId, (storage) => run(() => this.#part.get().save(storage as never, told as never, inner), signal));
    });
  }

  /**
   * A URL for `<video src>`. With `registerPlayback` of `junfeiai/playback` it plays and seeks at once; a client that goes
   * through your own server gives that server's address; anything else loads the video into memory first.
   */
  playbackURL(options: { signal?: AbortSignal | null | undefined } = {}): Promise<string> {
    return playbackURL(this.#handle, this, options.signal);
  }

  toJSON(): Record<string, unknown> {
    return { taskId: this.taskId };
  }

  /** Frees its memory now instead of when it is collected. */
  [Symbol.dispose](): void {
    this.#part.free();
  }
}

/** A native stream as a web stream: nothing is read before somebody asks for it. */
function readable(open: () => Promise<RawStream>, signal: AbortSignal | null | undefined): ReadableStream<Uint8Array> {
  let stream: RawStream | undefined;
  let raised: (() => void) | undefined;
  const over = (): void => {
    if (raised) signal?.removeEventListener("abort", raised);
    try { stream?.cancel(); } catch { /* of a former life of the module */ }
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      raised = () => { controller.error(signal?.reason); over(); };
      if (signal?.aborted) raised();
      else signal?.addEventListener("abort", raised);
    },
    async pull(controller) {
      try {
        const from = (stream ??= await open());
        const piece = await run(() => from.next() as Promise<Uint8Array | undefined>);
        if (piece === undefined) {
          over();
          controller.close();
        } else {
          controller.enqueue(piece);
        }
      } catch (error) {
        over();
        if (!signal?.aborted) throw error;
      }
    },
    cancel: over,
  }, { highWaterMark: 0 });
}
