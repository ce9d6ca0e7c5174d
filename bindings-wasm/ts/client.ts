import type { RawMany, RawTask, RawVideo } from "#glue";
import { guard, guarded, leave, listOf, loaded, own, paid, pay, take, textOf, unlessRaised, type Guard } from "./calls.js";
import { durableWaits, type WaitState } from "./durable.js";
import { call, glue, has, run, ready, type About } from "./engine.js";
import { named, toError, type JunFeiAIError } from "./errors.js";
import { Handle } from "./handle.js";
import {
  journalCalls, type Estimate, type JournalCalls, type KeyRecord, type Pending, type ReconcileOptions, type Reconciliation, type Resumed, type ResumedVideo,
  type Spending,
} from "./journal.js";
import { translate } from "./names.js";
import { addressOf, shapeOptions, shapeRequest, type ClientOptions, type VideoRequest } from "./options.js";
import { WAIT } from "./option-types.js";
import { saver, type SaveOptions } from "./saver.js";
import { Task, requestOptions, waitOptions, type RequestOptions, type WaitOptions } from "./task.js";
import { Video, numberOf } from "./video.js";

export interface CallOptions {
  signal?: AbortSignal | null | undefined;
}

/** Options of a call that creates tasks. */
export interface CreateOptions extends CallOptions {
  /**
   * Withdraws what was not sent: no further create request leaves, and one that waits for its turn or to be sent again ends with the
   * code `cancelled` and without `maybeExecuted`. What has left, and the waits, come to their end, unlike with `signal`. Default: none.
   */
  stopSignal?: AbortSignal | null | undefined;
}

/** Options of `generateMany`; those of a wait hold for each task. */
export interface ManyOptions extends WaitOptions, CreateOptions {
  /** How many tasks are alive at a time. Default: 4. */
  concurrency?: number | undefined;
  /** Called as soon as a task exists, once for each: the place to keep its id. Default: none. */
  onCreated?: ((created: { index: number; taskId: string }) => unknown) | undefined;
  /** Called with each new task first, and with the task after every poll of it. Default: none. */
  onProgress?: ((progress: { index: number; task: Task }) => unknown) | undefined;
}

/** What is left on a key. */
export interface Balance {
  name: string | null;
  /** True when the key itself has no limit; the account's balance, which the server does not report, still has. */
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

/** One step of a check. */
export interface CheckStep {
  /** Its stable name. */
  name: "dns" | "connect" | "tls" | "answer" | "base_url" | "key" | "clock" | "proxy" | "video_host" | "models" | "balance" | (string & {});
  status: "ok" | "warn" | "fail" | "skipped";
  /** What was found, one line. */
  detail: string;
  /** What to do, one line, if anything. */
  advice: string | null;
}

/** The check of one endpoint. */
export interface EndpointCheck {
  /** The base URL. */
  endpoint: string;
  /** True for the endpoint that is in use now. */
  inUse: boolean;
  /** True when no step failed: as far as can be checked without creating a task, tasks can be created here. */
  ok: boolean;
  steps: CheckStep[];
  /** From connecting to the end of the response. */
  latencyMs: number | null;
  /** How far this machine's clock is ahead of the server's; `null` when the server does not report its time. */
  clockSkewMs: number | null;
  /** The server's request id, for support. */
  requestId: string | null;
}

/** The result of `check`. */
export interface CheckReport {
  /** True when the endpoint in use works and the video host responds. */
  ok: boolean;
  /** This library's version. */
  version: string;
  /** Every endpoint, the preferred one first. */
  entries: EndpointCheck[];
  /** `proxy`, `video_host`, `models`, `balance`, in this order. */
  steps: CheckStep[];
  /** The models of this key, if `account` asked for them and the server reports them. */
  models: string[] | null;
  /** The balance of the key, if `account` asked for it and the server reports it. */
  balance: Balance | null;
}

interface RawReport {
  ok: boolean;
  version: string;
  entries: { endpoint: string; in_use: boolean; ok: boolean; steps: CheckStep[]; latency_s: number | null; clock_skew_s: number | null; request_id: string | null }[];
  steps: CheckStep[];
  models: string[] | null;
  balance: RawBalance | null;
}

const balanceOf = ({ name, unlimited, available_usd, used_usd, expires_at }: RawBalance): Balance =>
  ({ name, unlimited, availableUSD: available_usd, usedUSD: used_usd, expiresAt: expires_at === null ? null : new Date(expires_at * 1000) });
const stepsOf = (steps: CheckStep[]): CheckStep[] => steps.map((step) => ({ ...step, advice: step.advice && translate(step.advice) }));
const inMs = (seconds: number | null): number | null => seconds === null ? null : seconds * 1000;

/** One step of a durable wait: the video, or what to store and how long to pause before the next step. */
export type Advanced =
  | { done: true; video: Video; state: null; retryAfterMs: null }
  | { done: false; video: null; state: WaitState; retryAfterMs: number };

/** One of several tasks that has ended: with its video, or with why there is none. */
export type Ended<K> = K & ({ video: Video; error: null } | { video: null; error: JunFeiAIError });

/** The options of all calls about a journal. */
const JOURNAL = ["signal", "accountToken", "accountUser"] as const;

const encode = (bytes: Uint8Array): string => call(() => glue.imageOf(bytes));

const handles = new WeakMap<Client, Handle>();

/** @internal */
export function handleOf(client: Client): Handle {
  const handle = handles.get(client);
  if (!handle) throw own("config", "config", "client must be a Client", { field: "client" });
  return handle;
}

let sdkName = "js";
/** Each entry point gives its name, for the `User-Agent`. */
export function setSdkName(name: string): void {
  sdkName = name;
}

/** A client of the video API. */
export class Client {
  static { named(this, "Client"); }
  /** Everything about videos: create, look up, wait. */
  readonly videos: Videos;

