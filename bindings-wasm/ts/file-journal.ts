/**
 * The journal file of the other languages, which a client in Node and both commands use as well. What its lines say, what is
 * appended, and when it is written anew is judged in the core (`core/src/protocol/journal_text.rs`); here is only how a file is
 * locked, read, written and replaced.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, openSync, promises as fs, readSync, realpathSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { lock } from "./file-lock.js";
import { unlessHeld } from "./held.js";

/** How long another process is waited for, which holds the lock for the time of one write. */
const LOCK_LIMIT_MS = 9_000;

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;
const noFile = (): Error => new Error("it is not a regular file: name another");

/** For each call that has the lock of its file, or waits for it: gives it back. */
const locking = new Set<() => void>();

/** Gives back what a module has locked that a panic has stopped. Its clients may not be used again, and others wait for the lock. */
export function abandonAll(): void {
  for (const abandon of locking) abandon();
}

/** What the core calls: `bindings-wasm/src/journal_file.rs`. */
export class FileJournal {
  readonly path: string;
  readonly #lockPath: string;
  /** The lock's file, and what lets the next one have it. */
  #held: { file: fs.FileHandle; release: () => void } | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** What is being done with the file under the lock. */
  #doing: Promise<unknown> = Promise.resolve();
  #abandoned = false;

  constructor(path: string) {
    let real = resolve(path);
    // A link is followed once: a rename would put a file in its place.
    try { real = realpathSync(real); } catch { /* it is made later */ }
    this.path = real;
    this.#lockPath = `${real}.lock`;
  }

  /** Ends when nobody else writes: one operation of this process after the other, and none of another one meanwhile. */
  lock(): Promise<void> {
    const turn = this.#lock();
    // A module that is stopped looks at it no more.
    turn.catch(() => undefined);
    return turn;
  }

  async #lock(): Promise<void> {
    const before = this.#last;
    let next = (): void => undefined;
    this.#last = new Promise<void>((resolve) => { next = resolve; });
    const abandon = (): void => { this.#abandon(); };
    locking.add(abandon);
    const release = (): void => {
      locking.delete(abandon);
      next();
    };
    await before;
    try {
      if (this.#abandoned) throw new Error("nobody writes it any more");
      const file = await lock(this.#lockPath, LOCK_LIMIT_MS);
      if (!file) throw new Error(`another process holds ${this.#lockPath}`);
      this.#held = { file, release };
      if (this.#abandoned) await this.unlock();
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Ends when those that asked before have unlocked it. */
  settled(): Promise<unknown> {
    return this.#last;
  }

  async unlock(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    try {
      await held?.file.close();
    } finally {
      held?.release();
    }
  }

  /**
   * Who has called this calls it no more: a module that a panic has stopped. What is being done is done to its end, and the lock is given
   * back then, as everywhere where it comes later.
   */
  #abandon(): void {
    this.#abandoned = true;
    void this.#doing.then(() => this.unlock()).catch(() => undefined);
  }

  /** The file's size and its first bytes, before there is a lock file; `undefined` where there is none. */
  start(most: number): [number, Uint8Array] | undefined {
    // Opening a pipe would wait for its other end.
    const stat = statSync(this.path, { throwIfNoEntry: false });
    if (!stat) return undefined;
    if (!stat.isFile()) throw noFile();
    const file = openSync(this.path, "r");
    try {
      const bytes = new Uint8Array(most);
      return [fstatSync(file).size, bytes.subarray(0, readSync(file, bytes, 0, most, 0))];
    } finally {
      closeSync(file);
    }
  }

  /** The file's size, its first bytes, and what it has from a place on; nothing of what is longer than `most`. */
  async read(start: number, from: number, most: number): Promise<[number, Uint8Array, Uint8Array] | undefined> {
    let file;
    try {
      file = await unlessHeld(() => fs.open(this.path, "r"));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw noFile();
      const { size } = stat;
      return [size, await bytesOf(file, 0, Math.min(start, size)), await bytesOf(file, from, size > most ? 0 : size - from)];
    } finally {
      await file.close();
    }
  }

  /** Ends the file with this text, which is on the disk then. What could not be made durable must not be read as kept by others either. */
  write(at: number, text: string): Promise<void> {
    return this.#alone(this.#write(at, text));
  }

  async #write(at: number, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    const file = await unlessHeld(() => fs.open(this.path, "r+"));
    try {
      try {
        if ((await file.stat()).size > at) await file.truncate(at);
        let done = 0;
        while (done < bytes.length) done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
        await file.datasync();
      } catch (error) {
        await file.truncate(at).catch(() => undefined);
        throw error;
      }
    } finally {
      await file.close();
    }
  }

  /** Puts a file with this text in its place: it is on the disk before it has its name. */
  replace(text: string): Promise<void> {
    return this.#alone(this.#replace(text));
  }

  async #replace(text: string): Promise<void> {
    const made = `${this.path}.new`;
    // A former process may have been killed right here; what is there is not resumed.
    await unlessHeld(() => fs.rm(made, { force: true }));
    const old = await fs.stat(this.path).catch(() => undefined);
    const file = await unlessHeld(() => fs.open(made, "wx"));
    try {
      if (old) await file.chmod(old.mode & 0o7777);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await unlessHeld(() => fs.rename(made, this.path));
    await synced(dirname(this.path));
  }

  #alone(work: Promise<void>): Promise<void> {
    this.#doing = work.catch(() => undefined);
    return work;
  }

  /** A name that no file had before. */
  generation(): string {
    return randomBytes(8).toString("hex");
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
}

async function bytesOf(file: fs.FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(length, 0));
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, at + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** The names in a folder on the disk, where the system can do that. */
async function synced(folder: string): Promise<void> {
  const file = await fs.open(folder, "r").catch(() => undefined);
  await file?.sync().catch(() => undefined);
  await file?.close();
}
