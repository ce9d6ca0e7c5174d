/** A call's options, signal and callback on their way in. What cannot be used is refused before anything is sent. */
import type { RawClient, RawTracker } from "#glue";
import { call, glue, has, life, tryNow, type About, type WasmPart } from "./engine.js";
import { JunFeiAIError, ofTask } from "./errors.js";
import type { Handle } from "./handle.js";
import { meant } from "./names.js";
import type { RawRecord } from "./raw.js";

const NUMBERS: Record<string, number> = { config: 10, invalid_request: 11, io: 54, cancelled: 60 };

/** An error that this side finds. */
export function own(
  kind: string, phase: string, message: string, { field, taskId, cause }: { field?: string | undefined; taskId?: string | null; cause?: unknown } = {},
): JunFeiAIError {
  const record = tryNow()
    ? call(() => glue.ownError(kind, phase, message, field, taskId ?? undefined)) as RawRecord
    : { kind, phase, message, field: field ?? null, number: NUMBERS[kind] ?? 70 };
  return new JunFeiAIError({ ...record, task_id: taskId ?? null }, cause);
}

const isSignal = (value: Partial<AbortSignal>): boolean =>
  typeof value.aborted === "boolean" && typeof value.addEventListener === "function" && typeof value.removeEventListener === "function";

/** What is wrong with an option of this name, if anything is. */
function wrong(field: string, value: unknown, names: readonly string[], kind: string): string | undefined {
  if (!names.includes(field)) {
    const near = meant(field, names);
    return `there is no option ${field.slice(0, 60)} (${near ? `did you mean ${near}?` : `there are ${names.join(", ")}`})`;
  }
  if (/^(signal|stopSignal)$/.test(field) && !isSignal(value as object)) return `${field} must be an AbortSignal`;
  if (/^(overwrite|createParents|verify|sha256|account|dangerouslyAllowBrowser)$/.test(field) && typeof value !== "boolean") return `${field} must be true or false`;
  if (/^(on[A-Z]|(fetch|log)$)/.test(field) && typeof value !== "function") return `${field} must be a function`;
  const number = typeof value === "number";
  if (field.endsWith("Ms")) {
    if (!(number && value >= 0)) return `${field} must be a number of milliseconds, not ${number ? String(value) : `a ${typeof value}`}`;
  } else if (kind === "config" && number && !Number.isFinite(value) && /^(max|budget|request)/.test(field)) {
    // JSON would make nothing of it: no limit at all.
    return `${field} must be a finite number, not ${value}`;
  }
  return undefined;
}

/** What an object is, of whichever realm. */
export const typeOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

/** Reads each option once. What has no such name, and what cannot be a value of its option, is refused; the error is of this task. */
export function take<T extends object>(given: T | null | undefined, names: readonly (keyof T & string)[], phase: string, taskId: string | null = null): Partial<T> {
  const taken = Object.create(null) as Record<string, unknown>;
  const kind = phase === "config" ? phase : "invalid_request";
  let field: string | undefined;
  try {
    if (given === undefined || given === null) return {};
    // A signal or a promise in place of the options would be taken for none.
    const type = typeOf(given);
    if (!/^(Object|Module)$/.test(type)) throw ofTask(own(kind, phase, `the options must be an object, not ${type}`), taskId);
    for (field of [...names, ...Object.keys(given)]) {
      if (field in taken) continue;
      const value = taken[field] = (given as Record<string, unknown>)[field];
      if (value === undefined || value === null) continue;
      const why = wrong(field, value, names, kind);
      if (why !== undefined) throw own(kind, phase, why, { field, taskId });
    }
  } catch (error) {
    throw error instanceof JunFeiAIError ? error : own(kind, phase, `the ${field === undefined ? "options" : `option ${field}`} cannot be read`, { field, taskId, cause: error });
  }
  return taken as Partial<T>;
}

/** Half of a letter: it would be sent, or looked for, as another one. */
export const hasHalf = (text: string): boolean => /\p{Surrogate}/u.test(text);

/** A text, such as an id. Anything else would reach the module as one. */
export function textOf(value: unknown, field: string, phase: string, taskId: string | null = null): string {
  const isText = typeof value === "string";
  if (isText && !hasHalf(value)) return value;
  throw own("invalid_request", phase, `${field} must be a string, not ${isText ? "a lone surrogate" : typeof value}`, { field, taskId });
}

/** What there is to iterate over. A text would be each of its letters. */
export function listOf<T>(items: Iterable<T>, field: string, phase: string): T[] {
  let cause: unknown;
  try {
    if (typeOf(items) !== "String") return [...items];
  } catch (error) {
    cause = error;
  }
  throw own("invalid_request", phase, `the ${field} must be an array, or something else to iterate over`, { field, cause });
}