  constructor(options: ClientOptions = {}) {
    const handle = new Handle(shapeOptions(options, sdkName));
    handles.set(this, handle);
    this.videos = new Videos(handle);
  }

  /** The endpoint that is used. Known once the module is loaded: in Node at once, in a page after `await ready()`. */
  get endpoint(): string {
    return call(() => handleOf(this).raw().endpoint);
  }

  /**
   * Checks every endpoint, the key and the video host, and says what to do where something is wrong. Costs nothing, creates
   * nothing and never fails: what is wrong is in the report. `account` asks for models and balance as well.
   */
  async check(options: CallOptions & { account?: boolean | undefined } = {}): Promise<CheckReport> {
    const { account, signal } = take(options, ["account", "signal"], "check");
    const client = await loaded(handleOf(this), "more", [signal], "check");
    const { ok, version, entries, steps, models, balance } = await guarded(signal, undefined, undefined, (inner) => run(() => client.check(account === true, inner) as Promise<RawReport>, inner));
    return {
      ok, version, steps: stepsOf(steps), models, balance: balance && balanceOf(balance),
      entries: entries.map((one) => ({
        endpoint: one.endpoint, inUse: one.in_use, ok: one.ok, steps: stepsOf(one.steps), latencyMs: inMs(one.latency_s), clockSkewMs: inMs(one.clock_skew_s), requestId: one.request_id,
      })),
    };
  }

  /** The models that this key may use. Optional endpoint: where the server does not support it, the error's code is `not_offered`. */
  async models(options: CallOptions = {}): Promise<string[]> {
    const { signal } = take(options, ["signal"], "check");
    const client = await loaded(handleOf(this), "more", [signal], "check");
    return guarded(signal, undefined, undefined, (inner) => run(() => client.models(inner) as Promise<string[]>, inner));
  }

  /** What is left on this key. Optional endpoint, with 20 calls in 20 minutes allowed. */
  async balance(options: CallOptions = {}): Promise<Balance> {
    const { signal } = take(options, ["signal"], "check");
    const client = await loaded(handleOf(this), "more", [signal], "check");
    return balanceOf(await guarded(signal, undefined, undefined, (inner) => run(() => client.balance(inner) as Promise<RawBalance>, inner)));
  }

  toJSON(): Record<string, unknown> {
    const { endpoint, base_url } = handleOf(this).shaped.options;
    return { endpoint: base_url ?? endpoint ?? "standard" };
  }

