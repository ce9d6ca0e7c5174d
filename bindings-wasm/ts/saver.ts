import type { RawVideo } from "#glue";
import { own } from "./calls.js";
import type { About } from "./engine.js";
import type { Handle } from "./handle.js";
import type { SaveOptions } from "./option-types.js";

export type { SaveOptions } from "./option-types.js";

/** The result of a save. */
export interface Summary {
  path: string;
  bytes: number;
  /** Running time, as the file says. */
  durationMs: number | null;
  width: number | null;
  height: number | null;
  /** True when the file was not read in one go. */
  resumed: boolean;
  /** Requests sent for it. */
  attempts: number;
  /** How long the save took. */
  elapsedMs: number;
  /** Of the file, in hexadecimal digits, where `sha256` asked for it. */
  sha256: string | null;
  /** What the task was charged, in the server's units (500000 = 1 USD), where a query of the task has said it. */
  chargedUnits: number | null;
}

/** What a name leads to. */
export interface FileStat {
  isFile: boolean;
  isFolder: boolean;
  length: number;
  /** How long ago it was written to. */
  ageMs: number;
  /** Tells two files apart, and two names of one file. */
  id: string | undefined;
}

/** What a save is made of: `Storage` in `core/src/storage.rs`. Each suffix is what is appended to the target's name. */
export interface Storage {
  display(suffix: string): string;
  stat(suffix: string, follow: boolean): Promise<FileStat | undefined>;
  open(suffix: string, write: boolean, create: boolean): Promise<FileStat | undefined>;
  close(suffix: string): Promise<void>;
  read(suffix: string, at: number, length: number): Promise<Uint8Array>;
  /** `places` has three numbers for each piece: 0 for a part of `bytes`, or the number of what the transport has; begin; length. */
  write(suffix: string, at: number, bytes: Uint8Array, places: ArrayLike<number>): Promise<void>;
  truncate(suffix: string, length: number): Promise<void>;
  sync(suffix: string): Promise<void>;
  create(suffix: string, text: string): Promise<boolean>;
  rename(from: string, to: string): Promise<void>;
  link(from: string, to: string): Promise<"done" | "exists" | "unsupported">;
  remove(suffix: string): Promise<void>;
  createFolders(): Promise<unknown>;
  syncFolder(): Promise<void>;
  freeSpace(): Promise<number | undefined>;
  readonly pid: number;
  readonly bootId: string | undefined;
  readonly pidSpace: string | undefined;
  procStat(pid: number | undefined): string | undefined;
  processExists(pid: number): boolean | undefined;
}

/** What is known of a whole video. */
export interface Saved {
  bytes: number;
  attempts: number;
  resumed: boolean;
  duration_s: number | null;
  width: number | null;
  height: number | null;
  charged_units: number | null;
}

export interface Saver {
  save(video: () => RawVideo, about: About, path: string | URL, options: SaveOptions): Promise<Summary>;
  /** Refuses what a save would be refused for before its first request. */
  check(handle: Handle, path: string | URL, options: SaveOptions): Promise<void>;
}

let known: Saver | undefined;

/** The entry point for Node sets one. */
export function setSaver(saver: Saver): void {
  known = saver;
}

export function saver(taskId: string | null): Saver {
  if (known) return known;
  throw own("io", "save", "a page has no files: use blob() or stream(), or save in Node", { taskId });
}
