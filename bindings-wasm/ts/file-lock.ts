/**
 * Locks on open files, the ones that the other languages take: `flock` of the system.
 *
 * Node has no call for it. macOS and BSD lock while they open (`O_EXLOCK`). On Linux a lock belongs to the open file and not to the
 * process, so the program `flock` (util-linux, busybox) locks a file that it inherits from this process, and ends: the lock stays
 * until this process closes the file, or ends in any way.
 */
import { spawn } from "node:child_process";
import { constants, promises as fs } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { unlessHeld } from "./held.js";

/** Not in Node's list. */
const O_EXLOCK = 0x20;
const LOCKS_WHILE_OPENING = ["darwin", "freebsd", "openbsd"];
const FLAGS = constants.O_RDWR | constants.O_CREAT;
/** Between two tries. */
const PAUSE_MS = 5;

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** Whether this system has the locks of the other languages. */
export const hasLocks = (): boolean => process.platform === "linux" || LOCKS_WHILE_OPENING.includes(process.platform);

/** The file, locked for this process alone until it is closed; `undefined` while another process has it. */
export async function tryLock(path: string): Promise<fs.FileHandle | undefined> {
  if (LOCKS_WHILE_OPENING.includes(process.platform)) {
    try {
      return await fs.open(path, FLAGS | O_EXLOCK | constants.O_NONBLOCK, 0o666);
    } catch (error) {
      if (codeOf(error) === "EAGAIN" || codeOf(error) === "EWOULDBLOCK") return undefined;
      throw error;
    }
  }
  return process.platform === "win32" ? tryAlone(path) : opened(path);
}

/** Opens and locks a file. */
async function opened(path: string, limitMs?: number): Promise<fs.FileHandle | undefined> {
  const file = await fs.open(path, FLAGS, 0o666);
  try {
    if (await flock(file.fd, limitMs)) return file;
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

/** On Windows who opens a file can keep all others from opening it. */
async function tryAlone(path: string): Promise<fs.FileHandle | undefined> {
  /** libuv's flag for that. */
  const alone = 0x10000000;
  return unlessHeld(async () => {
    try {
      return await fs.open(path, FLAGS | alone);
    } catch (error) {
      // Only this says that it is open elsewhere. Who is denied the file (EPERM) would wait for ever.
      if (codeOf(error) === "EBUSY") return undefined;
      throw error;
    }
  });
}

/** Locks an open file; false when another process has the lock, or still has it after so long. */
function flock(fd: number, limitMs?: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const words = limitMs === undefined ? ["-x", "-n", "3"] : ["-x", "3"];
    const child = spawn("flock", words, { stdio: ["ignore", "ignore", "ignore", fd], detached: true });
    const timer = limitMs === undefined ? undefined : setTimeout(() => { child.kill("SIGKILL"); }, limitMs);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(codeOf(error) === "ENOENT" ? new Error("the program flock is needed to lock files: install util-linux or busybox") : error);
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(true);
      else if (code === 1 || signal === "SIGKILL") resolve(false);
      else reject(new Error(`the file could not be locked: flock ended with ${code ?? signal}`));
    });
  });
}

/** The file, locked; `undefined` when another process had it all the time. */
export async function lock(path: string, limitMs: number): Promise<fs.FileHandle | undefined> {
  // The system wakes up who waits, in turn.
  if (process.platform === "linux") return opened(path, limitMs);
  const end = performance.now() + limitMs;
  for (;;) {
    const file = await tryLock(path);
    if (file || performance.now() > end) return file;
    await sleep(PAUSE_MS);
  }
}
