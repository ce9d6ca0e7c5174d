/**
 * The journal file of Python's command, and of the other languages, as rows for this library: both commands use one journal.
 *
 * The file has a line for each record (`core/src/protocol/ledger`); a row has the lines of one create request, or of one key, which
 * the core adds up. So reading is sorting lines into rows. Writing is appending those lines of the row's new value that say
 * something new, while the lock of the file is held, which all processes of all languages take. Nothing is judged here: a row is
 * replaced only if its lines are those that the core has judged. The file is never written anew, which the other languages do.
 *
 * | row | lines |
 * |---|---|
 * | `k/` and a hash of the key | of the create requests under the key |
 * | `c/` and the name of the create request | of one without a key |
 * | `c/ended` | sums of what has ended |
 * | `t/` and a hash of the task's id | none: the name of the task's row, as the file says it |
 * | `b/` and a UTC day | none: the sum is made anew of the records, see `#reserve` |
 * | `accounts` | none: a file takes create requests of every API key |
 */
import { createHash, randomBytes } from "node:crypto";
import { promises as fs, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import type { JournalStore, StoreRow } from "#main";
import { lock } from "./lock.js";

const FORM = 1;
/** Versions of a record: one with a key has the second. */
const VERSIONS = [1, 2];
const MAX_FILE = 256 * 1024 * 1024;
const MAX_LINE = 64 * 1024;
/** How long another process is waited for, which holds the lock for the time of one write. */
const LOCK_LIMIT_MS = 9_000;
/** Before a sum is made anew. */
const PAUSE_MS = 20;
/** The row of the sums, which are of no one create request. */
const ENDED = "c/ended";
const SUMS = ["spent", "answered"];

interface Known {
  event: string;
  intent?: string;
  task_id?: string;
  name?: string;
  key?: { name: string } | null;
  status?: string;
  charged?: number;
  [field: string]: unknown;
}

/** A line as it is in the file, and what it says. */
interface Line {
  text: string;
  known: Known;
}

const hash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 40);

/** The name of the row of a create request: one with a key begins with the key's hash. */
const rowOf = (intent: string): string => (intent.includes(".") ? `k/${intent.slice(0, intent.indexOf("."))}` : `c/${intent}`);

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

function parsed(text: string): Known | undefined {
  try {
    const value = JSON.parse(text) as Known & { v?: unknown };
    return typeof value === "object" && value !== null && typeof value.event === "string" && VERSIONS.includes(value.v as number) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What a record says, whenever it was written: its fields in one order. */
function sense({ at: _, ...fields }: Known): string {
  return JSON.stringify(fields, (_name, value: unknown) => (typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
    : value));
}

/** What a record is about: a later one of the same kind replaces it. */
const subject = ({ event, intent, task_id, name }: Known): string =>
  `${event} ${["intent", "created", "unknown"].includes(event) ? intent : task_id ?? name ?? intent}`;

/** What was read of the file so far. */
class Contents {
  /** Where the next record goes. */
  end: number;
  readonly rows = new Map<string, Line[]>();
  /** Rows by the names of create requests, by tasks, and by the hashes of tasks. */
  readonly byIntent = new Map<string, string>();
  readonly byTask = new Map<string, string>();
  readonly byHash = new Map<string, string>();
  #lines = 1;

  constructor(readonly generation: string, end: number) { this.end = end; }

  /** How far it was read, of which writing of the file. */
  get place(): string { return `${this.generation} ${this.end}`; }

  /** Takes in whole lines, and a last one that lacks only its end. */
  read(bytes: Buffer): { torn: boolean; unended: boolean } {
    let at = 0;
    while (at < bytes.length) {
      const next = bytes.indexOf(10, at);
      const text = bytes.toString("utf8", at, next < 0 ? bytes.length : next);
      const known = parsed(text);
      if (next < 0) {
        // An object can only be read with its last brace, so what can be read is all of it.
        if (!known) return { torn: true, unended: false };
        this.#add(text, known);
        this.end += bytes.length - at;
        return { torn: false, unended: true };
      }
      this.#lines += 1;
      if (!known || next - at >= MAX_LINE) throw new Error(`line ${this.#lines}: this is not a record of a journal, or one of a later version`);
      this.#add(text, known);
      this.end += next + 1 - at;
      at = next + 1;
    }
    return { torn: false, unended: false };
  }

  #add(text: string, known: Known): void {
    const row = this.#rowFor(known);
    if (row === undefined) return;
    const lines = this.rows.get(row) ?? [];
    lines.push({ text, known });
    this.rows.set(row, lines);
    const { event, intent, task_id } = known;
    if (event === "intent" && intent !== undefined) this.byIntent.set(intent, row);
    if (event === "created" && task_id !== undefined) {
      this.byTask.set(task_id, row);
      this.byHash.set(hash(task_id), row);
    }
  }

  /** The row that a record belongs to; none for a record that changes nothing. */
  #rowFor({ event, intent = "", task_id = "", name = "", key }: Known): string | undefined {
    switch (event) {
      case "intent": return key ? `k/${hash(key.name)}` : rowOf(intent);
      case "created": return this.byIntent.get(intent) ?? rowOf(intent);
      case "refused": case "unknown": return this.byIntent.get(intent);
      case "finished": case "saving": case "saved": return this.byTask.get(task_id);
      case "forgotten": return this.byTask.get(name) ?? this.byIntent.get(name);
      case "spent": case "answered": return ENDED;
      default: throw new Error(`a record of a later version of this library: ${event}`);
    }
  }

  /** The lines of a row. A create request that has a key is found by its own name, too. */
  lines(name: string): Line[] {
    return this.rows.get(name) ?? this.rows.get(this.byIntent.get(name.slice(2)) ?? "") ?? [];
  }
}