const hubs = new WeakMap<AbortSignal, { all: Set<() => void>; raise: () => void }>();

/** Calls this when the signal is raised; gives what ends that. One listener serves all calls: Node warns of more than ten. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  let hub = hubs.get(signal);
  if (!hub) {
    const all = new Set<() => void>();
    hub = { all, raise: () => { for (const each of [...all]) each(); } };
    signal.addEventListener("abort", hub.raise);
    hubs.set(signal, hub);
  }
  const { all, raise } = hub;
  all.add(listener);
  return () => {
    all.delete(listener);
    if (all.size > 0 || hubs.get(signal)?.all !== all) return;
    hubs.delete(signal);
    // What a signal of another library throws here must not take the place of a result.
    try { signal.removeEventListener("abort", raise); } catch { /* see above */ }
  };
}

/** Calls this when the signal is raised, or at once when it was before; gives what ends that. */
export function heard(
  signal: AbortSignal | null | undefined, raised: () => void, field: string, phase: string, taskId: string | null = null,
): (() => void) | undefined {
  try {
    if (!signal?.aborted) return signal ? onAbort(signal, raised) : undefined;
    return void raised();
  } catch (cause) {
    throw own("invalid_request", phase, `${field} must be an AbortSignal`, { field, taskId, cause });
  }
}

/** Waits for what is being loaded, or for `signal` or `stopSignal`: nothing was sent then, and nobody knows when the other would settle. */
export async function unlessRaised<T>(
  loading: T | Promise<T>, signals: readonly (AbortSignal | null | undefined)[], phase: string, taskId?: string | null,
): Promise<T> {
  const ends: ((() => void) | undefined)[] = [];
  try {
    return await new Promise<T>((resolve, reject) => {
      Promise.resolve(loading).then(resolve, reject);
      for (const [index, signal] of signals.entries()) {
        const raised = (): void => { reject(own("cancelled", phase, "the call was cancelled", { taskId: taskId ?? null, cause: signal?.reason })); };
        ends.push(heard(signal, raised, index === 0 ? "signal" : "stopSignal", phase, taskId ?? null));
      }
    });
  } finally {
    for (const end of ends) end?.();
  }
}

/** The client in the module, which a page loads first. A raised signal ends that, too; of what is loaded, the core says what it ends. */
export async function loaded(
  handle: Handle, part: WasmPart | undefined, signals: readonly (AbortSignal | null | undefined)[], phase: string, about?: About,
): Promise<RawClient> {
  const load = (): Promise<RawClient> => (part ? handle.having(part, about) : handle.ready(about));
  return !signals.some(Boolean) || has(part) ? load() : unlessRaised(load(), signals, phase, about?.().task_id);
}

/** A call with the caller's signal and callback, in as many steps as it has. `end` is called last. */
export interface Guard<A extends unknown[]> {
  signal: AbortSignal;
  tell: (...values: A) => void;
  step<T>(work: () => Promise<T>): Promise<T>;
  end(): void;
}

/**
 * What the callback throws or rejects with ends the call, and is what the step ends with, or the next one; it carries the task's id,
 * and with `many` the ids of all that are still running.
 */
export function guard<A extends unknown[]>(
  signal: AbortSignal | null | undefined, callback: ((...values: A) => unknown) | null | undefined, about?: About, many?: boolean,
): Guard<A> {
  // The module listens to a signal of this engine, whatever the caller's is.
  const inner = new AbortController();
  const raised = (): void => { inner.abort(signal?.reason); };
  const open = new Set<Promise<void>>();
  let failed: { error: unknown } | undefined;
  let ended = false;
  const fail = (error: unknown): void => {
    if (ended) console.warn(`junfeiai: a callback rejected after its call had ended${taskOf(about)}`, error);
    failed ??= { error };
    inner.abort(error);
  };
  const deafen = heard(signal, raised, "signal", "wait", about?.().task_id);
  return {
    signal: inner.signal,
    tell(...values) {
      if (failed) return;
      try {
        const result = callback?.(...values);
        if (Object(result) !== result) return;
        const settled = Promise.resolve(result).then(() => { open.delete(settled); }, fail);
        open.add(settled);
      } catch (error) {
        fail(error);
      }
    },
    async step(work) {
      try {
        if (!failed) {
          const value = await work();
          // A callback that has rejected by now counts; one that is still pending is not waited for.
          if (open.size > 0) await Promise.race([Promise.all(open), new Promise((resolve) => { setTimeout(resolve, 0); })]);
          // What one of many tasks came to is given out first.
          if (!failed || many && value !== undefined) return value;
        }
        throw new Error();
      } catch (error) {
        const { task_id, task_ids, maybe_executed } = about?.() ?? {};
        const taskId = task_id ?? (error as Partial<JunFeiAIError>).taskId;
        if (many) throw carrying(failed ? failed.error : error, { taskId, taskIds: task_ids?.length && task_ids, maybeExecuted: maybe_executed });
        throw failed ? carrying(failed.error, { taskId }) : error;
      }
    },
    end() {
      ended = true;
      deafen?.();
    },
  };
}

