/**
 * A journal's rows in a folder, for the processes of one machine.
 *
 * Node has no locks on files. What compares and sets is the hard link: version 5 of a row becomes version 6 by linking a file
 * that is written and synced to the name `ROW.6`, which one process can do. A process that is killed leaves a row as it was.
 *
 *     FOLDER/junfeiai-journal    the form of the folder
 *     FOLDER/removed             "-"
 *     FOLDER/new/                files that are being written
 *     FOLDER/3f/ROW.6            "+" and the value, or "-" for a row that is removed. The highest number holds
 *
 * A minute after a version was replaced it is taken away, the lowest first; of version 1 an empty file stays. So version 1 is
 * made once, and whoever has linked `ROW.6` and still finds what was in `ROW.5` knows that there never was another `ROW.6`.
 * Where it is gone, because this process was stopped for a minute, he cannot know, and says so. A listing proves nothing: while
 * it is read, one name may come and another go. What is removed keeps its last number, which
 * is a name without a block of its own.
 *
 * Whoever was stopped between the listing and the link may make a version anew that was taken away long ago. He finds out, since
 * what was in front of it is gone, but its name stays until it is tidied up. So the next one compares not the name in front of
 * his, but the file, and looks at it before he lists the folder for the last time.
 */
import { createHash, randomBytes } from "node:crypto";
import { promises as fs, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolders } from "./folders.js";
import { unlessHeld } from "./held.js";
import type { JournalStore, StoreRow } from "./values.js";

const MARK = "junfeiai-journal";
const REMOVED = "removed";
const FORM = "1\n";
/** How long a version is kept that another one has replaced. Long enough for who is about to replace it, too. */
const KEPT_MS = 60_000;
/** Files of a process that was killed while it wrote. */
const LEFT_MS = 24 * 3_600_000;
/** A version that is read while others write many. */
const TRIES = 100;

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;
const absent = (error: unknown): undefined => {
  if (codeOf(error) !== "ENOENT") throw error;
  return undefined;
};

/** A name that every file system keeps apart from others, whatever it thinks of capitals. */
const encoded = (name: string): string =>
  name.replace(/[^a-z0-9_-]/gu, (letter) => [...new TextEncoder().encode(letter)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""));

/** Why a folder cannot be this journal; `undefined` for one that can, or that is not there yet. */
export function whyNot(folder: string): string | undefined {
  let stat;
  try {
    stat = statSync(folder, { throwIfNoEntry: false });
    if (!stat) return undefined;
    if (!stat.isDirectory()) return `${folder} is a file: JavaScript keeps its journal in a folder, name another place`;
    return refused(folder, readFileSync(join(folder, MARK), "utf8"));
  } catch (error) {
    return codeOf(error) === "ENOENT" ? undefined : `${folder} cannot be read: ${(error as Error).message}`;
  }
}

const refused = (folder: string, form: string): string | undefined =>
  form === FORM ? undefined : `${folder} was written by another version of this library: use that one, or another folder`;

interface Versions {
  /** Every version that is there, the lowest first. */
  all: number[];
  latest: number;
}

export class FolderStore implements JournalStore {
  readonly #folder: string;
  readonly #keptMs: number;
  #ready: Promise<void> | undefined;

  constructor(folder: string, keptMs = KEPT_MS) {
    this.#folder = folder;
    this.#keptMs = keptMs;
  }

  async load(name: string): Promise<StoreRow | null> {
    const [place, file] = this.#place(name);
    return this.#read(place, file);
  }

