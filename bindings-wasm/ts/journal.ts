/** The journal: what was paid for, as it was written down. Node's entry point brings it; a page loads it for a client that keeps one. */
import { own } from "./calls.js";
import type { Handle } from "./handle.js";
import type { JunFeiAIError } from "./errors.js";
import type { Summary } from "./saver.js";
import type { Video } from "./video.js";

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
  /** What it was charged, in the server's units (500000 = 1 USD), where that was seen. */
  chargedUnits: number | null;
}

/** A task to resume, or a create request whose response never came. */
export type Pending =
  | {
      kind: "task"; taskId: string; model: string; seconds: string | null; createdAt: Date; state: "created" | "succeeded";
      fingerprint: string | null; prompt: string | null; key: string | null;
    }
  | {
      kind: "unknown"; intent: string; model: string; seconds: string | null; createdAt: Date; pid: number | null;
      /** The kind of the error, `abandoned` when the caller gave it up, `crashed` when its process ended first, `charged` when `reconcile` found its charge. */
      reason: string; fingerprint: string; prompt: string | null; key: string | null;
    };

/** A pending task that was resumed: saved, or why not. */
export type Resumed = { taskId: string } & ({ summary: Summary; error: null } | { summary: null; error: JunFeiAIError });

/** A pending task that was resumed in a page: its video, or why there is none. */
export type ResumedVideo = { taskId: string } & ({ video: Video; error: null } | { video: null; error: JunFeiAIError });

/** A create request whose outcome was unknown, and what became of it. */
export interface Settled {
  /** The journal's own name for the create request. */
  intent: string;
  key: string | null;
  model: string;
  seconds: string | null;
  createdAt: Date;
  /** `not_charged`: off the list, and may be created again. `not_known`: neither can be proved, `reason` says why. */
  verdict: "charged" | "not_charged" | "under_way" | "not_known" | (string & {});
  /** One English sentence. */
  reason: string;
  /** Where it is known: the task is on the list of `pending` now. */
  taskId: string | null;
  requestId: string | null;
  /** In the server's units, 500000 = 1 USD. */
  chargedUnits: number | null;
}

/** What `reconcile` may ask with. */
export interface ReconcileOptions extends Abortable {
  /** The access token of the account, a stronger secret than an API key: it is held for this call alone. Finds lost tasks. Default: none. */
  accountToken?: string | null | undefined;
  /** The account's number, which older servers want beside the token. Default: none. */
  accountUser?: number | string | null | undefined;
}

/** What `reconcile` found out. */
export interface Reconciliation {
  entries: Settled[];
  /** The server answers no more such questions for so long. */
  retryAfterMs: number | null;
}

/** What was created and charged on one day with one model. Units: 500000 = 1 USD. */
export interface Spending {
  /** The day of the create requests in UTC, as `YYYY-MM-DD`. */
  day: string;
  model: string;
  creates: number;
  /** With what was returned since. */
  chargedUnits: number;
  chargedUSD: number;
  /** What the service returned of it, for failed tasks. */
  refundedUnits: number;
  refundedUSD: number;
  failed: number;
  /** Create requests whose outcome is not known: they may have been charged. */
  unknown: number;
  /** Tasks whose charge was never seen. They are not in `chargedUnits`. */
  uncharged: number;
}

/** What a create request will cost. */
export interface Estimate {
  /** In the server's units, 500000 = 1 USD; `null` when it is not known. */
  units: number | null;
  usd: number | null;
  /** `exact`; `rounded`: at most this; `default_group`: the key's own group is not known yet; `last_charge`; `unknown`. */
  certainty: "exact" | "rounded" | "default_group" | "last_charge" | "unknown" | (string & {});
  /** The most it can be by the listed prices, whatever the key's group. */
  unitsAtMost: number | null;
  billedSeconds: number;
  /** USD, before the group's ratio. */
  pricePerSecond: number | null;
  sizeRatio: number;
  group: string | null;
  groupRatio: number | null;
  /** What to know of it, an English line each. */
  notes: string[];
}

/** What is asked of a journal. @internal */
export interface JournalCalls {
  key(handle: Handle, key: string, options: Abortable): Promise<KeyRecord | null>;
  pending(handle: Handle, options: Abortable): Promise<Pending[]>;
  forget(handle: Handle, taskId: string, options: Abortable): Promise<boolean>;
  resolveUnknown(handle: Handle, intent: string, taskId: string | null | undefined, options: Abortable): Promise<boolean>;
  resumePending(handle: Handle, folder: string | URL | null | undefined, options: Abortable): AsyncGenerator<Resumed | ResumedVideo, void, undefined>;
  reconcile(handle: Handle, options: ReconcileOptions): Promise<Reconciliation>;
  spending(handle: Handle, since: string | null | undefined, options: Abortable): Promise<Spending[]>;
  estimate(handle: Handle, request: Record<string, unknown>, options: Abortable): Promise<Estimate>;
}

type Known = (handle: Handle) => JournalCalls | Promise<JournalCalls>;
/** What there is without the option. @internal */
export const noJournal: Known = () => {
  throw own("config", "config", "this client keeps no journal: give it the option journal", { field: "journal" });
};
/** @internal */
export let journalCalls = noJournal;

/** @internal */
export function setJournalCalls(calls: Known): void {
  journalCalls = calls;
}
