import { translated } from "./names.js";
import type { RawRecord } from "./raw.js";

/** What kind of failure it is. New kinds may come. */
export type ErrorCode =
  | "config" | "invalid_request" | "untrusted_host" | "idempotency_conflict"
  | "bad_request" | "authentication" | "permission_denied" | "insufficient_balance" | "not_found" | "rate_limited"
  | "upstream" | "model_unavailable" | "unexpected_response" | "not_offered"
  | "connect" | "connection" | "timeout"
  | "create_outcome_unknown" | "task_failed" | "wait_timeout"
  | "download" | "not_ready" | "integrity" | "file_exists" | "io" | "file_locked" | "no_space"
  | "cancelled" | "journal" | "internal"
  | (string & {});

/** Keeps the name of a public class through minifying: inspectors and stacks show it. @internal */
export function named(type: object, name: string): void {
  Object.defineProperty(type, "name", { value: name, configurable: true });
}

const messages = new WeakMap<JunFeiAIError, string>();

/** What happened, without the facts and the advice that the text of an error adds. @internal */
export const whatHappened = (error: JunFeiAIError): string => messages.get(error) ?? error.message;

/**
 * Any failure of this library. `message` is one line that says what happened and what to do next.
 * An aborted call has the code `cancelled` and, as is usual, the name `AbortError`.
 */
export class JunFeiAIError extends Error {
  static { named(this, "JunFeiAIError"); }
  /** What kind of failure it is, the same word in every language. */
  readonly code: ErrorCode;
  /** Its stable number. */
  readonly number: number;
  /** Where it happened: `config`, `create`, `query`, `wait`, `content`, `save`, … */
  readonly phase: string;
  /** The HTTP status of the response. */
  readonly status: number | null;
  /** The server's code and message. */
  readonly serverCode: string | null;
  readonly serverMessage: string | null;
  /** The server's request id, for the administrator. */
  readonly requestId: string | null;
  /** The task this is about. Present on every error after a task exists. */
  readonly taskId: string | null;
  /** After `generateMany` was ended by this error: the tasks that are still running, with nobody who waits for them. */
  declare readonly taskIds?: readonly string[];
  /** The last status seen of that task. */
  readonly lastStatus: string | null;
  /** The option or request field at fault. */
  readonly field: string | null;
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** How many requests were sent for this call. */
  readonly attempts: number;
  /** True when a create may have been carried out, and charged, although there is no response. */
  readonly maybeExecuted: boolean;
  /** True when the same call may succeed later without any change. */
  readonly transient: boolean;

  constructor(record: RawRecord, cause?: unknown) {
    super(record.text ?? record.message, cause === undefined ? undefined : { cause });
    messages.set(this, record.message);
    this.name = record.kind === "cancelled" ? "AbortError" : "JunFeiAIError";
    this.code = record.kind;
    this.number = record.number ?? 0;
    this.phase = record.phase;
    this.status = record.status ?? null;
    this.serverCode = record.code ?? null;
    this.serverMessage = record.server_message ?? null;
    this.requestId = record.request_id ?? null;
    this.taskId = record.task_id ?? null;
    this.lastStatus = record.last_status ?? null;
    this.field = record.field ?? null;
    this.retryAfterMs = record.retry_after_s == null ? null : record.retry_after_s * 1000;
    this.attempts = record.attempts ?? 0;
    this.maybeExecuted = record.maybe_executed ?? false;
    this.transient = record.transient ?? false;
  }

  /** Every part of it as plain data. */
  toJSON(): Record<string, unknown> {
    const { name, message } = this;
    return Object.assign({ name, message }, this as object);
  }
}

/** An error of a call about this task carries its id, whatever refused the call; but for an id that is none. @internal */
export function ofTask(error: unknown, taskId: string | null | undefined): unknown {
  if (!taskId || !(error instanceof JunFeiAIError) || error.taskId !== null || error.field === "taskId") return error;
  const { code: kind, number, phase, field, message: text, cause } = error;
  // One error stands for all calls that wait for the module.
  if (field === "wasm") return new JunFeiAIError({ kind, number, phase, field, message: whatHappened(error), text, task_id: taskId }, cause);
  return Object.assign(error, { taskId });
}

/** Whatever came out of the module as an error. */
export function toError(thrown: unknown, cause?: unknown): unknown {
  if (thrown instanceof Error) return thrown;
  const record = thrown as RawRecord | null | undefined;
  if (typeof record === "object" && record !== null && typeof record.kind === "string") {
    const chain = record.cause?.reduceRight<Error | undefined>((inner, text) => new Error(text, inner && { cause: inner }), undefined);
    return new JunFeiAIError(translated(record), cause ?? chain);
  }
  return internal(`unexpected: ${String(thrown)}`);
}

export function internal(text: string, known?: Partial<RawRecord>): JunFeiAIError {
  return new JunFeiAIError({ kind: "internal", number: 70, phase: "config", message: text, text: `${text}; please report this`, ...known });
}
