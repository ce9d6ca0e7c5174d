/** Node's files for a save. Which operations come when is decided in the core (`core/src/save`); here is only how. */
import { createHash, randomBytes } from "node:crypto";
import { constants, createReadStream, promises as fs, readFileSync, readlinkSync, type BigIntStats } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { guarded, own, take, unlessRaised } from "./calls.js";
import { run, type About } from "./engine.js";
import { JunFeiAIError } from "./errors.js";
import { makeFolders } from "./folders.js";
import { unlessHeld } from "./held.js";
import type { Slab } from "./node-intake.js";
import { SAVE } from "./option-types.js";
import { takenPart } from "./node-transport.js";
import type { FileStat, SaveOptions, Saved, Saver, Storage, Summary } from "./saver.js";
import { windowsFault } from "./windows-names.js";

/** The caller's name of a file or folder. */
export function pathOf(path: unknown, field: string, phase: string, taskId?: string | null): string {
  let [name, cause]: [string | undefined, unknown] = [undefined, undefined];
  try {
    if (typeof path === "string") name = path;
    else if (path instanceof URL) name = fileURLToPath(path);
  } catch (error) {
    cause = error;
  }
  if (name === undefined) throw own("invalid_request", phase, `${field} must be a string or a file: URL`, { field, taskId: taskId ?? null, cause });
  const fault = windowsFault(name);
  if (fault !== undefined) throw own("io", phase, fault, { taskId: taskId ?? null });
  return name;
}

/** The options of a save as the core reads them. */
function howOf({ connections, overwrite, createParents, verify, timeoutMs, rateLimit, maxBytes }: SaveOptions, taskId: string | null | undefined): object {
  // What cannot be such a number is refused as 0 is: the module would make one of nearly everything.
  const number = (value: number | null | undefined, can: (value: number) => boolean): number | undefined =>
    value === undefined || value === null ? undefined : Number.isFinite(value) && can(value) ? value : 0;
  const most = number(maxBytes, (bytes) => Number.isSafeInteger(bytes) && bytes > 0);
  if (most === 0) {
    throw own("invalid_request", "save", "maxBytes must be a whole number of bytes, at least 1", { field: "maxBytes", taskId: taskId ?? null });
  }
  return {
    overwrite: overwrite === true, createParents: createParents === true, verify: verify !== false, timeoutMs: timeoutMs ?? undefined, maxBytes: most,
    connections: number(connections, (count) => Number.isInteger(count) && count > 0 && count < 100), rateLimit: number(rateLimit, (rate) => rate >= 1),
  };
}

/** Saves with the caller's options. */
export const fileSaver: Saver = {
  async save(video, about, path, options) {
    const taken = take(options, SAVE, "save", about().task_id);
    const target = pathOf(path, "path", "save", about().task_id);
    const how = howOf(taken, about().task_id);
    return guarded(taken.signal, taken.onProgress, about, (inner, tell) => {
      const notify = tell && ((bytes: number, total: number | null) => { tell({ bytes, total }); });
      const save = (storage: Storage): Promise<unknown> => run(() => video().save(storage as never, how as never, notify as never, inner), inner, about);
      return saveToFile(target, save, taken.sha256 === true ? (path) => hashOf(path, inner, about) : undefined);
    });
  },
  async check(handle, path, options) {
    const taken = take(options, SAVE, "save");
    const files = new CheckedStorage(resolve(pathOf(path, "path", "save")));
    const how = howOf(taken, undefined);
    await unlessRaised(undefined, [taken.signal], "save");
    // Of no task, and asked for nothing.
    const save = (): Promise<unknown> => handle.raw().video(undefined, "https://video.invalid/").save(files as never, how as never);
    await withFiles(files, () => run(save)).catch((error: unknown) => { if (!files.passed) throw error; });
  },
};