const valueOf = (lines: readonly Line[]): string => lines.map(({ text }) => `${text}\n`).join("");

/** The version of a row: other lines, another number. */
const versionOf = (lines: readonly Line[]): number => createHash("sha256").update(valueOf(lines)).digest().readUIntBE(0, 6) + 1;

export class FileJournal implements JournalStore {
  readonly path: string;
  readonly #lockPath: string;
  readonly #forgets: boolean;
  #contents: Contents | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** How far the file was read when the records of a day began to be added up. */
  #summedAt: string | undefined;
  /** The lock, held between the sum of a day and the record of the create request that reserves of it. */
  #reserving: { end: () => Promise<void>; timer: NodeJS.Timeout } | undefined;
  /** Why the last operation failed. */
  failure: string | undefined;

  /** `forgets`: a task that this client takes off the list is forgotten, not saved. */
  constructor(path: string, forgets = false) {
    this.#forgets = forgets;
    let real = resolve(path);
    try { real = realpathSync(real); } catch { /* it is made later */ }
    this.path = real;
    this.#lockPath = `${real}.lock`;
  }

  load(name: string): Promise<StoreRow | null> {
    return this.#queue(async () => {
      const contents = await this.#read();
      if (name.startsWith("b/")) this.#summedAt ??= contents.place;
      const row = name.startsWith("t/") ? contents.byHash.get(name.slice(2)) : undefined;
      if (row !== undefined) return { value: row, version: 1 };
      const lines = /^[ck]\//.test(name) ? contents.lines(name) : [];
      return lines.length > 0 ? { value: valueOf(lines), version: versionOf(lines) } : null;
    });
  }

  scan(prefix: string): Promise<(StoreRow & { name: string })[]> {
    return this.#queue(async () => {
      const { rows } = await this.#read();
      return [...rows].filter(([name]) => name.startsWith(prefix)).map(([name, lines]) => ({ name, value: valueOf(lines), version: versionOf(lines) }));
    });
  }

  swap(name: string, expected: number | null, value: string | null): Promise<number | null> {
    return this.#queue(async () => {
      if (name.startsWith("b/")) return value === null ? 1 : this.#reserve();
      // What the file says without a row for it.
      if (!/^[ck]\//.test(name)) return 1;
      const judge = (contents: Contents): string[] | undefined => {
        const lines = contents.lines(name);
        return expected === (lines.length > 0 ? versionOf(lines) : null) ? added(lines, value ?? "", this.#forgets) : undefined;
      };
      // What ended long ago is offered for removal again and again.
      if (judge(await this.#read())?.length === 0) return expected ?? 1;
      const end = this.#reserving ? undefined : await this.#lock();
      let begins = false;
      try {
        const contents = await this.#read(true);
        const news = judge(contents);
        if (!news) return null;
        begins = news.some((text) => parsed(text)?.event === "intent");
        if (news.length > 0) await this.#append(contents, news);
        const lines = contents.lines(name);
        return lines.length > 0 ? versionOf(lines) : 1;
      } finally {
        await end?.();
        if (begins) await this.#release();
      }
    });
  }

  /**
   * A create request may reserve its cost of the day's budget if nothing was written since the records were added up; nobody writes
   * before its own record does.
   */
  async #reserve(): Promise<number | null> {
    if (this.#reserving) {
      // Of another create request of this process, whose record is on its way.
      await sleep(PAUSE_MS);
      return null;
    }
    const summedAt = this.#summedAt;
    this.#summedAt = undefined;
    const end = await this.#lock();
    try {
      if ((await this.#read(true)).place !== summedAt) {
        await end();
        return null;
      }
    } catch (error) {
      await end();
      throw error;
    }
    // Its record follows at once; when it does not, something else has failed.
    this.#reserving = { end, timer: setTimeout(() => { void this.#release(); }, LOCK_LIMIT_MS).unref() };
    return 1;
  }

  async #release(): Promise<void> {
    const reserving = this.#reserving;
    this.#reserving = undefined;
    clearTimeout(reserving?.timer);
    await reserving?.end();
  }

  /** Waits for what is being written: the record of a call that was given up is written behind its back. */
  async idle(): Promise<void> {
    let last;
    do {
      last = this.#last;
      await last;
      await setImmediate();
    } while (last !== this.#last);
  }

  /** One operation after the other. */
  #queue<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      const value = await operation();
      this.failure = undefined;
      return value;
    }).catch((error: unknown) => {
      const text = (error as Error).message;
      this.failure = text.includes(this.path) ? text : `${this.path}: ${text}`;
      throw new Error(this.failure, { cause: error });
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #lock(): Promise<() => Promise<void>> {
    const file = await lock(this.#lockPath, LOCK_LIMIT_MS);
    if (!file) throw new Error(`another process holds ${this.#lockPath}`);
    return () => file.close();
  }

  /** What the file says now. Only who has the lock mends its end, and begins a file that is not there. */
  async #read(locked = false): Promise<Contents> {
    let file;
    try {
      file = await fs.open(this.path, locked ? "r+" : "r");
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
      if (!locked) return this.#contents = new Contents("", 0);
      return this.#begin();
    }
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new Error("it is not a regular file: name another");
      const { size } = stat;
      if (size > MAX_FILE) throw new Error(`it has ${size} bytes: forget the tasks that are not wanted any more`);
      const start = Buffer.alloc(Math.min(size, 256));
      await file.read(start, 0, start.length, 0);
      const header = headerOf(start);
      if (!header) return locked ? await this.#begin() : this.#contents = new Contents("", 0);
      const [generation, first] = header;
      const same = this.#contents?.generation === generation && this.#contents.end <= size;
      const contents = same ? this.#contents! : new Contents(generation, first);
      this.#contents = undefined;
      const tail = Buffer.alloc(size - contents.end);
      let done = 0;
      while (done < tail.length) {
        const { bytesRead } = await file.read(tail, done, tail.length - done, contents.end + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      const { torn, unended } = contents.read(tail.subarray(0, done));
      // Nobody writes it while we hold the lock: its writer was killed.
      if (locked && torn) await file.truncate(contents.end);
      if (locked && unended) {
        await file.write("\n", contents.end);
        contents.end += 1;
      }
      // A reader meets a line whose end is on its way: it reads anew.
      if (locked || !unended) this.#contents = contents;
      return contents;
    } finally {
      await file.close();
    }
  }

  /** Begins the file: its first line is on the disk before it has its name. */
  async #begin(): Promise<Contents> {
    const generation = randomBytes(16).toString("hex");
    const text = `${JSON.stringify({ junfeiai_journal: FORM, generation })}\n`;
    const made = `${this.path}.new`;
    await fs.rm(made, { force: true });
    const file = await fs.open(made, "wx");
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(made, this.path);
    await synced(dirname(this.path));
    return this.#contents = new Contents(generation, Buffer.byteLength(text));
  }

  /** Appends records; what could not be made durable must not be read as kept by others either. */
  async #append(contents: Contents, news: readonly string[]): Promise<void> {
    const bytes = Buffer.from(news.map((line) => `${line}\n`).join(""));
    const file = await fs.open(this.path, "r+");
    try {
      let done = 0;
      try {
        while (done < bytes.length) done += (await file.write(bytes, done, bytes.length - done, contents.end + done)).bytesWritten;
        await file.datasync();
      } catch (error) {
        this.#contents = undefined;
        await file.truncate(contents.end).catch(() => undefined);
        throw error;
      }
    } finally {
      await file.close();
    }
    contents.read(bytes);
  }
}

