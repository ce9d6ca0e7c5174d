/** The journal: what was paid for, as it was written down. Node's entry point brings it; a page does not load it. */
import { own } from "./calls.js";
import type { Handle } from "./handle.js";
import type { JunFeiAIError } from "./errors.js";
import type { Summary } from "./saver.js";

/** Options of a call that may be aborted. */
export interface Abortable {
  signal?: AbortSignal | null | undefined;
}

/** What the journal knows of a key. */
export interface KeyRecord {
  key: string;
  /** 1 for the first task of the key, one more for each that was created after a failed one. */
  attempt: number;
  state: "sending" | "unknown" | "created" | "succeeded" | "failed" | "saved" | "forgotten" | (string & {});
  /** The task's id, once there is a task. */
  taskId: string | null;
  /** The journal's own name for the create request. */
  intent: string;
  model: string;
  createdAt: Date;
  /** Where the video was saved, or was about to be when its process ended. */
  path: string | null;
  bytes: number | null;
}

/** A task to resume, or a create request whose response never came. */
export type Pending =
  | {
      kind: "task"; taskId: string; model: string; seconds: string | null; createdAt: Date; state: "created" | "succeeded";
      fingerprint: string | null; prompt: string | null; key: string | null;
    }
  | {
      kind: "unknown"; state: "create_outcome_unknown"; intent: string; model: string; seconds: string | null; createdAt: Date; pid: number | null;
      /** The kind of the error, `abandoned` when the caller gave it up, or `crashed` when its process ended first. */
      reason: string; fingerprint: string; prompt: string | null; key: string | null;
    };

/** A pending task that was resumed: saved, or why not. */
export type Resumed = { taskId: string } & ({ summary: Summary; error: null } | { summary: null; error: JunFeiAIError });

/** What the entry point for Node brings. @internal */
export interface JournalCalls {
  key(handle: Handle, key: string, options: Abortable): Promise<KeyRecord | null>;
  pending(handle: Handle, options: Abortable): Promise<Pending[]>;
  forget(handle: Handle, taskId: string, options: Abortable): Promise<boolean>;
  resolveUnknown(handle: Handle, intent: string, taskId: string | null | undefined, options: Abortable): Promise<boolean>;
  resumePending(handle: Handle, folder: string, options: Abortable): AsyncGenerator<Resumed, void, undefined>;
}

let known: JournalCalls | undefined;

/** @internal */
export function setJournalCalls(calls: JournalCalls): void {
  known = calls;
}

/** @internal */
export function journalCalls(): JournalCalls {
  if (known) return known;
  throw own("config", "journal", "there is no journal in the build for pages and workers: run this in Node, Bun or Deno", { field: "journal" });
}
