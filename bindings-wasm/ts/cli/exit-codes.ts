/** The failures of the command, and the exit code of each. */
import { JunFeiAIError } from "#main";

/** A create request whose outcome is unknown. */
export const OUTCOME_UNKNOWN = 7;

const CODES: Record<string, number> = {
  config: 2, untrusted_host: 2, invalid_request: 2, idempotency_conflict: 2,
  task_failed: 3,
  wait_timeout: 4,
  authentication: 5, permission_denied: 5, insufficient_balance: 5,
  connect: 6, connection: 6, timeout: 6, download: 6, not_ready: 6,
  create_outcome_unknown: OUTCOME_UNKNOWN,
};

/** A failure that the command finds itself, of a kind that the library has, too. */
export class CommandError extends Error {
  constructor(readonly kind: string, message: string) { super(message); }
}

/** Something wrong with the client's options. */
export const configError = (message: string): CommandError => new CommandError("config", message);

/** Something wrong with a list, or with a line of it. */
export const listError = (message: string): CommandError => new CommandError("invalid_request", message);

export type Failure = JunFeiAIError | CommandError;

export const isFailure = (error: unknown): error is Failure => error instanceof JunFeiAIError || error instanceof CommandError;

/** The word for what kind of failure it is. */
export const kindOf = (error: Failure): string => (error instanceof CommandError ? error.kind : error.code);

/** The exit code for this failure. */
export const exitCode = (error: Failure): number => CODES[kindOf(error)] ?? 1;