/** Generation and length of the first line; nothing for a file that is empty or whose first line was torn. */
function headerOf(start: Buffer): [string, number] | undefined {
  const begin = '{"junfeiai_journal":';
  const end = start.indexOf(10);
  const text = start.toString("utf8", 0, end < 0 ? start.length : end);
  if (end < 0 && start.length < 200 && begin.startsWith(text.slice(0, begin.length))) return undefined;
  let header: { junfeiai_journal?: unknown; generation?: unknown } | null = null;
  try { header = end < 0 ? null : JSON.parse(text) as object; } catch { /* told below */ }
  if (typeof header?.junfeiai_journal !== "number" || typeof header.generation !== "string") throw new Error("line 1: this file is not a journal of junfeiai");
  if (header.junfeiai_journal !== FORM) throw new Error("line 1: the journal was written by a later version of junfeiai");
  return [header.generation, end + 1];
}

/** The lines to append to a row so that it adds up to what its new value says. */
function added(lines: readonly Line[], value: string, forgets: boolean): string[] {
  const wanted = value.split("\n").filter((text) => text !== "").map((text) => ({ text, known: JSON.parse(text) as Known }));
  const named = new Set(wanted.map(({ known }) => known.intent));
  const last = new Map(lines.map(({ known }) => [subject(known), sense(known)]));
  const news = ended(lines, named, wanted.filter(({ known }) => known.event === "spent").map(({ known }) => known), forgets);
  for (const { text, known } of wanted) {
    if (!SUMS.includes(known.event) && last.get(subject(known)) !== sense(known)) news.push(text);
  }
  for (const text of news) if (Buffer.byteLength(text) + 1 > MAX_LINE) throw new Error("a record is longer than 64 KiB");
  return news;
}