/** A call of one step. */
export async function guarded<A extends unknown[], T>(
  signal: AbortSignal | null | undefined,
  callback: ((...values: A) => unknown) | null | undefined,
  about: About | undefined,
  work: (signal: AbortSignal | undefined, tell: ((...values: A) => void) | undefined) => Promise<T>,
): Promise<T> {
  if (!signal && !callback) return work(undefined, undefined);
  const { signal: inner, tell, step, end } = guard(signal, callback, about);
  try {
    return await step(() => work(inner, callback ? tell : undefined));
  } finally {
    end();
  }
}

const taskOf = (about: About | undefined): string => {
  const id = about?.().task_id;
  return id ? ` (task ${id})` : "";
};

/** What ended a call, with what is known of its tasks; an error around what a callback threw, where it cannot carry that. */
function carrying(thrown: unknown, { taskId, ...more }: { taskId: string | null | undefined } & Record<string, unknown>): unknown {
  const known = Object.entries({ taskId, ...more }).filter(([, value]) => value);
  const add = (error: Record<string, unknown>): boolean => known.every(([name, value]) => {
    error[name] ||= value;
    return error[name] === value;
  });
  try {
    if (add(thrown as Record<string, unknown>)) return thrown;
  } catch { /* it is no object, or none that takes anything */ }
  const around = own("cancelled", "wait", "a callback threw, which ended the call", { taskId: taskId ?? null, cause: thrown });
  add(around as never);
  return around;
}

/** Paid calls that run: what the program loses when it ends now. */
const running = new Set<RawTracker>();
let listening = false;
/** Is called whenever one begins or ends, with how many there are and what logs them. */
let watch: ((count: number, report: () => void) => void) | undefined;
/** Node's module sets it. @internal */
export const setWatch = (how: typeof watch): void => { watch = how; };

const report = (): void => { leave(running, "the program ends while a paid call runs"); };

/** Logs what a paid call leaves behind and nothing else reports. */
export function leave(trackers: Iterable<RawTracker>, when: string): void {
  try {
    const left = [...trackers];
    const ids = left.flatMap((tracker) => tracker.taskIds());
    const maybe = left.some((tracker) => tracker.maybeExecuted()) ? "; a create request was under way and may have been charged" : "";
    if (ids.length > 0 || maybe) console.warn(`junfeiai: ${when}; these tasks exist and are still running: ${ids.join(", ") || "none"}${maybe}`);
  } catch { /* of a module that was restarted since */ }
}

/** A paid call: its outcome so far is known whatever ends it. `end` is called last. */
export interface Paid {
  tracker: RawTracker;
  about: About;
  end(): void;
}

/** `stopSignal` withdraws create requests that have not left. */
export function pay(stopSignal?: AbortSignal | null): Paid {
  if (!listening) {
    listening = true;
    const { process, document } = globalThis as { process?: { on?: (event: string, listener: () => void) => void }; document?: unknown };
    // A server that renders pages may have a document, and no window.
    if (document && typeof addEventListener === "function") addEventListener("pagehide", report);
    else process?.on?.("exit", report);
  }
  const born = life();
  const tracker = call(() => new glue.RawTracker());
  const stop = (): void => { if (born === life()) tracker.stop(); };
  const deafen = heard(stopSignal, stop, "stopSignal", "create");
  running.add(tracker);
  watch?.(running.size, report);
  let facts: ReturnType<About> = {};
  const about = (): ReturnType<About> => {
    // After the end, and after a panic, what was known last.
    try {
      const task_ids = tracker.taskIds();
      facts = { task_id: task_ids.length === 1 ? task_ids[0]! : null, task_ids, maybe_executed: tracker.maybeExecuted() };
    } catch { /* see above */ }
    return facts;
  };
  return {
    tracker, about,
    end() {
      deafen?.();
      about();
      running.delete(tracker);
      watch?.(running.size, report);
      if (born === life()) tracker.free();
    },
  };
}

/** Runs a call that creates one task. */
export async function paid<T>(stopSignal: AbortSignal | null | undefined, work: (tracker: RawTracker, about: About) => Promise<T>): Promise<T> {
  const { tracker, about, end } = pay(stopSignal);
  try {
    return await work(tracker, about);
  } finally {
    end();
  }
}
