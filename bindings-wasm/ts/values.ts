/** Plain values that several parts take or give. */

/** An image: a URL that the service fetches, or PNG, JPEG or WebP bytes that are sent inside the request. */
export type ImageInput = string | URL | Blob | ArrayBuffer | Uint8Array;

/** How far a read is. */
export interface Progress {
  bytes: number;
  total: number | null;
}

/** A row of a store without its name. `version` says which write it was: a whole number from 1, which never comes back for a name. */
export interface StoreRow {
  value: string;
  version: number;
}

/**
 * A place for the journal: rows that are replaced only by whoever knows their latest version. Every method may return a promise;
 * one that takes longer than 10 s counts as failed, and so does what it throws.
 */
export interface JournalStore {
  /** The row of this name. */
  load(name: string): StoreRow | null | undefined | Promise<StoreRow | null | undefined>;
  /**
   * Writes the row if it still has the version `expected`, or, with `null`, if there is none; removes it when `value` is `null`.
   * All of it in one step, and durable before it ends. Gives the new version; `null` when another was faster and nothing was written.
   */
  swap(name: string, expected: number | null, value: string | null): number | null | undefined | Promise<number | null | undefined>;
  /** All rows whose names begin with this. */
  scan(prefix: string): readonly (StoreRow & { name: string })[] | Promise<readonly (StoreRow & { name: string })[]>;
  /** `"same"`: another API key of the same account was set; adds it to those whose tasks these are. */
  account?: "same" | undefined;
}

/**
 * A journal file of this machine: Python, C, C++, Rust and the commands read and write the same one. For Node, Bun and Deno on Linux,
 * macOS and BSD.
 */
export interface JournalFile {
  /** Where it is, as a path or a `file:` URL; created if it does not exist. */
  file: string | URL;
}

/** What happened, for the option `log`. */
export interface LogEntry {
  readonly level: "error" | "warn" | "info" | "debug" | "trace";
  /** The name of what happened, such as `task_created`; `null` for what has none. */
  readonly event: string | null;
  /** The same in one line, without the fields. */
  readonly message: string;
  /** What it is about, such as `taskId`. */
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

/** A place on the page's own server. @internal */
export const isPath = (value: unknown): value is string => typeof value === "string" && /^\.{0,2}\//.test(value);