export async function saveToFile(target: string, save: (storage: Storage) => Promise<unknown>, hash?: (path: string) => Promise<string>): Promise<Summary> {
  const begun = performance.now();
  // The working folder may be another one before the save ends.
  const path = resolve(target);
  const { bytes, width, height, resumed, attempts, duration_s, charged_units } = await withFiles(new NodeStorage(path), save) as Saved;
  const sha256 = hash ? await hash(path) : null;
  return {
    path: target, bytes, width, height, resumed, attempts, durationMs: duration_s === null ? null : duration_s * 1000,
    elapsedMs: performance.now() - begun, sha256, chargedUnits: charged_units,
  };
}

async function hashOf(path: string, signal: AbortSignal | undefined, about: About): Promise<string> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path), hash, signal ? { signal } : {});
  } catch (cause) {
    const { task_id: taskId = null } = about();
    if (signal?.aborted) throw own("cancelled", "save", `the call was cancelled; the video is saved as ${path}`, { taskId, cause: signal.reason });
    throw own("io", "save", `the video is saved as ${path}, and its SHA-256 is not known: ${(cause as Error).message}`, { taskId, cause });
  }
  return hash.digest("hex");
}

async function withFiles(files: NodeStorage, save: (storage: Storage) => Promise<unknown>): Promise<unknown> {
  try {
    return await save(files);
  } catch (error) {
    if (error instanceof JunFeiAIError && (error.code === "io" || error.code === "no_space")) error.cause ??= files.failure;
    throw error;
  } finally {
    await files.dispose();
  }
}

/** The system takes no more parts in one write. */
const MOST_PARTS = 1024;

