import { named } from "./errors.js";
import type { RawTask, RawVideo } from "#glue";
import { guarded, loaded, take } from "./calls.js";
import { durableWaits, type WaitState } from "./durable.js";
import { call, run, type About } from "./engine.js";
import { Part, type Handle } from "./handle.js";
import { translate } from "./names.js";
import { WAIT, type WaitOptions } from "./option-types.js";
import { defined, seconds } from "./options.js";
import type { RawSnapshot, TaskStatus } from "./raw.js";
import { Video } from "./video.js";

export type { WaitOptions } from "./option-types.js";

/** Advice that the request does not follow, or a bill that differs from what was asked. */
export interface Warning {
  code: string;
  message: string;
}

/** Options of a single request. */
export interface RequestOptions {
  /** Timeout of this request, in milliseconds, in place of the client's: `createTimeoutMs` of a create request, `timeoutMs` of a query. Default: the client's. */
  timeoutMs?: number | undefined;
  /** Ends the call. Default: none. */
  signal?: AbortSignal | null | undefined;
}

/** Options of a request as the core reads them. @internal */
export const requestOptions = (timeoutMs: number | undefined): unknown => defined({ timeout: seconds(timeoutMs) });

/** Options of a wait as the core reads them. @internal */
export const waitOptions = ({ timeoutMs, pollIntervalMs }: WaitOptions): unknown =>
  defined({ timeout: seconds(timeoutMs), poll_interval: seconds(pollIntervalMs) });

const date = (unix: number | null): Date | null => (unix === null ? null : new Date(unix * 1000));

/** A task as it was last seen. Looking at it costs no request. */
export class Task {
  static { named(this, "Task"); }
  readonly #handle: Handle;
  readonly #part: Part<RawTask>;
  readonly #seen: RawSnapshot;
  #warnings: readonly Warning[];
  /** True when an earlier call with the same `key` created it: this one sent nothing. */
  readonly reused: boolean;
  /** Where an earlier call with the same `key` saved its video, as the journal says. */
  readonly savedPath: string | null;
  readonly #about: About = () => ({ task_id: this.id });

