/** What is asked of a journal, and a caller's store on its way to the core. The same in Node and in a page. */
import type { RawClient } from "#glue";
import { guarded, own, take, textOf } from "./calls.js";
import { run, type About } from "./engine.js";
import { JunFeiAIError } from "./errors.js";
import type { Handle } from "./handle.js";
import type { Abortable, JournalCalls, KeyRecord, Pending } from "./journal.js";
import { translate } from "./names.js";
import type { JournalStore } from "./values.js";

/** What is known of the processes that write a journal: those of a machine, or the tabs and workers of an origin. */
export interface Processes {
  readonly pid: number;
  readonly bootId: string | undefined;
  readonly pidSpace: string | undefined;
  procStat(pid: number | undefined): string | undefined;
  processExists(pid: number): boolean | undefined;
}

/** How often others may be faster with a row, one time after the other; as in the core. */
const MOST_LOST = 1000;
const GIVES = "it must give the new version of a row that it has written, and null only where another was faster";

/** What the core calls. @internal */
export class JournalHost {
  readonly #store: JournalStore;
  /** How often others were faster with a row, since it was written last. */
  readonly #lost = new Map<string, number>();
  readonly sameAccount: boolean;
  readonly processes: Processes | undefined;

  constructor(store: JournalStore, processes: Processes | undefined) {
    this.#store = store;
    this.sameAccount = store.account === "same";
    this.processes = processes;
  }

