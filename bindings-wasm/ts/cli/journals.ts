/**
 * Where the journals of the command are, the same places as those of Python's command: the one of the user, and one in the folder of
 * each batch.
 *
 * The folders of batches are noted in a file beside the user's journal, so that `pending`, `resolve` and `forget` find what they
 * paid for. That list is a convenience: where it cannot be written, `--journal DIR` names a folder.
 */
import { appendFileSync, closeSync, existsSync, openSync, readFileSync, statSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { FileJournal } from "../file-journal.js";
import { hasLocks } from "../file-lock.js";
import { makeFoldersNow } from "../folders.js";
import { isDatabase } from "./address.js";
import type { DatabaseJournal } from "./database.js";
import { configError } from "./exit-codes.js";

/** The journal in the folder of a batch, its list of results, and its lock. */
export const BATCH_JOURNAL = ".junfeiai-journal";
export const MANIFEST = "results.jsonl";
export const BATCH_LOCK = ".junfeiai-lock";

const ADVICE = "name another one by --journal FILE, or use --no-journal";

/** The folder of the user's journal; nothing for a user without a home. */
export function stateFolder(): string | undefined {
  const state = process.env["XDG_STATE_HOME"];
  // A relative one is to be passed over: the journal would be another one in each folder.
  if (state && isAbsolute(state)) return join(state, "junfeiai");
  const local = process.env["LOCALAPPDATA"];
  if (process.platform === "win32" && local) return join(local, "junfeiai");
  try {
    const home = homedir();
    // As if there were none: the one that the system has for this user.
    return join(isAbsolute(home) ? home : userInfo().homedir, ".local", "state", "junfeiai");
  } catch {
    return undefined;
  }
}

/** The user's journal. Where this program cannot lock the file of Python's command, it keeps a folder of its own. */
export function defaultJournal(): string | undefined {
  const folder = stateFolder();
  return folder === undefined ? undefined : join(folder, hasLocks() ? "journal" : "journal-node");
}

const statOf = (path: string): ReturnType<typeof statSync> | undefined => {
  try { return statSync(path, { throwIfNoEntry: false }); } catch { return undefined; }
};
export const isFile = (path: string): boolean => statOf(path)?.isFile() === true;
export const isFolder = (path: string): boolean => statOf(path)?.isDirectory() === true;

/** A folder that the JavaScript library keeps as a journal. */
const isJournalFolder = (path: string): boolean => existsSync(join(path, "junfeiai-journal"));

/** A folder stands for the journal of the batch in it, unless it is a journal itself. */
export function namedJournal(journal: string): string {
  if (journal === "") throw configError("--journal is empty: name a file, or use --no-journal");
  return !isDatabase(journal) && isFolder(journal) && !isJournalFolder(journal) ? join(journal, BATCH_JOURNAL) : journal;
}

/** The journal of a command that pays or that reads it: an error where it cannot be written. */
export function requiredJournal(given: string | undefined): string {
  if (given !== undefined && isDatabase(given)) return given;
  const path = given === undefined ? defaultJournal() : namedJournal(given);
  if (path === undefined) throw configError(`this user has no home folder for the journal of paid tasks; ${ADVICE}`);
  const why = unwritable(path);
  if (why !== undefined) throw configError(`the journal ${path} cannot be written: ${why}; ${ADVICE}`);
  return path;
}

/** The journal of a command that does its work without one, too; only one that was named has to be there. */
export function optionalJournal(given: string | undefined): string | undefined {
  if (given !== undefined) return requiredJournal(given);
  const path = defaultJournal();
  return path !== undefined && existsSync(path) && unwritable(path) === undefined ? path : undefined;
}

/** Why the journal cannot be written, if it cannot. It is locked by the file that is opened here. */
export function unwritable(path: string): string | undefined {
  try {
    makeFoldersNow(dirname(path));
    if (isFolder(path)) return undefined;
    if (!hasLocks()) {
      // A folder of its own, which is made when it is needed.
      return existsSync(path) ? "it is a file of the other languages, which cannot be locked on this system" : undefined;
    }
    // Opening a pipe waits for its other end, and a device would be replaced by a file.
    for (const file of [path, `${path}.lock`]) if (existsSync(file) && !isFile(file)) return `${file} is not a regular file`;
    closeSync(openSync(`${path}.lock`, "a"));
    if (existsSync(path)) closeSync(openSync(path, "a"));
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

/** What the library keeps the journal in: a folder as it is, and what all languages share in a file or a database. */
export async function journalOf(path: string): Promise<string | FileJournal | DatabaseJournal> {
  if (isDatabase(path)) return (await import("./database.js")).databaseJournal(path);
  return isFolder(path) || !hasLocks() ? path : new FileJournal(path);
}

const foldersFile = (): string | undefined => {
  const folder = stateFolder();
  return folder === undefined ? undefined : join(folder, "batch-folders");
};

/** Adds the folder of a batch to the list. */
export function noteBatchFolder(folder: string): void {
  const file = foldersFile();
  if (file === undefined || batchFolders().includes(resolve(folder))) return;
  try {
    makeFoldersNow(dirname(file));
    appendFileSync(file, `${JSON.stringify(resolve(folder))}\n`);
  } catch { /* it is a convenience */ }
}

/** The folders of batches that have a journal. */
function batchFolders(): string[] {
  const file = foldersFile();
  const found = new Set<string>();
  for (const line of file === undefined ? [] : linesOf(file)) {
    if (typeof line === "string" && existsSync(join(line, BATCH_JOURNAL))) found.add(line);
  }
  return [...found];
}

/** The named journal alone, or the user's and those of batches. */
export function knownJournals(given: string | undefined): string[] {
  if (given !== undefined) return [requiredJournal(given)];
  const own = defaultJournal();
  const found = own !== undefined && existsSync(own) && unwritable(own) === undefined ? [own] : [];
  found.push(...batchFolders().map((folder) => join(folder, BATCH_JOURNAL)));
  return found.length > 0 ? found : [requiredJournal(undefined)];
}

/** The readable lines of a file of JSON; nothing where there is none. */
function linesOf(file: string): unknown[] {
  let text: string;
  try { text = readFileSync(file, "utf8"); } catch { return []; }
  return text.split("\n").flatMap((line): unknown[] => {
    try { return [JSON.parse(line)]; } catch { return []; }
  });
}

export type Fields = { [name: string]: unknown };

/** What the manifest of a batch says of each key; the last record of a key counts, a torn line is passed over. */
export function manifestRecords(folder: string): Map<string, Fields> {
  const found = new Map<string, Fields>();
  for (const line of linesOf(join(folder, MANIFEST))) {
    const record = line as Fields | null;
    if (typeof record === "object" && record !== null && typeof record["key"] === "string") {
      // The last one keeps its place of the first.
      found.set(record["key"], record);
    }
  }
  return found;
}

/** Where the entry of a batch's journal comes from: the folder, and the line of its list. */
export function batchLine(journal: string, key: string | null): Fields {
  if (basename(journal) !== BATCH_JOURNAL) return {};
  const folder = dirname(journal);
  const record = manifestRecords(folder).get(key ?? "") ?? {};
  return { folder, list: record["list"] ?? null, line: record["line"] ?? null };
}

/**
 * Everything readable in a journal that was or may have been paid for, as it is, damaged lines passed over. Reads alone: nothing is
 * locked, repaired or moved.
 */
export function paidRecords(journal: string): Fields[] {
  const intents = new Map<string, Fields>();
  const tasks = new Map<string, Fields>();
  const given = (value: unknown): boolean => value !== undefined && value !== null;
  let text;
  try {
    text = readFileSync(journal, "utf8");
  } catch (error) {
    // Node does not name what it could open and not read.
    throw Object.assign(error as Error, { path: journal });
  }
  for (const raw of text.split("\n")) {
    let record: Fields;
    try {
      record = JSON.parse(raw) as Fields;
      if (typeof record !== "object" || record === null || !("event" in record)) continue;
    } catch {
      continue;
    }
    const event = String(record["event"]);
    const [intent, taskId, name] = ["intent", "task_id", "name"].map((field) => String(record[field] ?? "")) as [string, string, string];
    const kept = Object.fromEntries(["model", "seconds", "prompt"].filter((field) => given(record[field])).map((field) => [field, record[field]]));
    if (event === "intent") {
      const key = record["key"] as { name?: unknown } | null | undefined;
      if (typeof key === "object" && key !== null && "name" in key) kept["key"] = key.name;
      intents.set(intent, { intent, state: "unknown", created_at: record["at"] ?? null, ...kept });
    } else if (event === "created" && taskId) {
      const asked = intents.get(intent) ?? { created_at: record["at"] ?? null };
      intents.delete(intent);
      tasks.set(taskId, { ...asked, ...kept, task_id: taskId, state: "created" });
    } else if ((event === "refused" || event === "forgotten") && intents.has(intent || name)) {
      intents.delete(intent || name);
    } else if (["finished", "saving", "saved", "forgotten"].includes(event)) {
      const task = tasks.get(taskId || name);
      if (task) task["state"] = record["status"] ?? event;
    }
  }
  return [...tasks.values(), ...intents.values()];
}