  /** @internal */
  constructor(handle: Handle, id: string, raw?: RawTask) {
    this.#handle = handle;
    this.#part = new Part(() => handle.raw().task(this.id), raw);
    [this.#seen, this.#warnings, this.reused, this.savedPath] = raw
      ? JSON.parse(call(() => raw.seen())) as [RawSnapshot, Warning[], boolean, string | null]
      : [{
          task_id: id, status: "unknown", raw_status: "", progress: null, video_url: null, fail_reason: null, model: null,
          billed_seconds: null, charged_units: null, created_at: null, started_at: null, finished_at: null,
        }, [], false, null];
    this.#warnings = this.#warnings.map(({ code, message }) => ({ code, message: translate(message) }));
    // Where the module is there already, a text that is no id is refused at once.
    if (!raw && handle.loaded) this.#part.get();
  }

  /** The task's id: what to keep to come back to it. */
  get id(): string { return this.#seen.task_id; }
  /** The last seen state; `unknown` for a task that was not asked for yet. */
  get status(): TaskStatus { return this.#seen.status; }
  /** The server's spelling of it. */
  get rawStatus(): string { return this.#seen.raw_status; }
  /** 0–100, where the server says it. May stand still or go back. */
  get progress(): number | null { return this.#seen.progress; }
  /** Where the MP4 is, once it succeeded. */
  get videoURL(): string | null { return this.#seen.video_url; }
  /** Why it failed. */
  get failReason(): string | null { return this.#seen.fail_reason; }
  /** The model as the server names it. */
  get model(): string | null { return this.#seen.model; }
  /** Seconds of video that the server billed, where it says so. */
  get billedSeconds(): number | null { return this.#seen.billed_seconds; }
  /** What the server charged, in its units (500,000 are 1 USD), where it says so; 0 for a failed task. */
  get chargedUnits(): number | null { return this.#seen.charged_units; }
  get createdAt(): Date | null { return date(this.#seen.created_at); }
  get startedAt(): Date | null { return date(this.#seen.started_at); }
  get finishedAt(): Date | null { return date(this.#seen.finished_at); }
  get warnings(): readonly Warning[] { return this.#warnings; }

  /** The server's last response, complete. */
  get raw(): unknown {
    const text = call(() => this.#part.get().raw(), this.#about);
    return text === "" ? null : JSON.parse(text);
  }

  /** Asks for the state anew. */
  async refresh(options: RequestOptions = {}): Promise<Task> {
    const { signal, timeoutMs } = take(options, ["signal", "timeoutMs"], "query", this.id);
    await loaded(this.#handle, undefined, [signal], "query", this.#about);
    const raw = await guarded(signal, undefined, this.#about, (inner) =>
      run(() => this.#part.get().refresh(requestOptions(timeoutMs), inner) as Promise<RawTask>, inner, this.#about));
    return new Task(this.#handle, this.id, raw);
  }

  /** Waits for the end of the task and gives its video. Aborting stops the waiting, never the task. */
  async wait(options: WaitOptions & { onProgress?: ((task: Task) => unknown) | undefined } = {}): Promise<Video> {
    const { timeoutMs, pollIntervalMs, signal, onProgress } = take(options, [...WAIT, "onProgress"], "wait", this.id);
    await loaded(this.#handle, undefined, [signal], "wait", this.#about);
    return guarded(signal, onProgress, this.#about, async (inner, tell) => {
      const notify = tell && ((raw: RawTask) => { tell(new Task(this.#handle, this.id, raw)); });
      const begin = (): Promise<RawVideo> =>
        this.#part.get().wait(waitOptions({ timeoutMs, pollIntervalMs }), notify as never, inner) as Promise<RawVideo>;
      return new Video(this.#handle, await run(begin, inner, this.#about));
    });
  }

  /**
   * Begins a durable wait: a small plain object for `videos.advance`, which any process can continue. For job queues and workflow
   * engines, which must not hold a worker while the video is made. Sends no request; the timeout counts from now. In Node, Bun and Deno.
   */
  waitState(options: Omit<WaitOptions, "signal"> = {}): WaitState {
    const { timeoutMs, pollIntervalMs } = take(options, ["timeoutMs", "pollIntervalMs"], "wait", this.id);
    return call(() => durableWaits().begin(this.#part.get(), waitOptions({ timeoutMs, pollIntervalMs })), this.#about);
  }

  /** The states as they come, one for each poll; it ends after the last. `break` ends the watching. */
  async *watch(options: WaitOptions = {}): AsyncGenerator<Task, void, undefined> {
    const { timeoutMs, pollIntervalMs, signal } = take(options, WAIT, "wait", this.id);
    await loaded(this.#handle, "more", [signal], "wait", this.#about);
    const watch = call(() => this.#part.get().watch(waitOptions({ timeoutMs, pollIntervalMs })), this.#about);
    try {
      for (;;) {
        const raw = await guarded(signal, undefined, this.#about, (inner) =>
          run(() => watch.next(inner) as Promise<RawTask | undefined>, inner, this.#about));
        if (raw === undefined) return;
        yield new Task(this.#handle, this.id, raw);
      }
    } finally {
      try { watch.cancel(); } catch { /* of a module that was restarted since */ }
    }
  }

  /** The video, when the last seen state says that there is one. */
  video(): Video {
    return new Video(this.#handle, call(() => this.#part.get().video(), this.#about));
  }

  toJSON(): Record<string, unknown> {
    const names = [
      "id", "status", "rawStatus", "progress", "videoURL", "failReason", "model", "billedSeconds", "chargedUnits", "createdAt", "startedAt", "finishedAt",
    ] as const;
    return Object.fromEntries(names.map((name) => [name, this[name]]));
  }

  /** Frees its memory now instead of when it is collected. */
  [Symbol.dispose](): void {
    this.#part.free();
  }
}