  /**
   * Frees its memory now instead of when it is collected. Create requests that have not left are not sent, nor are later ones: they
   * reject with `cancelled`. What has left runs to its end, and tasks and videos made by it keep working.
   */
  [Symbol.dispose](): void {
    handleOf(this).close();
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
   * accepted. After `timeoutMs` (default: the client's `createTimeoutMs`) the task may still be created and charged. When no response arrives or the call is aborted, the error has `maybeExecuted`.
   */
  async create(request: VideoRequest | string, options: CreateOptions & RequestOptions = {}): Promise<Task> {
    const handle = this.#handle;
    const { signal, stopSignal, timeoutMs } = take(options, ["signal", "stopSignal", "timeoutMs"], "create");
    await loaded(handle, undefined, [signal, stopSignal], "create");
    const shaped = await shapeRequest(request, encode, (image) => unlessRaised(image, [signal, stopSignal], "create"));
    return paid(stopSignal, (tracker, about) => guarded(signal, undefined, about, async (inner) => {
      const raw = await run(() => handle.raw().create(shaped, tracker, requestOptions(timeoutMs), inner) as Promise<RawTask>, inner, about);
      return new Task(handle, "", raw);
    }));
  }

  /**
   * Judges where a video that does not exist yet shall be saved, and how: call it before what you pay for. Ends with what `save` would be
   * refused for, with `file_exists` for example. Sends nothing, changes no file, and calls no `onProgress`. An answer for this moment: the
   * disk may be full when the video is there. In Node, Deno and Bun.
   */
  async checkSave(path: string | URL, options: SaveOptions = {}): Promise<void> {
    await this.#handle.ready();
    return saver(null).check(this.#handle, path, options);
  }

  /** Asks for a task's state. */
  get(id: string, options: RequestOptions = {}): Promise<Task> {
    return Promise.resolve().then(() => this.task(id).refresh(options));
  }

  /** A task by its id, without asking for it: to wait for it again in a later process, for example. */
  task(id: string): Task {
    return new Task(this.#handle, textOf(id, "taskId", "query"));
  }

  /**
   * One step of a durable wait, from what `task.waitState` or the step before returned: asks for the task's state if a poll is due, once,
   * and never sleeps until then. The deadline and the budget of failed polls are in the state: a failed poll is no error here, and the
   * wait ends as `wait` does. Sooner than `retryAfterMs` nothing is sent. In Node, Bun and Deno.
   */
  async advance(state: WaitState, options: CallOptions = {}): Promise<Advanced> {
    const ended = await durableWaits().advance(this.#handle, state, options);
    return Array.isArray(ended)
      ? { done: false, video: null, state: ended[0], retryAfterMs: Math.ceil(ended[1] * 1000) }
      : { done: true, video: new Video(this.#handle, ended), state: null, retryAfterMs: null };
  }

  /** Creates a task and waits for its video. `onProgress` is called with the new task first. Every option is checked first. */
  async generate(
    request: VideoRequest | string, options: WaitOptions & CreateOptions & { onProgress?: ((task: Task) => unknown) | undefined } = {},
  ): Promise<Video> {
    const handle = this.#handle;
    const { signal, stopSignal, timeoutMs, pollIntervalMs, onProgress } = take(options, [...WAIT, "stopSignal", "onProgress"], "create");
    await loaded(handle, undefined, [signal, stopSignal], "create");
    const shaped = await shapeRequest(request, encode, (image) => unlessRaised(image, [signal, stopSignal], "create"));
    return paid(stopSignal, (tracker, about) => guarded(signal, onProgress, about, async (inner, tell) => {
      const notify = tell && ((raw: RawTask) => { tell(new Task(handle, "", raw)); });
      const begin = (): Promise<RawVideo> =>
        handle.raw().generate(shaped, tracker, waitOptions({ timeoutMs, pollIntervalMs }), notify as never, inner) as Promise<RawVideo>;
      return new Video(handle, await run(begin, inner, about));
    }));
  }

  /**
   * These tasks in the order in which they end. One failure does not end the other waits; `break` ends the waiting, never
   * the tasks. All share the client's request budget.
   */
  async *asCompleted(ids: Iterable<string>, options: CallOptions = {}): AsyncGenerator<Ended<{ id: string }>, void, undefined> {
    const { signal } = take(options, ["signal"], "wait");
    const client = await loaded(this.#handle, "more", [signal], "wait");
    const asked = listOf(ids, "ids", "wait").map((id) => textOf(id, "ids", "wait"));
    const many = call(() => client.asCompleted(asked));
    const steps = guard(signal, undefined);
    try {
      for await (const [id, ended] of this.#ended<string>(many, steps)) yield { id, ...ended };
    } finally {
      steps.end();
    }
  }

  /**
   * Creates a task for each request and waits for its video, at most `concurrency` (default 4) alive at a time. **This costs
   * money.** Every request is read before the first is sent. `break` ends it: no further task is created, those that exist keep running.
   * `stopSignal` ends the creating alone: what was not sent is given out as `cancelled`, the rest with its video.
   * What ends it with an error, a callback's own too, carries `taskIds`: the tasks that exist and that it did not give out.
   */
  async *generateMany(
    requests: Iterable<VideoRequest | string>, options: ManyOptions = {},
  ): AsyncGenerator<Ended<{ index: number }>, void, undefined> {
    const handle = this.#handle;
    const { signal, stopSignal, timeoutMs, pollIntervalMs, concurrency, onCreated, onProgress } =
      take(options, [...WAIT, "stopSignal", "concurrency", "onCreated", "onProgress"], "create");
    await loaded(handle, "more", [signal, stopSignal], "create");
    const reads = <T>(image: Promise<T>): Promise<T> => unlessRaised(image, [signal, stopSignal], "create");
    const shaped = await Promise.all(listOf(requests, "requests", "create").map((request) => shapeRequest(request, encode, reads)));
    const { tracker, about, end } = pay(stopSignal);
    const created = new Set<number>();
    let steps: Guard<[() => unknown]> | undefined;
    let left = true;
    const notify = (raw: RawTask, index: number): void => {
      const task = new Task(handle, "", raw);
      if (!created.has(index)) steps?.tell(() => onCreated?.({ index, taskId: task.id }));
      created.add(index);
      steps?.tell(() => onProgress?.({ index, task }));
    };
    try {
      steps = guard(signal, (tell) => tell(), about, true);
      const most = numberOf(concurrency ?? 4);
      const many = call(() => handle.raw().generateMany(
        shaped, most, tracker, waitOptions({ timeoutMs, pollIntervalMs }), (onCreated ?? onProgress) && notify as never));
      for await (const [index, ended] of this.#ended<number>(many, steps, about)) yield { index, ...ended };
      left = false;
    } finally {
      if (left) leave([tracker], "generateMany was left before its end");
      steps?.end();
      end();
    }
  }

  /** What the journal knows of a `key`; `null` for nothing. Asks nothing of the server. */
  async key(key: string, options: CallOptions = {}): Promise<KeyRecord | null> {
    return (await this.#journal(options)).key(this.#handle, key, options);
  }

  /** What is left to be done, as the journal says: tasks to resume, and create requests whose outcome is unknown. */
  async pending(options: CallOptions = {}): Promise<Pending[]> {
    return (await this.#journal(options)).pending(this.#handle, options);
  }

  /** Takes a task off the journal's list: its video is not wanted, or was taken in another way. False when it is not on it. */
  async forget(taskId: string, options: CallOptions = {}): Promise<boolean> {
    return (await this.#journal(options, taskId)).forget(this.#handle, taskId, options);
  }

  /**
   * Marks a create request whose outcome was unknown as resolved, after you checked your account's usage page: with the id of the
   * task that you found there, or without one when it made none. False when there is no such create request.
   */
  async resolveUnknown(intent: string, taskId?: string | null, options: CallOptions = {}): Promise<boolean> {
    return (await this.#journal(options)).resolveUnknown(this.#handle, intent, taskId, options);
  }

  /**
   * What became of the create requests whose answer was lost, as the usage and the log of the API key prove it; the journal keeps it.
   * Two questions to the server, none when there is no such request. In Node, Bun and Deno, and in a page with a journal.
   *
   * With `accountToken`, the access token of the account, a lost task is found as well, and pending as a task then: up to five more
   * questions, for the account's list of tasks.
   */
  async reconcile(options: ReconcileOptions = {}): Promise<Reconciliation> {
    return (await this.#journal(options)).reconcile(this.#handle, options);
  }

  /**
   * What was created and charged under this journal, for each UTC day and model, oldest first; from `since` on, a day as `YYYY-MM-DD`.
   * Asks nothing of the server, and knows the charges that a wait or `get` has seen. In Node, Bun and Deno, and in a page with a journal.
   */
  async spending(since?: string | null, options: CallOptions = {}): Promise<Spending[]> {
    return (await this.#journal(options)).spending(this.#handle, since, options);
  }

  /**
   * What a create request will cost, without creating anything: checks the request, then reads the server's price list and the key's
   * log, each at most once in 15 minutes. Where the server does not tell, the cost is unknown. In Node, Bun and Deno, and in a page with
   * a journal.
   */
  async estimate(request: VideoRequest | string, options: CallOptions = {}): Promise<Estimate> {
    const calls = await this.#journal(options);
    await this.#handle.ready();
    const { signal } = take(options, ["signal"], "journal");
    return calls.estimate(this.#handle, await shapeRequest(request, encode, (image) => unlessRaised(image, [signal], "create")) as Record<string, unknown>, { signal });
  }

  /** Waits for all pending tasks and saves them as `folder/<task id>.mp4`, in the order in which they end; one that fails stops no other. */
  resumePending(folder: string | URL, options?: CallOptions): AsyncGenerator<Resumed, void, undefined>;
  /**
   * In a page: waits for all pending tasks and gives their videos, in the order in which they end; one that fails stops no other. A task
   * that another tab is at is left to it. A video stays pending until `forget` is called with its task's id: call it when you have it.
   */
  resumePending(folder?: null, options?: CallOptions): AsyncGenerator<ResumedVideo, void, undefined>;
  async *resumePending(folder?: string | URL | null, options: CallOptions = {}): AsyncGenerator<Resumed | ResumedVideo, void, undefined> {
    yield* (await this.#journal(options)).resumePending(this.#handle, folder, options);
  }

  /** What is asked of the journal, which a page loads first. The call itself reads its options. */
  async #journal(options: ReconcileOptions, taskId?: string): Promise<JournalCalls> {
    const { signal } = has() ? {} : take(options, JOURNAL, "journal");
    return signal ? unlessRaised(journalCalls(this.#handle), [signal], "journal", taskId) : journalCalls(this.#handle);
  }

  async *#ended<K>(many: RawMany, { signal, step }: Guard<never>, about?: About): AsyncGenerator<[K, Ended<unknown>], void, undefined> {
    try {
      for (;;) {
        const next = await step(() => run(() => many.next(signal) as Promise<[K, RawVideo | null, unknown] | undefined>, signal, about));
        if (next === undefined) return;
        const [key, raw, error] = next;
        yield [key, raw ? { video: new Video(this.#handle, raw), error: null } : { video: null, error: toError(error) as JunFeiAIError }];
      }
    } finally {
      try { many.cancel(); } catch { /* of a module that was restarted since */ }
    }
  }

  /** The video of a task that is done, by the task's id and, where it was noted, the video's address. */
  async video(id: string, url?: string | URL | null): Promise<Video> {
    textOf(id, "taskId", "content");
    const about: About = () => ({ task_id: id });
    const client = await this.#handle.ready(about);
    const address = url === undefined || url === null ? undefined : addressOf(url, id);
    return new Video(this.#handle, call(() => client.video(id, address), about));
  }

  /** A video by its address. The key goes along only when the host is on the list. */
  async videoAt(url: string | URL): Promise<Video> {
    const client = await this.#handle.ready();
    const address = addressOf(url);
    return new Video(this.#handle, call(() => client.video(undefined, address)));
  }
}

export { ready };