  async swap(name: string, expected: number | null, value: string | null): Promise<number | null> {
    await this.#open();
    const [place, file] = this.#place(name);
    const before = versionsOf(await names(place)).get(file);
    const latest = before?.latest ?? 0;
    if (expected !== null && expected !== latest) return null;
    if (latest > 0 && (await this.#isRemoved(place, file, latest)) !== (expected === null)) return null;
    const replaced = latest > 0 ? await identityOf(place, file, latest) : undefined;
    if (latest > 0 && (replaced === undefined || versionsOf(await names(place)).get(file)?.latest !== latest)) return null;
    if (!before && await makeFolders(place, 0o700)) await synced(this.#folder);
    const version = latest + 1;
    const target = join(place, `${file}.${version}`);
    // Version 1 is emptied one day, so it is a file of its own.
    const linked = value === null && version > 1 ? await this.#link(join(this.#folder, REMOVED), target) : "full";
    if (linked === "exists" || (linked === "full" && !(await this.#write(target, value)))) return null;
    await synced(place);
    if (latest > 0 && (await identityOf(place, file, latest)) !== replaced) {
      throw new Error(`the row ${name} may have been replaced by others while this process was stopped: try again`);
    }
    await tidy(place, file, [...before?.all ?? [], version], this.#keptMs);
    return version;
  }

  /** Gives a new version its name, with its text on the disk; false where another was faster. */
  async #write(target: string, value: string | null): Promise<boolean> {
    const written = await this.#written(value === null ? "-" : `+${value}`);
    try {
      return (await this.#link(written, target)) === "done";
    } finally {
      await unlessHeld(() => fs.unlink(written)).catch(() => undefined);
    }
  }

  async #written(text: string): Promise<string> {
    const path = join(this.#folder, "new", `${process.pid}-${randomBytes(8).toString("hex")}`);
    const file = await unlessHeld(() => fs.open(path, "wx", 0o600));
    try {
      await file.writeFile(text);
      // One that fails is an error: what is not on the disk is no record of something paid for.
      await file.sync();
    } finally {
      await file.close();
    }
    return path;
  }

  async #link(from: string, to: string): Promise<"done" | "exists" | "full"> {
    try {
      await unlessHeld(() => fs.link(from, to));
      return "done";
    } catch (error) {
      const code = String(codeOf(error));
      if (code === "EEXIST") return "exists";
      // As many names as a file can have; or the shared file was taken away, and is not needed.
      if (code === "EMLINK" || (code === "ENOENT" && from === join(this.#folder, REMOVED))) return "full";
      // EISDIR is what Node makes of Windows' answer for FAT and exFAT.
      if (["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EXDEV", "EISDIR"].includes(code)) {
        throw new Error(`${this.#folder} is on a file system without hard links: take another place`);
      }
      throw error;
    }
  }

  async scan(prefix: string): Promise<(StoreRow & { name: string })[]> {
    await this.#open();
    const rows: (StoreRow & { name: string })[] = [];
    const begin = encoded(prefix);
    for (const part of await names(this.#folder)) {
      if (!/^[0-9a-f]{2}$/.test(part)) continue;
      const place = join(this.#folder, part);
      for (const [file, { all }] of versionsOf(await names(place))) {
        if (!file.startsWith(begin)) continue;
        await tidy(place, file, all, this.#keptMs);
        const row = await this.#read(place, file);
        if (row) rows.push({ name: decodeURIComponent(file), ...row });
      }
    }
    return rows;
  }

  #place(name: string): [string, string] {
    return [join(this.#folder, createHash("sha256").update(name).digest("hex").slice(0, 2)), encoded(name)];
  }

  async #read(place: string, file: string): Promise<StoreRow | null> {
    let text: string | undefined;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const latest = versionsOf(await names(place)).get(file)?.latest;
      if (latest === undefined) return null;
      text = await textOf(join(place, `${file}.${latest}`));
      if (text === "-") return null;
      if (text?.startsWith("+")) return { value: text.slice(1), version: latest };
      // Another one has replaced it meanwhile.
      if (text !== undefined && text !== "") break;
    }
    throw new Error(text === undefined ? `${join(place, file)} changes all the time: try again` : `${join(place, file)} is damaged: it was not written by this library`);
  }

  async #isRemoved(place: string, file: string, version: number): Promise<boolean> {
    return (await textOf(join(place, `${file}.${version}`))) === "-";
  }

  /** Makes the folder, or looks whose it is. */
  #open(): Promise<void> {
    this.#ready ??= this.#begin().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #begin(): Promise<void> {
    const mark = join(this.#folder, MARK);
    // First: what another process adds comes after its mark.
    const there = await names(this.#folder);
    const form = await textOf(mark);
    if (form === undefined) {
      const other = there.find((name) => !["new", REMOVED].includes(name));
      if (other !== undefined) throw new Error(`${this.#folder} holds other files (${other}): name an empty folder, or one that is not there`);
      const first = await makeFolders(join(this.#folder, "new"), 0o700);
      // The names of the folders that were made, too.
      for (let at = this.#folder; first !== undefined && at.length >= dirname(first).length; at = dirname(at)) {
        await synced(at);
        if (at === dirname(at)) break;
      }
      // Each is there with all of its text, or it is not there.
      for (const [text, name] of [["-", REMOVED], [FORM, MARK]] as const) {
        const written = await this.#written(text);
        await unlessHeld(() => fs.rename(written, join(this.#folder, name)));
      }
      await synced(this.#folder);
      return;
    }
    const why = refused(this.#folder, form);
    if (why !== undefined) throw new Error(why);
    const left = join(this.#folder, "new");
    for (const name of await names(left)) {
      const stat = await fs.stat(join(left, name)).catch(absent);
      if (stat && Date.now() - stat.mtimeMs > LEFT_MS) await unlessHeld(() => fs.unlink(join(left, name))).catch(() => undefined);
    }
  }
}

/** What a file holds; nothing where there is none. */
const textOf = (path: string): Promise<string | undefined> => unlessHeld(() => fs.readFile(path, "utf8")).catch(absent);

/** What is in a folder; nothing where there is none. */
const names = async (folder: string): Promise<string[]> => (await fs.readdir(folder).catch(absent)) ?? [];

function versionsOf(files: readonly string[]): Map<string, Versions> {
  const found = new Map<string, Versions>();
  for (const name of files) {
    const [, file, digits] = /^(.+)\.([1-9][0-9]{0,14})$/.exec(name) ?? [];
    if (file === undefined) continue;
    const versions = found.get(file) ?? { all: [], latest: 0 };
    versions.all.push(Number(digits));
    found.set(file, versions);
  }
  for (const versions of found.values()) {
    versions.all.sort((one, other) => one - other);
    versions.latest = versions.all.at(-1) ?? 0;
  }
  return found;
}

const sizeOf = async (place: string, file: string, version: number): Promise<number | undefined> =>
  (await fs.stat(join(place, `${file}.${version}`)).catch(absent))?.size;

/** Which file a version is; `undefined` for one that was taken away, or emptied. A number of a file is given anew, its time is not. */
async function identityOf(place: string, file: string, version: number): Promise<string | undefined> {
  const stat = await fs.stat(join(place, `${file}.${version}`), { bigint: true }).catch(absent);
  return stat?.size ? `${stat.ino}:${stat.mtimeNs}` : undefined;
}

/** Takes away what was replaced long ago, the lowest first. What somebody still holds stays for the next time, with all behind it. */
async function tidy(place: string, file: string, all: readonly number[], keptMs: number): Promise<void> {
  for (let at = 0; at + 1 < all.length; at += 1) {
    // When it got its name: what is linked to many has been written long ago. In whole milliseconds, as `Date.now()` gives them.
    const next = await fs.stat(join(place, `${file}.${all[at + 1]}`)).catch(absent);
    if (next && Date.now() - Math.floor(next.ctimeMs) < keptMs) return;
    const old = join(place, `${file}.${all[at]}`);
    try {
      if (all[at] !== 1) await unlessHeld(() => fs.unlink(old));
      else if ((await sizeOf(place, file, 1)) !== 0) await unlessHeld(() => fs.truncate(old));
    } catch (error) {
      if (codeOf(error) !== "ENOENT") return;
    }
  }
}

/** The names in a folder on the disk, where the system can do that: Windows syncs no folders. */
async function synced(folder: string): Promise<void> {
  const file = await fs.open(folder, "r").catch(() => undefined);
  await file?.sync().catch(() => undefined);
  await file?.close();
}
