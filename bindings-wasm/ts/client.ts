import { imageOf, type RawMany, type RawTask, type RawVideo } from "#glue";
import { call, run, ready } from "./engine.js";
import { named, toError, type JunFeiAIError } from "./errors.js";
import { Handle } from "./handle.js";
import { shapeOptions, shapeRequest, type ClientOptions, type VideoRequest } from "./options.js";
import { Task, type WaitOptions } from "./task.js";
import { Video } from "./video.js";

export interface CallOptions {
  signal?: AbortSignal | null | undefined;
}

/** What is left on a key. */
export interface Balance {
  name: string | null;
  /** True when the key itself has no limit; the account's balance, which is not told, still has. */
  unlimited: boolean;
  /** What is left, never below 0; `null` when the key has no limit. */
  availableUSD: number | null;
  usedUSD: number;
  expiresAt: Date | null;
}

interface RawBalance {
  name: string | null;
  unlimited: boolean;
  available_usd: number | null;
  used_usd: number;
  expires_at: number | null;
}

/** One of several tasks that has ended: with its video, or with why there is none. */
export type Ended<K> = K & ({ video: Video; error: null } | { video: null; error: JunFeiAIError });

const handles = new WeakMap<Client, Handle>();

/** @internal */
export function handleOf(client: Client): Handle {
  const handle = handles.get(client);
  if (!handle) throw new TypeError("this is no Client of junfeiai");
  return handle;
}

let face = "js";
/** Each entry point says what it is, for the `User-Agent`. */
export function setFace(name: string): void {
  face = name;
}

/** A client of the video API. */
export class Client {
  static { named(this, "Client"); }
  /** Everything about videos: create, look up, wait. */
  readonly videos: Videos;

  constructor(options: ClientOptions = {}) {
    const handle = new Handle(shapeOptions(options, face));
    handles.set(this, handle);
    this.videos = new Videos(handle);
  }

  /** The entry that is used. Known once the module is loaded: in Node at once, in a page after `await ready()`. */
  get endpoint(): string {
    return call(() => handleOf(this).raw().endpoint);
  }

  /**
   * Looks at every entry, the key and the video host, and says what to do where something is wrong. Costs nothing, creates
   * nothing and never fails: what is wrong stands in the report. `account` asks for models and balance as well.
   */
  async check(options: CallOptions & { account?: boolean | undefined } = {}): Promise<Record<string, unknown>> {
    const client = await handleOf(this).ready();
    const { account = false, signal } = options;
    return run(() => client.check(account, signal ?? undefined) as Promise<Record<string, unknown>>, signal);
  }

  /** The models that this key may use. A server need not offer it: the error's code is `not_offered` then. */
  async models(options: CallOptions = {}): Promise<string[]> {
    const client = await handleOf(this).ready();
    return run(() => client.models(options.signal ?? undefined) as Promise<string[]>, options.signal);
  }

  /** What is left on this key. A server need not offer it, and allows 20 calls in 20 minutes where it does. */
  async balance(options: CallOptions = {}): Promise<Balance> {
    const client = await handleOf(this).ready();
    const raw = await run(() => client.balance(options.signal ?? undefined) as Promise<RawBalance>, options.signal);
    return {
      name: raw.name, unlimited: raw.unlimited, availableUSD: raw.available_usd, usedUSD: raw.used_usd,
      expiresAt: raw.expires_at === null ? null : new Date(raw.expires_at * 1000),
    };
  }

  toJSON(): Record<string, unknown> {
    const { endpoint, base_url } = handleOf(this).shaped.options;
    return { endpoint: base_url ?? endpoint ?? "standard" };
  }

  /** Frees its memory now instead of when it is collected. */
  [Symbol.dispose](): void {
    handleOf(this).free();
  }
}

/** Everything about videos. */
export class Videos {
  static { named(this, "Videos"); }
  readonly #handle: Handle;

  /** @internal */
  constructor(handle: Handle) {
    this.#handle = handle;
  }

  /**
   * Creates a task. **This costs money**: the request is checked first and sent at most once, unless it provably was not
   * accepted. When the answer is lost or the call is aborted, the error says `maybeExecuted`.
   */
  async create(request: VideoRequest | string, options: CallOptions = {}): Promise<Task> {
    const client = await this.#handle.ready();
    const shaped = await shapeRequest(request, (bytes) => call(() => imageOf(bytes)));
    const { signal } = options;
    const raw = await run(() => client.create(shaped, signal ?? undefined) as Promise<RawTask>, signal);
    return new Task(this.#handle, "", raw);
  }

  /** Asks for a task's state. */
  get(id: string, options: CallOptions = {}): Promise<Task> {
    return Promise.resolve().then(() => this.task(id).refresh(options));
  }

  /** A task by its id, without asking for it: to wait for it again in a later process, for example. */
  task(id: string): Task {
    return new Task(this.#handle, String(id));
  }

  /** Creates a task and waits for its video. `onProgress` hears of the new task first. */
  async generate(
    request: VideoRequest | string, options: WaitOptions & { onProgress?: ((task: Task) => void) | undefined } = {},
  ): Promise<Video> {
    const task = await this.create(request, options);
    options.onProgress?.(task);
    return task.wait(options);
  }

  /**
   * These tasks in the order in which they end. One failure does not end the other waits; `break` ends the waiting, never
   * the tasks. All share the client's request budget.
   */
  async *asCompleted(ids: Iterable<string>, options: CallOptions = {}): AsyncGenerator<Ended<{ id: string }>, void, undefined> {
    const client = await this.#handle.ready();
    const many = call(() => client.asCompleted([...ids].map(String)));
    for await (const [id, ended] of this.#ended<string>(many, options)) yield { id, ...ended };
  }

  /**
   * Creates a task for each request and waits for its video, at most `concurrency` (default 4) alive at a time. **This costs
   * money.** Every request is read before the first is sent. `break` ends it: no further task is created, those that exist go on.
   */
  async *generateMany(
    requests: Iterable<VideoRequest | string>, options: CallOptions & { concurrency?: number | undefined } = {},
  ): AsyncGenerator<Ended<{ index: number }>, void, undefined> {
    const client = await this.#handle.ready();
    const encode = (bytes: Uint8Array): string => call(() => imageOf(bytes));
    const shaped = await Promise.all([...requests].map((request) => shapeRequest(request, encode)));
    const many = call(() => client.generateMany(shaped, options.concurrency ?? 4));
    for await (const [index, ended] of this.#ended<number>(many, options)) yield { index, ...ended };
  }

  async *#ended<K>(many: RawMany, options: CallOptions): AsyncGenerator<[K, Ended<unknown>], void, undefined> {
    const { signal } = options;
    try {
      for (;;) {
        const next = await run(() => many.next(signal ?? undefined) as Promise<[K, RawVideo | null, unknown] | undefined>, signal);
        if (next === undefined) return;
        const [key, raw, error] = next;
        yield [key, raw ? { video: new Video(this.#handle, raw), error: null } : { video: null, error: toError(error) as JunFeiAIError }];
      }
    } finally {
      many.cancel();
    }
  }

  /** The video of a task that is done, by the task's id and, where it was noted, the video's address. */
  async video(id: string, url?: string): Promise<Video> {
    const client = await this.#handle.ready();
    return new Video(this.#handle, call(() => client.video(id, url)));
  }

  /** A video by its address. The key goes along only when the host is on the list. */
  async videoAt(url: string | URL): Promise<Video> {
    const client = await this.#handle.ready();
    return new Video(this.#handle, call(() => client.video(undefined, String(url))));
  }
}

export { ready };