/** What is left of these parts behind so many bytes. */
function behind(parts: Uint8Array[], length: number): Uint8Array[] {
  let at = 0;
  for (let part = parts[at]; part && part.length <= length; part = parts[at]) {
    length -= part.length;
    at += 1;
  }
  const [first, ...rest] = parts.slice(at);
  return first ? [length > 0 ? first.subarray(length) : first, ...rest] : [];
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** The error, with the name of its file where Node did not name it. */
function naming(error: unknown, path: string): unknown {
  if (error instanceof Error && codeOf(error) !== undefined && (error as NodeJS.ErrnoException).path === undefined) error.message += ` '${path}'`;
  return error;
}

/** The files beside a video whose names a check has to know, as in `core/src/save/files.rs`. */
const [LOCK, STATE] = [".part.lock", ".part.state"];

/** What is opened is what was asked for: not what a link leads to, and not a pipe, whose other end would be waited for. */
const FLAGS = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export class NodeStorage implements Storage {
  readonly #target: string;
  readonly #open = new Map<string, fs.FileHandle>();
  /** Files with their text that were made and not removed. */
  readonly #made = new Map<string, string>();
  /** The last operation: the next one begins when it has ended. */
  #last: Promise<unknown> = Promise.resolve();
  /** Why the last failed operation failed. */
  failure: unknown;

  constructor(target: string) { this.#target = target; }

  #queue<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#last.then(operation);
    this.#last = result.catch((error: unknown) => { this.failure = error; });
    return result;
  }

  display(suffix: string): string { return this.#target + suffix; }

  #file(suffix: string): fs.FileHandle {
    const file = this.#open.get(suffix);
    if (!file) throw new Error(`${this.display(suffix)} is not open`);
    return file;
  }

  /** An operation on an open file, which Node does not name in its errors. */
  #on<T>(suffix: string, operation: () => Promise<T>): Promise<T> {
    return this.#queue(() => operation().catch((error: unknown) => { throw naming(error, this.display(suffix)); }));
  }

  stat(suffix: string, follow: boolean): Promise<FileStat | undefined> {
    const how = { bigint: true } as const;
    return this.#queue(() => (follow ? fs.stat(this.display(suffix), how) : fs.lstat(this.display(suffix), how)).then(statOf, absent));
  }

  open(suffix: string, write: boolean, create: boolean): Promise<FileStat | undefined> {
    // Not for appending: on Windows a file opened so cannot be truncated.
    const flags = FLAGS | (write ? constants.O_RDWR : constants.O_RDONLY) | (create ? constants.O_CREAT : 0);
    return this.#queue(async () => {
      const file = await unlessHeld(() => fs.open(this.display(suffix), flags, 0o666)).catch(absent);
      if (!file) return undefined;
      await this.#open.get(suffix)?.close();
      this.#open.set(suffix, file);
      return statOf(await file.stat({ bigint: true }));
    });
  }

  close(suffix: string): Promise<void> {
    return this.#queue(async () => {
      const file = this.#open.get(suffix);
      this.#open.delete(suffix);
      await file?.close();
    });
  }

  read(suffix: string, at: number, length: number): Promise<Uint8Array> {
    return this.#on(suffix, async () => {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await this.#file(suffix).read(bytes, done, length - done, at + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    });
  }

  write(suffix: string, at: number, bytes: Uint8Array, places: ArrayLike<number>): Promise<void> {
    // Now: what the transport has is given up when this returns, and the list is only lent.
    let parts: Uint8Array[] = [];
    const slabs: Slab[] = [];
    for (let of = 0; of < places.length; of += 3) {
      const [id = 0, begin = 0, length = 0] = [places[of], places[of + 1], places[of + 2]];
      if (id === 0) parts.push(bytes.subarray(begin, begin + length));
      for (const part of id === 0 ? [] : takenPart(id, begin, length)) {
        parts.push(part.bytes);
        if (part.slab) slabs.push(part.slab);
      }
    }
    for (const slab of slabs) slab.keep();
    return this.#on(suffix, async () => {
      while (parts.length > 0) {
        const { bytesWritten } = await this.#file(suffix).writev(parts.slice(0, MOST_PARTS), at);
        at += bytesWritten;
        parts = behind(parts, bytesWritten);
      }
    }).finally(() => { for (const slab of slabs) slab.release(); });
  }

  truncate(suffix: string, length: number): Promise<void> { return this.#on(suffix, async () => this.#file(suffix).truncate(length)); }

  sync(suffix: string): Promise<void> { return this.#on(suffix, async () => this.#file(suffix).datasync()); }

  create(suffix: string, text: string): Promise<boolean> {
    return this.#queue(async () => {
      try {
        await unlessHeld(() => fs.writeFile(this.display(suffix), text, { flag: "wx" }));
      } catch (error) {
        if (codeOf(error) === "EEXIST") return false;
        throw naming(error, this.display(suffix));
      }
      this.#made.set(suffix, text);
      return true;
    });
  }

  rename(from: string, to: string): Promise<void> { return this.#queue(() => unlessHeld(() => fs.rename(this.display(from), this.display(to)))); }

  link(from: string, to: string): Promise<"done" | "exists" | "unsupported"> {
    return this.#queue(() => unlessHeld(() => fs.link(this.display(from), this.display(to))).then(
      () => "done" as const, (error: unknown) => (codeOf(error) === "EEXIST" ? "exists" : "unsupported"),
    ));
  }

  remove(suffix: string): Promise<void> {
    return this.#queue(async () => {
      await unlessHeld(() => fs.unlink(this.display(suffix))).catch(absent);
      this.#made.delete(suffix);
    });
  }

  createFolders(): Promise<unknown> { return this.#queue(() => makeFolders(dirname(this.#target))); }

  syncFolder(): Promise<void> {
    return this.#queue(async () => {
      // Where a folder cannot be synced, its names are as durable as the system makes them.
      const folder = await fs.open(dirname(this.#target), "r").catch(() => undefined);
      await folder?.sync().catch(() => undefined);
      await folder?.close();
    });
  }

  freeSpace(): Promise<number | undefined> {
    return this.#queue(async () => {
      const { bavail, blocks, bsize } = await fs.statfs(dirname(this.#target));
      // A file system without a size, like some in user space, does not say what is free.
      return blocks > 0 ? bavail * bsize : undefined;
    });
  }

  // A worker thread may end while its process runs on. Linux counts threads as it counts processes; the first one has the process's number.
  get pid(): number { return Number(known(() => readlinkSync("/proc/thread-self"))?.split("/").at(-1)) || process.pid; }
  get bootId(): string | undefined { return known(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()); }
  get pidSpace(): string | undefined { return known(() => readlinkSync("/proc/self/ns/pid")); }
  procStat(pid: number | undefined): string | undefined { return known(() => readFileSync(`/proc/${pid ?? this.pid}/stat`, "latin1")); }

  /** Never true: a number that is there may be of another process by now, which may run for as long as the machine. */
  processExists(pid: number): false | undefined {
    // Zero and less are groups.
    if (!(pid > 0)) return undefined;
    try {
      process.kill(pid, 0);
      return undefined;
    } catch (error) {
      // Anything else, such as a missing permission of Deno, says nothing of the process.
      return codeOf(error) === "ESRCH" ? false : undefined;
    }
  }

  /** Gives back what a save left that the core did not come to its end with, because it panicked. */
  async dispose(): Promise<void> {
    await this.#last;
    await Promise.allSettled([...this.#open.values()].map((file) => file.close()));
    for (const [suffix, text] of this.#made) {
      const left = await fs.readFile(this.display(suffix), "utf8").catch(() => undefined);
      if (left === text) await fs.unlink(this.display(suffix)).catch(() => undefined);
    }
  }
}

/**
 * What a save would find and be refused for. Its lock file is not made, so that no other saver is kept out. It ends, and is refused, with
 * the first thing that would change a file: before its first request.
 */
class CheckedStorage extends NodeStorage {
  /** Nothing was refused. */
  passed = false;
  /** What the lock file would say. */
  #line: string | undefined;
  /** Where the first file would be made; with folders that are missing, where the first of them would be. */
  #folder = dirname(this.display(""));

  override async open(suffix: string, write: boolean, create: boolean): Promise<FileStat | undefined> {
    const empty = { isFile: true, isFolder: false, length: 0, ageMs: 0, id: undefined };
    if (suffix === LOCK && this.#line !== undefined) return empty;
    return await super.open(suffix, write, false) ?? (create ? empty : undefined);
  }

  override async read(suffix: string, at: number, length: number): Promise<Uint8Array> {
    return suffix === LOCK && this.#line !== undefined ? Buffer.from(this.#line).subarray(at, at + length) : super.read(suffix, at, length);
  }

  override async createFolders(): Promise<void> {
    const missing = [basename(this.display(STATE))];
    while (!(await fs.lstat(this.#folder).catch(absent)) && dirname(this.#folder) !== this.#folder) {
      missing.push(basename(this.#folder));
      this.#folder = dirname(this.#folder);
    }
    // In a folder that is not there, no name is too long.
    for (const name of missing) await fs.lstat(join(this.#folder, name)).catch(absent);
  }

  /** Makes a file of another name in its place, and takes it away. */
  override async create(suffix: string, text: string): Promise<boolean> {
    const probe = join(this.#folder, `.junfeiai-check-${randomBytes(8).toString("hex")}`);
    try {
      await fs.writeFile(probe, text, { flag: "wx" });
    } catch (error) {
      this.failure = error;
      // As the save would say it.
      const { code, message } = naming(error, probe) as NodeJS.ErrnoException;
      throw Object.assign(new Error(message.replaceAll(probe, this.display(suffix))), { code });
    } finally {
      await unlessHeld(() => fs.unlink(probe)).catch(() => undefined);
    }
    this.#line = text;
    return true;
  }

  override async remove(suffix: string): Promise<void> {
    if (suffix === LOCK) this.#line = undefined;
  }

  override truncate(): Promise<void> { return this.#end(); }
  override write(): Promise<void> { return this.#end(); }
  override sync(): Promise<void> { return this.#end(); }

  async #end(): Promise<void> {
    this.passed = true;
    throw new Error("this is a check");
  }
}

function statOf(stat: BigIntStats): FileStat {
  return {
    isFile: stat.isFile(), isFolder: stat.isDirectory(), length: Number(stat.size), ageMs: Date.now() - Number(stat.mtimeMs),
    // Some drives of Windows number no files.
    id: stat.ino === 0n ? undefined : `${stat.dev}:${stat.ino}`,
  };
}

/** What is not there, as nothing. */
function absent(error: unknown): undefined {
  if (codeOf(error) !== "ENOENT") throw error;
  return undefined;
}

function known<T>(what: () => T): T | undefined {
  try { return what(); } catch { return undefined; }
}