  load(name: string): unknown { return this.#store.load(name); }

  async swap(name: string, expected?: number, value?: string): Promise<unknown> {
    const version: unknown = await this.#store.swap(name, expected ?? null, value ?? null);
    if (version !== null && version !== undefined) {
      this.#lost.delete(name);
      return version;
    }
    // Nobody else begins this row with this text: its intent is in it.
    if (expected === undefined && /^[ck]\//.test(name) && (await this.#store.load(name))?.value === value) throw new Error(`it wrote the row ${name}, and ${GIVES}`);
    const count = (this.#lost.get(name) ?? 0) + 1;
    if (count >= MOST_LOST) {
      this.#lost.clear();
      throw new Error(`the row ${name} was not written ${count} times in a row; ${GIVES}`);
    }
    this.#lost.set(name, count);
    // The core tries again at once. Now and then everything else of this program has its turn before.
    if (count % 16 === 0) await new Promise((resolve) => { setTimeout(resolve, 0); });
    return null;
  }

  async scan(prefix: string): Promise<unknown> {
    const rows: unknown = await this.#store.scan(prefix);
    // An array of the caller's may be anything behind what it looks like: what it throws, it throws here.
    return Array.isArray(rows) ? [...rows as unknown[]] : rows;
  }
}

/** An option `journal` that cannot be one. */
export const refuse = (why: string, cause?: unknown): JunFeiAIError => own("config", "config", why, { field: "journal", cause });

/** The caller's object as a store, looked at before anything is paid for. `shape` says what the option may be. */
export function storeOf(given: unknown, shape: string): JournalStore {
  if (typeof given !== "object" || given === null) throw refuse(`journal must be ${shape}, not a ${typeof given}`);
  try {
    const store = given as JournalStore;
    for (const method of ["load", "swap", "scan"] as const) {
      if (typeof store[method] !== "function") throw refuse(`journal must be ${shape}: ${method} is missing`);
    }
    const account: unknown = store.account;
    if (account !== undefined && account !== "same") throw refuse("account of the journal can only be \"same\": leave it out otherwise");
    return store;
  } catch (error) {
    throw error instanceof JunFeiAIError ? error : refuse(`journal must be ${shape}, and it cannot be read`, error);
  }
}

interface RawKey {
  key: string; attempt: number; state: string; task_id: string | null; intent: string; model: string; created_at: number;
  path: string | null; bytes: number | null; charged_units: number | null;
}
export interface RawPending {
  kind: string; task_id?: string; intent?: string; created_at?: number; at?: number; pid?: number | null; reason?: string;
  model: string; state?: string; seconds: string | null; fingerprint: string | null; prompt: string | null; key: string | null;
}

interface RawReconciliation {
  entries: {
    intent: string; key: string | null; model: string; seconds: string | null; at: number; verdict: string; reason: string;
    task_id: string | null; request_id: string | null; charged_units: number | null;
  }[];
  retry_after_s: number | null;
}
interface RawSpending {
  day: string; model: string; creates: number; charged_units: number; charged_usd: number; refunded_units: number; refunded_usd: number;
  failed: number; unknown: number; uncharged: number;
}
interface RawEstimate {
  units: number | null; usd: number | null; certainty: string; units_at_most: number | null; billed_seconds: number;
  price_per_second: number | null; size_ratio: number; group: string | null; group_ratio: number | null; notes: string[];
}

const date = (unix: number | undefined): Date => new Date((unix ?? 0) * 1000);

function pendingOf(raw: RawPending): Pending {
  const { task_id, created_at, at, intent, pid, reason, ...rest } = raw;
  const shaped = raw.kind === "task"
    ? { ...rest, taskId: task_id, createdAt: date(created_at) }
    : { ...rest, intent, createdAt: date(at), pid, reason };
  return shaped as Pending;
}

/** One call about the journal. */
async function ask<T>(handle: Handle, options: Abortable, work: (client: RawClient, signal: AbortSignal | undefined) => Promise<T>, about?: About): Promise<T> {
  const client = await handle.ready(about);
  const { signal } = take(options, ["signal"], "journal", about?.().task_id);
  return guarded(signal, undefined, about, (inner) => run(() => work(client, inner), inner, about));
}

/** An option that is a text, or a number where that may stand for one. */
function word(value: unknown, name: string, number = false): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" || number && typeof value === "number") return String(value);
  throw own("invalid_request", "journal", `${name} must be a string${number ? " or a number" : ""}`, { field: name });
}

export const rawPending = (handle: Handle, options: Abortable): Promise<RawPending[]> =>
  ask(handle, options, (client, signal) => client.pending(signal) as Promise<RawPending[]>);

/** All but what a pending task is resumed with. */
export const journal: Omit<JournalCalls, "resumePending"> = {
  async key(handle, key, options) {
    const name = textOf(key, "key", "journal");
    const raw = await ask(handle, options, (client, signal) => client.key(name, signal) as Promise<RawKey | null>);
    if (!raw) return null;
    const { task_id, created_at, charged_units, ...rest } = raw;
    return { ...rest, taskId: task_id, createdAt: date(created_at), chargedUnits: charged_units ?? null } as KeyRecord;
  },
  pending: async (handle, options) => (await rawPending(handle, options)).map(pendingOf),
  async forget(handle, id, options) {
    const taskId = textOf(id, "taskId", "journal");
    return ask(handle, options, (client, signal) => client.forget(taskId, signal) as Promise<boolean>, () => ({ task_id: taskId }));
  },
  async resolveUnknown(handle, intent, id, options) {
    const name = textOf(intent, "intent", "journal");
    const taskId = word(id, "taskId");
    return ask(handle, options, (client, signal) => client.resolveUnknown(name, taskId, signal) as Promise<boolean>);
  },

  async reconcile(handle, options) {
    const { accountToken, accountUser, signal } = take(options, ["signal", "accountToken", "accountUser"], "journal");
    const [token, user] = [word(accountToken, "accountToken"), word(accountUser, "accountUser", true)];
    const raw = await ask(handle, { signal }, (client, inner) => client.reconcile(token, user, inner) as Promise<RawReconciliation>).catch((error: unknown) => {
      // The server's refusal of the token: what it says is left as it is.
      if (error instanceof JunFeiAIError && error.field === "account_token") Object.assign(error, { field: "accountToken" });
      throw error;
    });
    const entries = raw.entries.map(({ at, task_id, request_id, charged_units, ...rest }) =>
      ({ ...rest, createdAt: date(at), taskId: task_id, requestId: request_id, chargedUnits: charged_units }));
    return { entries, retryAfterMs: raw.retry_after_s === null ? null : raw.retry_after_s * 1000 };
  },
  async spending(handle, since, options) {
    const day = word(since, "since");
    const raw = await ask(handle, options, (client, signal) => client.spending(day, signal) as Promise<RawSpending[]>);
    return raw.map(({ charged_units, charged_usd, refunded_units, refunded_usd, ...rest }) =>
      ({ ...rest, chargedUnits: charged_units, chargedUSD: charged_usd, refundedUnits: refunded_units, refundedUSD: refunded_usd }));
  },
  async estimate(handle, request, options) {
    const raw = await ask(handle, options, (client, signal) => client.estimate(request, signal) as Promise<RawEstimate>);
    const { units_at_most, billed_seconds, price_per_second, size_ratio, group_ratio, ...rest } = raw;
    return {
      ...rest, unitsAtMost: units_at_most, billedSeconds: billed_seconds, pricePerSecond: price_per_second, sizeRatio: size_ratio,
      groupRatio: group_ratio, notes: rest.notes.map((note) => translate(note)),
    };
  },
};
