import { own } from "./calls.js";
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
}

/** What the native side asks of a storage. */
export interface Storage {
  text: string;
  length: number;
  verify: boolean;
  connections: number | undefined;
  write(at: number, bytes: Uint8Array): Promise<void>;
  note(lines: string): Promise<void>;
  reset(): Promise<void>;
  read(at: number, length: number): Promise<Uint8Array>;
  cutText(length: number): Promise<void>;
}

export type Saver = (
  path: string | URL, options: SaveOptions, taskId: string | null, read: (storage: Storage) => Promise<unknown>,
) => Promise<Summary>;

let known: Saver | undefined;

/** The entry point for Node sets one. */
export function setSaver(save: Saver): void {
  known = save;
}

export function saver(taskId: string | null): Saver {
  if (known) return known;
  throw own("io", "save", "there are no files in a browser: use blob() or stream(), or save in Node", { taskId });
}
