/** Files of Node for a save. What is written when is decided in the core; here is only how. */
import { ioError } from "#glue";
import { randomUUID } from "node:crypto";
import {
  constants, linkSync, promises as fs, readFileSync, readlinkSync, renameSync, statSync, unlinkSync, writeFileSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { own } from "./calls.js";
import { call } from "./engine.js";
import { toError } from "./errors.js";
import type { SaveOptions, Storage, Summary } from "./saver.js";

interface Found {
  bytes: number;
  attempts: number;
  resumed: boolean;
  duration_s: number | null;
  width: number | null;
  height: number | null;
}

/** Why a file cannot be saved, until it becomes the core's error. */
class Refusal extends Error {
  constructor(readonly kind: string, message: string) { super(message); }
}
const refuse = (kind: string, message: string): Error => new Refusal(kind, message);

function explain(error: unknown, taskId: string | undefined): unknown {
  if (error instanceof Refusal) return own(error.kind, "save", error.message, { taskId: taskId ?? null });
  const ofFiles = error instanceof Error && "code" in error && "syscall" in error;
  return ofFiles ? toError(call(() => ioError(error, taskId)), error) : error;
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

export async function saveToFile(
  path: string | URL, options: SaveOptions, taskId: string | null, read: (storage: Storage) => Promise<unknown>,
): Promise<Summary> {
  const target = typeof path === "string" ? path : fileURLToPath(path);
  try {
    return await save(target, options, read);
  } catch (error) {
    throw explain(error, taskId ?? undefined);
  }
}

async function save(
  given: string, options: SaveOptions, read: (storage: Storage) => Promise<unknown>,
): Promise<Summary> {
  // The working folder may be another one before the save ends.
  const target = resolve(given);
  const overwrite = options.overwrite === true;
  await checkTarget(target, overwrite);
  if (options.createParents) await fs.mkdir(dirname(target), { recursive: true });
  const unlock = lock(target);
  try {
    // The other saver may have ended between our first look and the lock.
    await checkTarget(target, overwrite);
    const part = await PartFile.open(target);
    let found: Found;
    try {
      found = await read(part.storage(options)) as Found;
      await part.sync(found.bytes);
    } catch (error) {
      await part.close(true);
      throw error;
    }
    await part.close(false);
    await part.name(overwrite);
    return {
      path: given, bytes: found.bytes, width: found.width, height: found.height, resumed: found.resumed,
      attempts: found.attempts, durationMs: found.duration_s === null ? null : found.duration_s * 1000,
    };
  } finally {
    unlock();
  }
}

async function checkTarget(target: string, overwrite: boolean): Promise<void> {
  const seen = await fs.lstat(target).catch(() => undefined);
  if (seen?.isDirectory()) throw refuse("io", `${target} is a folder: name a file in it`);
  if (seen && !overwrite) throw refuse("file_exists", `${target} exists already`);
  // A pipe or a device is no place that a file can be renamed to. A link is looked through.
  const there = seen && await fs.stat(target).catch(() => undefined);
  if (there && !there.isFile()) throw refuse("io", `${target} is not a regular file: name another`);
}

/** So long nothing was written by a saver that counts as gone although its process cannot be looked up from here. */
const ABANDONED_MS = 600_000;

/** Who holds a lock file. Node has no file locks, so there is one, the same in every language: `core/src/save/lock.rs`. */
interface Holder {
  pid: number;
  /** Where that number means something: this start of the machine, and the container. */
  place?: string | undefined;
  /** When the process began, in the system's ticks. */
  started?: number | undefined;
  name: string;
}

function lock(target: string): () => void {
  const path = `${target}.part.lock`;
  const mine = `${JSON.stringify({ ...self(), name: randomUUID() } satisfies Holder)}\n`;
  for (let tries = 0; tries < 8; tries += 1) {
    try {
      writeFileSync(path, mine, { flag: "wx" });
      return () => {
        try { if (readFileSync(path, "utf8") === mine) unlinkSync(path); } catch { /* it is gone already */ }
      };
    } catch (error) {
      if (codeOf(error) !== "EEXIST") {
        // A full disk, for example: a file without a line would lock everybody out for a while.
        try { if (mine.startsWith(readFileSync(path, "utf8"))) unlinkSync(path); } catch { /* it was not made */ }
        throw error;
      }
    }
    if (isHeld(path, target)) throw refuse("file_locked", `${path} is held by another saver of this file`);
    // Moved aside, not removed: only one of several can do that.
    const aside = `${path}.${randomUUID()}`;
    try {
      renameSync(path, aside);
      unlinkSync(aside);
    } catch { /* another saver was faster */ }
  }
  throw refuse("file_locked", `${path} comes and goes: other savers are at work`);
}

/** Whether the lock file's saver may still be at work. */
function isHeld(path: string, target: string): boolean {
  const holder = read(() => JSON.parse(readFileSync(path, "utf8")) as Holder);
  const alive = holder && runs(holder);
  if (alive !== undefined) return alive;
  const ages = [path, `${target}.part`].map((name) => read(() => Date.now() - statSync(name).mtimeMs));
  return ages.some((age) => age !== undefined && age < ABANDONED_MS);
}

/** This process, as far as its system can tell it from others. */
function self(): Omit<Holder, "name"> {
  return { pid: process.pid, place: place(), started: stat("self")?.started };
}

/** Whether a process runs; `undefined` when that cannot be known from here. */
function runs({ pid, place: there, started }: Holder): boolean | undefined {
  const here = place();
  // Systems without /proc: the number is all there is.
  if (here === undefined && there === undefined) return exists(pid);
  if (here === undefined || started === undefined || there !== here) return undefined;
  const found = stat(String(pid));
  return found !== undefined && found.state !== "Z" && found.state !== "X" && found.started === started;
}

function exists(pid: number): boolean | undefined {
  if (!(pid > 0)) return undefined;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

function place(): string | undefined {
  return read(() => `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${readlinkSync("/proc/self/ns/pid")}`);
}

function stat(pid: string): { state: string; started: number } | undefined {
  return read(() => {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is the program's name in brackets, which may hold anything, brackets too.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", started: Number(fields[19]) };
  });
}

function read<T>(what: () => T): T | undefined {
  try { return what(); } catch { return undefined; }
}

class PartFile {
  private constructor(
    readonly target: string, readonly file: fs.FileHandle, readonly state: fs.FileHandle,
    readonly text: string, readonly length: number, private end: number,
  ) {}

  static async open(target: string): Promise<PartFile> {
    // A symbolic link in place of our files would lead the bytes elsewhere.
    const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
    const file = await fs.open(`${target}.part`, flags, 0o666);
    try {
      // Not for appending: on Windows a file opened so cannot be truncated.
      const state = await fs.open(`${target}.part.state`, flags, 0o666);
      const text = await state.readFile();
      return new PartFile(target, file, state, text.toString("utf8"), (await file.stat()).size, text.length);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  storage(options: SaveOptions): Storage {
    const { file, state } = this;
    return {
      text: this.text,
      length: this.length,
      verify: options.verify !== false,
      connections: options.connections,
      write: (at, bytes) => writeAll(file, bytes, at),
      note: async (lines) => {
        const bytes = Buffer.from(lines);
        await writeAll(state, bytes, this.end);
        this.end += bytes.length;
      },
      // The bytes first: a state without bytes is harmless, bytes under a wrong state are not.
      reset: () => file.truncate(0).then(() => this.cut(0)),
      read: (at, length) => readAll(file, at, length),
      cutText: (length) => this.cut(length),
    };
  }

  private async cut(length: number): Promise<void> {
    await this.state.truncate(length);
    this.end = length;
  }

  async sync(total: number): Promise<void> {
    await this.file.truncate(total);
    await this.file.sync();
  }

  /** Keeps what is there for a later save, unless there is nothing. */
  async close(keep: boolean): Promise<void> {
    const empty = keep && (await this.file.stat()).size === 0;
    if (keep && !empty) await this.file.datasync();
    await this.file.close();
    await this.state.close();
    if (empty) {
      await fs.rm(`${this.target}.part`, { force: true });
      await fs.rm(`${this.target}.part.state`, { force: true });
    }
  }

  /** Gives the whole file its name, never over one that came in the meantime. */
  async name(overwrite: boolean): Promise<void> {
    const part = `${this.target}.part`;
    if (overwrite) {
      await fs.rename(part, this.target);
    } else {
      try {
        linkSync(part, this.target);
        unlinkSync(part);
      } catch (error) {
        if (codeOf(error) === "EEXIST") throw refuse("file_exists", `${this.target} exists already`);
        // File systems without hard links: the look and the rename are two steps there.
        await checkTarget(this.target, false);
        await fs.rename(part, this.target);
      }
    }
    await fs.rm(`${this.target}.part.state`, { force: true });
    // Where a folder cannot be synced, the name is as durable as the system makes it.
    const folder = await fs.open(dirname(this.target), "r").catch(() => undefined);
    await folder?.sync().catch(() => undefined);
    await folder?.close();
  }
}

async function writeAll(file: fs.FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

async function readAll(file: fs.FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}