/** Records for the create requests of a row that the new value does not have any more: they have ended. */
function ended(lines: readonly Line[], named: ReadonlySet<string | undefined>, sums: readonly Known[], forgets: boolean): string[] {
  const open = new Map<string, { taskId?: string; charged?: number | undefined }>();
  const intents = new Map<string, string>();
  for (const { known: { event, intent = "", task_id = "", name = "", status, charged } } of lines) {
    if (event === "intent") open.set(intent, {});
    if (event === "created") {
      open.set(intent, { taskId: task_id });
      intents.set(task_id, intent);
    }
    const of = intents.get(task_id || name) ?? (intent || name);
    if (event === "finished" && charged !== undefined) Object.assign(open.get(of) ?? {}, { charged });
    if (["refused", "saved", "forgotten"].includes(event) || (event === "finished" && status === "failed")) open.delete(of);
  }
  const at = Math.floor(Date.now() / 1000);
  const record = (fields: object): string => JSON.stringify({ v: 1, at, ...fields });
  return [...open].filter(([intent]) => !named.has(intent)).flatMap(([intent, { taskId, charged }]) => {
    if (taskId === undefined) return [record({ event: "forgotten", name: intent })];
    // A row without a key has one task: the sum is what has become of it.
    const { failed = 0, charged: sum = 0, uncharged = 0 } = (sums[0] ?? {}) as { failed?: number; charged?: number; uncharged?: number };
    const units = uncharged > 0 || (failed > 0 && sum === 0) ? {} : { charged: sum };
    if (failed > 0) return [record({ event: "finished", task_id: taskId, status: "failed", ...units })];
    const news = units.charged !== undefined && units.charged !== charged;
    // Without a key nobody asks for the place of the file.
    const last = forgets ? { event: "forgotten", name: taskId } : { event: "saved", task_id: taskId, path: "", bytes: 0 };
    return [...(news ? [record({ event: "finished", task_id: taskId, status: "succeeded", ...units })] : []), record(last)];
  });
}

/** The names in a folder on the disk, where the system can do that. */
async function synced(folder: string): Promise<void> {
  const file = await fs.open(folder, "r").catch(() => undefined);
  await file?.sync().catch(() => undefined);
  await file?.close();
}
