/** The journal of Node's module: a folder, a file or the caller's store on its way to the core, and the saving of what is pending. */
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { RawTask, RawVideo } from "#glue";
import { guarded, heard, own, take } from "./calls.js";
import { call, run, type About } from "./engine.js";
import { JunFeiAIError, toError } from "./errors.js";
import { FileJournal } from "./file-journal.js";
import { hasLocks } from "./file-lock.js";
import { FolderStore, whyNot } from "./folder-store.js";
import { JournalHost, journal as calls, rawPending, refuse, storeOf } from "./journal-calls.js";
import type { JournalCalls, Resumed } from "./journal.js";
import { NodeStorage, pathOf, saveToFile } from "./node-save.js";
import type { JournalFile, JournalStore } from "./values.js";

/** Videos that are read at once. */
const SAVES = 4;

/** What the core calls, with the file that all languages share in place of a store. @internal */
class NodeJournalHost extends JournalHost {
  readonly file: FileJournal | undefined;

  constructor(store: JournalStore | FileJournal, processes = new NodeStorage("/")) {
    super(store as JournalStore, processes);
    this.file = isSharedFile(store) ? store : undefined;
  }
}

/** The command has the class once more. */
const isSharedFile = (given: Partial<FileJournal> | object): given is FileJournal =>
  !("load" in given) && "path" in given && typeof given.path === "string" && typeof given.lock === "function" && typeof given.replace === "function";

/** Those that write the caller's store may be on other machines: that a number is not here says nothing where there is no `/proc`. */
class Anywhere extends NodeStorage {
  override processExists(): undefined { return undefined; }
}

/** What gives the journal of a client's options to each life of the module; looked at before anything is paid for. @internal */
export function journalOf(given: unknown): (() => JournalHost) | undefined {
  if (given === undefined || given === null) return undefined;
  if (typeof given === "string") return placeOf(given);
  try {
    if (given instanceof URL) return placeOf(given);
    if (typeof given === "object" && isSharedFile(given)) return always(new NodeJournalHost(given));
    if (typeof given === "object" && "file" in given && !("load" in given)) return fileOf(take(given as JournalFile, ["file"], "config").file);
  } catch (error) {
    // What cannot be read `storeOf` refuses.
    if (error instanceof JunFeiAIError) throw error;
  }
  return always(new NodeJournalHost(storeOf(given, "the path of a folder, { file }, or an object with the methods load, swap and scan"), new Anywhere("/")));
}

const always = (host: JournalHost) => (): JournalHost => host;

/** The journal in a folder of this machine, or in the file that is there. */
function placeOf(given: string | URL): () => JournalHost {
  const path = pathTo(given, "folder");
  if (hasLocks() && isFile(path)) return inFile(path);
  const why = whyNot(path);
  if (why !== undefined) throw own("journal", "journal", `the journal ${why}`);
  return always(new NodeJournalHost(new FolderStore(path)));
}

function isFile(path: string): boolean {
  try { return statSync(path, { throwIfNoEntry: false })?.isFile() === true; } catch { return false; }
}

/** The journal in a file of this machine. */
function fileOf(given: unknown): () => JournalHost {
  if (typeof given !== "string" && !(given instanceof URL)) throw refuse("file of the journal must be a path or a file: URL");
  const path = pathTo(given, "file");
  if (!hasLocks()) throw refuse(`journal: there is no lock on files for JavaScript on ${process.platform}: give the path of a folder`);
  return inFile(path);
}

/** A module that a panic has stopped may hold the lock: each life has an object of its own. */
const inFile = (path: string) => (): JournalHost => new NodeJournalHost(new FileJournal(path));

function pathTo(given: string | URL, what: "folder" | "file"): string {
  let path = String(given);
  if (given instanceof URL) {
    try {
      path = fileURLToPath(given);
    } catch (error) {
      throw refuse(`journal must be a path or a file: URL: ${(error as Error).message}`, error);
    }
  } else if (/^file:\/\//i.test(path)) {
    throw refuse("journal: give a file: URL as new URL(…), or a path");
  } else if (/^([a-z][a-z0-9+.-]+:\/\/|(postgres(ql)?|rediss?|valkeys?):\/)/i.test(path)) {
    // It may hold a password.
    throw refuse("journal: JavaScript opens no database by its address: give an object with the methods load, swap and scan, as those of examples/postgres-store.mjs and redis-store.mjs in this package");
  }
  // The longest of any system: the reason would not fit behind it.
  if (path === "" || path.includes("\0") || path.length > 32_767) throw refuse(`journal must be the path of a ${what}, without U+0000 and not longer than 32767 characters`);
  return resolve(path);
}

export const journal: JournalCalls = {
  ...calls,
  async *resumePending(handle, folder, options) {
    if (folder === undefined || folder === null) {
      throw own("invalid_request", "journal", "resumePending needs the folder that the videos are saved in", { field: "folder" });
    }
    const dir = resolve(pathOf(folder, "folder", "journal"));
    const { signal } = take(options, ["signal"], "journal");
    const stop = new AbortController();
    const deafen = heard(signal, () => { stop.abort(signal?.reason); }, "signal", "journal");
    let free = SAVES;
    const queue: (() => void)[] = [];
    const resume = async (id: string, state: string | undefined, at: number | undefined): Promise<Resumed> => {
      try {
        const summary = await guarded(stop.signal, undefined, () => ({ task_id: id }), async (inner) => {
          const about: About = () => ({ task_id: id });
          const task = call(() => handle.raw().pendingTask(id, at ?? 0)) as RawTask;
          const video = state === "succeeded"
            ? call(() => handle.raw().video(id, undefined))
            : await run(() => task.wait({}, undefined, inner) as Promise<RawVideo>, inner, about);
          if (free > 0) free -= 1;
          else await new Promise<void>((begin) => { queue.push(begin); });
          try {
            const how = { overwrite: false, createParents: true, verify: true, resume: true };
            return await saveToFile(join(dir, call(() => video.fileName())), (storage) =>
              run(() => video.save(storage as never, how as never, undefined, inner), inner, about));
          } finally {
            const next = queue.shift();
            if (next) next();
            else free += 1;
          }
        });
        return { taskId: id, summary, error: null };
      } catch (error) {
        return { taskId: id, summary: null, error: toError(error) as JunFeiAIError };
      }
    };
    const running = new Map<string, Promise<Resumed>>();
    try {
      for (const { kind, task_id: id, state, created_at } of await rawPending(handle, { signal })) {
        if (kind === "task" && id !== undefined) running.set(id, resume(id, state, created_at));
      }
      while (running.size > 0) {
        const ended = await Promise.race(running.values());
        running.delete(ended.taskId);
        yield ended;
      }
    } finally {
      deafen?.();
      stop.abort();
      // What is read is kept and its lock given back before this ends.
      await Promise.all(running.values());
    }
  },
};
