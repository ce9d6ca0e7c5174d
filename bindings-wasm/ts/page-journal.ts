/** The journal of a page: IndexedDB or the caller's store on its way to the core, and the waiting for what is pending. Loaded on demand. */
import { RawClient, RawTracker, __wbg_reset_state, imageOf, default as init, onPanic, ownError, type RawTask, type RawVideo } from "#glue";
import { guarded, heard, own, take } from "./calls.js";
import { call, run, type About, type Glue } from "./engine.js";
import { toError, type JunFeiAIError } from "./errors.js";
import { IndexedDbStore } from "./indexeddb-store.js";
import { JournalHost, journal as calls, rawPending, refuse, storeOf } from "./journal-calls.js";
import type { JournalCalls, ResumedVideo } from "./journal.js";
import { Tabs, held } from "./tabs.js";
import { Video } from "./video.js";

/** The module that keeps a journal. @internal */
export const glue: Glue = { RawClient, RawTracker, __wbg_reset_state, imageOf, init, onPanic, ownError };

let tabs: Tabs | undefined;

/** A journal in IndexedDB, with what is known of the tabs that write it. */
class TabsHost extends JournalHost {
  readonly #tabs: Tabs;

  constructor(name: string, all: Tabs) {
    super(new IndexedDbStore(name), all);
    this.#tabs = all;
  }

  override async load(name: string): Promise<unknown> {
    const row = await super.load(name);
    if (row !== null) await this.#tabs.look();
    return row;
  }

  override async swap(name: string, expected?: number, value?: string): Promise<unknown> {
    await this.#tabs.hold();
    return super.swap(name, expected, value);
  }

  override async scan(prefix: string): Promise<unknown> {
    const rows = await super.scan(prefix);
    await this.#tabs.look();
    return rows;
  }
}

function hostOf(given: unknown): JournalHost {
  if (typeof given !== "string") return new JournalHost(storeOf(given, "a name, or an object with the methods load, swap and scan"), undefined);
  // It may hold a password.
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(given)) {
    throw refuse("journal: JavaScript opens no database by its address: give a name, or an object with the methods load, swap and scan");
  }
  if (given === "") throw refuse("journal must be a name, such as \"films\"");
  const missing = (what: string): JunFeiAIError => own("journal", "journal", `the journal cannot be kept here: ${what}`, { field: "journal" });
  if (typeof navigator === "undefined" || !navigator.locks) throw missing("there are no Web Locks, which need https or localhost: serve the page from there");
  let database: unknown;
  try {
    database = indexedDB;
  } catch { /* not allowed: the same as none */ }
  if (!database) throw missing("there is no IndexedDB: allow this site to store data, or leave private browsing");
  tabs ??= new Tabs();
  return new TabsHost(given, tabs);
}

/** Options that only this module knows. */
const OURS = ["journal", "journal_prompts", "budget", "max_cost", "max_cost_strict"];

const makers = new WeakMap<object, () => RawClient>();

/** The client in the module. What only this module knows is taken out of the options: the playback worker has them, too. */
export function make(given: Record<string, unknown>, fetch: typeof globalThis.fetch | undefined): RawClient {
  let make = makers.get(given);
  if (!make) {
    const { journal, ...options } = given;
    // A page has no environment.
    const host = hostOf(journal);
    for (const name of OURS) delete given[name];
    make = () => call(() => RawClient.onFetch(options, fetch as never, undefined, host as never));
    makers.set(given, make);
  }
  return make();
}

export const journal: JournalCalls = {
  ...calls,
  async *resumePending(handle, folder, options) {
    if (folder !== undefined && folder !== null) {
      throw own("invalid_request", "journal", "a page has no folders: call resumePending() without one, it gives each video", { field: "folder" });
    }
    const { signal } = take(options, ["signal"], "journal");
    const stop = new AbortController();
    const deafen = heard(signal, () => { stop.abort(signal?.reason); }, "signal", "journal");
    const resume = async (id: string, state: string | undefined, at: number | undefined): Promise<ResumedVideo> => {
      const about: About = () => ({ task_id: id });
      try {
        const raw = state === "succeeded"
          ? call(() => handle.raw().video(id, undefined))
          : await guarded(stop.signal, undefined, about, (inner) => {
            const task = call(() => handle.raw().pendingTask(id, at ?? 0)) as RawTask;
            return run(() => task.wait({}, undefined, inner) as Promise<RawVideo>, inner, about);
          });
        return { taskId: id, video: new Video(handle, raw), error: null };
      } catch (error) {
        return { taskId: id, video: null, error: toError(error) as JunFeiAIError };
      }
    };
    const tasks = async (): Promise<Map<string, readonly [string | undefined, number | undefined]>> =>
      new Map((await rawPending(handle, { signal })).flatMap(({ kind, task_id: id, state, created_at: at }) =>
        (kind === "task" && id !== undefined ? [[id, [state, at]] as const] : [])));
    const locks = new Map<string, () => void>();
    const release = (id: string): void => {
      locks.get(id)?.();
      locks.delete(id);
    };
    const running = new Map<string, Promise<ResumedVideo>>();
    try {
      for (const id of (await tasks()).keys()) {
        const free = await held(`junfeiai-task:${id}`, { ifAvailable: true });
        if (free) locks.set(id, free);
      }
      // Another tab may have had it and be done with it: the list is read again with the locks held.
      const left = await tasks();
      for (const id of [...locks.keys()]) {
        const known = left.get(id);
        if (known) running.set(id, resume(id, ...known));
        else release(id);
      }
      while (running.size > 0) {
        const ended = await Promise.race(running.values());
        running.delete(ended.taskId);
        yield ended;
        release(ended.taskId);
      }
    } finally {
      deafen?.();
      stop.abort();
      await Promise.all(running.values());
      for (const id of [...locks.keys()]) release(id);
    }
  },
};
