/** What the command prints: lines for people, or JSON objects for machines. */
import { writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isatty } from "node:tty";
import { getSystemErrorMap } from "node:util";
import { JunFeiAIError, __options, type Estimate, type Spending, type Summary } from "#main";
import { inCore, isOurs } from "../names.js";
import { CLIENT, REQUEST } from "../option-types.js";
import { isDatabase, shownJournal } from "./address.js";
import { CommandError, kindOf, type Failure } from "./exit-codes.js";

const OUT = 1;
const ERR = 2;
/** Streams that nobody reads any more. */
const closed = new Set<number>();
const waits = new Int32Array(new SharedArrayBuffer(4));

/**
 * Prints at once. Where nobody reads any more (`| head`), the rest is dropped, and the work goes on to its end: what was paid for is
 * still saved.
 */
export function write(text: string, stream = OUT): void {
  // To a console of Windows bytes are letters of its own code page; this way it is given letters.
  if (process.platform === "win32" && isatty(stream)) {
    (stream === OUT ? process.stdout : process.stderr).write(text);
    return;
  }
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length && !closed.has(stream);) {
    try {
      at += writeSync(stream, bytes, at);
    } catch (error) {
      // A pipe that is full, of a program that set it not to block.
      if ((error as { code?: unknown }).code === "EAGAIN") Atomics.wait(waits, 0, 0, 5);
      else closed.add(stream);
    }
  }
}

/**
 * What a terminal would obey, or not show: control characters but for tabs and ends of lines, and those that turn the direction of
 * writing.
 */
const UNSEEN = "\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069";
const unseen = new RegExp(`[${UNSEEN}]`, "g");

/** A text for people that the server or a list may have written: nothing in it moves the cursor or hides the rest. */
export const readable = (text: string): string => text.replace(unseen, (letter) => {
  const code = letter.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : letter === "\r" ? "\\r" : `\\x${code.padStart(2, "0")}`;
});

/** A word of a command line as a shell reads it. */
const quoted = (word: string): string => {
  if (process.platform === "win32") return ofWindows(word);
  // As bash, zsh, ksh and POSIX since 2024 read it; another shell takes it for another word, and runs nothing else either.
  if (word.search(unseen) >= 0) return `$'${word.replace(new RegExp(`[${UNSEEN}\\\\'\\n\\t]`, "g"), octal)}'`;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`;
};
const octal = (letter: string): string =>
  (/[\\']/.test(letter) ? `\\${letter}` : [...Buffer.from(letter)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join(""));
/** For cmd single quotes are letters as others are; each backslash of a path is one, but for those in front of a quote. */
const ofWindows = (word: string): string =>
  (/^[\w@+=:,./\\-]+$/.test(word) ? word : `"${word.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, "$1$1")}"`);
export const commandLine = (words: readonly string[]): string => words.map(quoted).join(" ");

/** A flag of a command line, or an option and its value. */
export type Given = string | readonly [name: string, value: string];

/**
 * A command line of this program. What begins with `-` is no option there: a value stands behind `=`, and arguments stand behind
 * `--`.
 */
export function ownCommand(command: string, given: readonly string[], options: readonly Given[]): string {
  const words = options.flatMap((option) => {
    if (typeof option === "string") return [option];
    const [name, value] = option;
    // Behind the short name not every parser takes "=".
    return value.startsWith("-") ? [`${name === "-o" ? "--output" : name}=${value}`] : [name, value];
  });
  const dashed = given.some((word) => word.startsWith("-"));
  return commandLine(["junfeiai", command, ...(dashed ? [...words, "--", ...given] : [...given, ...words])]);
}

/** What the system refuses, in words, and the name that it is about. */
export function systemError(error: unknown): string {
  const { errno, path, syscall, message } = error as { errno?: number; path?: string; syscall?: string; message: string };
  const said = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  return `${path || (syscall === "uv_cwd" ? "the working folder" : "the system")}: ${said ?? message}; check the name, its rights and the disk`;
}

/**
 * A text without the key, and without what looks like one. A key of a few letters, as a proxy may be given that wants none, is no
 * secret, and stands in other words.
 */
export function withoutKey(text: string): string {
  const key = process.env["JUNFEIAI_API_KEY"] ?? "";
  return (key.length >= 6 ? text.replaceAll(key, "…") : text).replaceAll(/(?<![\w-])sk-[\w-]+/g, "sk-…");
}

/** The names of options as the core, and so every other language, writes them. */
const NAMES = new Map([...CLIENT, ...REQUEST, "maxBytes", "taskId", "accountToken", "accountUser"].map((name) => [name as string, inCore(name)]));
export const plainly = (text: string): string => text.replace(/\b[a-z]+[A-Z]\w*/g, (word) => NAMES.get(word) ?? word);

/** The text of a failure, one line, the same as that of Python's command. */
export function textOf(error: unknown): string {
  if (!(error instanceof JunFeiAIError)) return (error as Error).message;
  return isOurs(error) ? plainly(error.message) : error.message;
}

/** What happened, without what the text adds to it: the facts in brackets, and the advice. */
function messageOf(error: JunFeiAIError): string {
  const text = __options.whatHappened(error);
  return isOurs(error) ? plainly(text) : text;
}

/** A failure as plain values. */
export function errorFields(error: Failure): Record<string, unknown> {
  if (error instanceof CommandError) return { kind: error.kind, text: error.message };
  return {
    kind: kindOf(error), text: textOf(error), number: error.number, phase: error.phase, message: messageOf(error),
    field: error.field === null ? null : NAMES.get(error.field) ?? error.field, status_code: error.status, code: error.serverCode,
    server_message: error.serverMessage, request_id: error.requestId, task_id: error.taskId, last_status: error.lastStatus,
    retry_after: error.retryAfterMs === null ? null : error.retryAfterMs / 1000, attempts: error.attempts, maybe_executed: error.maybeExecuted,
    transient: error.transient,
  };
}

/** What is wrong about the client's options: somebody may have given the key in place of a file or an address. */
const isConfig = (error: Failure): boolean => ["config", "untrusted_host"].includes(kindOf(error));

/** How fast bytes come, over the last second or so. */
class Rate {
  readonly #seen: { at: number; bytes: number }[] = [];
  readonly #begun = performance.now();

  add(bytes: number): number {
    const at = performance.now();
    if (this.#seen.length === 0) this.#seen.push({ at: this.#begun, bytes: 0 });
    this.#seen.push({ at, bytes });
    while (this.#seen.length > 2 && at - this.#seen[1]!.at > 1000) this.#seen.shift();
    const first = this.#seen[0]!;
    return at > first.at ? (1000 * (bytes - first.bytes)) / (at - first.at) : 0;
  }
}

export interface How {
  json: boolean;
  progress: string;
}

/** Results go to standard output, progress and failures to standard error. */
export class Output {
  readonly json: boolean;
  /** How to resume after Ctrl-C, one line each. */
  resumeHints: string[] = [];
  /** What to change after a failed task, one line each. */
  failedHints: string[] = [];
  /** The journal of the command. */
  journal: string | undefined;
  /** The options of a command line that asks the same endpoint with the same key. */
  connection: readonly Given[] = [];
  /** The names of the command's options, as the core writes them. */
  options: ReadonlySet<string> = new Set();
  readonly #quiet: boolean;
  readonly #inPlace: boolean;
  readonly #bar: boolean;
  #rate: Rate | undefined;
  #shown = -Infinity;
  #isWhole = false;
  #batch = "";

  constructor({ json, progress }: How) {
    this.json = json;
    this.#quiet = json || progress === "none";
    const terminal = isatty(ERR);
    this.#inPlace = !this.#quiet && (terminal || progress === "bar");
    this.#bar = this.#inPlace && progress !== "plain";
  }

  /** True when progress is shown in place, to a person. */
  get terminal(): boolean { return this.#inPlace; }

  /** One result. */
  result(fields: Record<string, unknown>, ...lines: string[]): void {
    this.clear();
    const text = lines.join("\n");
    // A program that reads an id needs it as it is.
    write(`${this.json ? JSON.stringify(fields) : isatty(OUT) ? readable(text) : text}\n`);
    this.#drawBatch();
  }

  /** How far a batch is, at the bottom of a terminal; elsewhere each line of the list says how it ended. */
  batchProgress(text: string): void {
    this.#batch = text;
    this.clear();
    this.#drawBatch();
  }

  #drawBatch(): void {
    if (this.#batch && this.#inPlace) write(`\r\x1b[K${this.#batch}`, ERR);
  }

  /** One line of progress. */
  note(text: string, inPlace = false): void {
    if (this.#quiet) return;
    if (inPlace && this.#inPlace) {
      write(`\r\x1b[K${text}`, ERR);
      return;
    }
    this.clear();
    write(`${readable(text)}\n`, ERR);
    this.#drawBatch();
  }

  /** Progress of one file. Without a terminal, a line every few seconds. */
  saveProgress({ bytes, total }: { bytes: number; total: number | null }): void {
    if (this.#quiet || !total || this.#isWhole) return;
    this.#isWhole = bytes === total;
    const rate = (this.#rate ??= new Rate()).add(bytes) / 1e6;
    const now = performance.now();
    if (!this.#inPlace && now - this.#shown <= 5000 && bytes !== total) return;
    this.#shown = now;
    const filled = Math.floor((30 * bytes) / total);
    const bar = this.#bar ? `[${"#".repeat(filled)}${"-".repeat(30 - filled)}] ` : "";
    this.note(`saving    ${bar}${String(Math.floor((100 * bytes) / total)).padStart(3)} %  ${rate.toFixed(1)} MB/s`, true);
  }

  /** Clears the line that was updated in place. */
  clear(): void {
    if (this.#inPlace) write("\r\x1b[K", ERR);
  }

  /** A failure. */
  failure(error: Failure): void {
    this.clear();
    if (this.json) {
      const fields = Object.entries(errorFields(error)).map(([name, value]) => [name, isConfig(error) && typeof value === "string" ? withoutKey(value) : value]);
      write(`${JSON.stringify({ error: Object.fromEntries(fields) })}\n`);
      return;
    }
    for (const line of [`error: ${this.textOf(error)}`, ...this.#hints(error)]) write(`${readable(line)}\n`, ERR);
  }

  /** Something that the command cannot do, which is no error of the library. */
  refused(kind: string, text: string): void {
    this.clear();
    if (this.json) write(`${JSON.stringify({ error: { kind, text } })}\n`);
    else write(`error: ${readable(text)}\n`, ERR);
  }

  /** The text of an error for people, with the options as they were given: `--max-cost` for `max_cost`. */
  textOf(error: Failure): string {
    const text = textOf(error);
    if (!["config", "untrusted_host", "invalid_request", "idempotency_conflict"].includes(kindOf(error))) return text;
    // A word of plain English is an option only where it begins the text.
    const given = text.replaceAll(/^[a-z]+\b|(?<![\w/.-])[a-z]+(?:_[a-z]+)+\b/g, (name) => {
      // The key itself is never given on the command line.
      if (name === "api_key") return "--api-key-file";
      return this.options.has(name) ? `--${name.replaceAll("_", "-")}` : name;
    });
    return isConfig(error) ? withoutKey(given) : given;
  }

  /** What to do next, besides what the error says itself. */
  #hints(error: Failure): string[] {
    const kind = kindOf(error);
    if (kind === "task_failed") return this.failedHints.length > 0 ? this.failedHints : ["the charge of a failed task is returned"];
    if (kind === "create_outcome_unknown") return this.journal === undefined ? [] : [`find out what became of it:  ${this.command("reconcile")}`];
    if (kind === "journal") return this.journalHints(error);
    // What was wrongly asked for is no fault of the download.
    if (["config", "invalid_request"].includes(kind)) return [];
    return error instanceof JunFeiAIError && error.taskId !== null && kind !== "not_found" ? this.resumeHints : [];
  }

  /** What to do about a journal that cannot be used. */
  journalHints(error: Failure): string[] {
    if (this.journal === undefined || isDatabase(this.journal)) return [];
    const text = error.message.toLowerCase();
    const full = ["no space left", "quota exceeded", "file too large", "enospc", "edquot", "efbig"].some((sign) => text.includes(sign));
    return [
      ...(full ? [`make room on the disk of ${dirname(resolve(this.journal))}, then run the same command again: nothing is sent before`] : []),
      "leave the journal where it is: it knows what was paid for",
      `list what it has, to keep it elsewhere:  ${this.command("export")}`,
    ];
  }

  /** A command line that uses the same journal, and the same key. */
  command(command: string): string {
    return ownCommand(command, [], [...this.connection, ...(this.journal ? [["--journal", shownJournal(this.journal)] as const] : [])]);
  }

  /** After Ctrl-C. */
  interrupted(error: unknown): void {
    this.clear();
    const { taskId, taskIds, maybeExecuted } = error as { taskId?: string | null; taskIds?: readonly string[]; maybeExecuted?: boolean };
    const hints = [...this.resumeHints];
    if (hints.length === 0) {
      for (const id of taskIds ?? (taskId ? [taskId] : [])) hints.push(`a task was created and charged; wait for it:  ${ownCommand("wait", [id], this.connection)}`);
    }
    if (maybeExecuted) hints.push("a create request was in flight and may have been charged: check your account's usage page, and run: junfeiai pending");
    const lines = ["interrupted", ...hints];
    for (const line of lines) write(`${readable(line)}\n`, ERR);
    if (!this.json) return;
    const known = { task_id: taskId ?? (taskIds?.length === 1 ? taskIds[0] : null), maybe_executed: maybeExecuted === true };
    write(`${JSON.stringify({ error: { kind: "cancelled", text: lines.join("; "), ...known } })}\n`);
  }
}

/** Units of the server in USD: one is two millionths. */
export const dollars = (units: number | null): string =>
  (units === null ? "unknown" : `${(units / 500_000).toFixed(6).replace(/0+$/, "").replace(/\.$/, "")} USD`);

const usd = (units: number | null): number | null => (units === null ? null : units / 500_000);

/** An estimate as plain values. */
export const estimateFields = (one: Estimate): Record<string, unknown> => ({
  units: one.units, usd: one.usd, certainty: one.certainty, units_at_most: one.unitsAtMost, billed_seconds: one.billedSeconds,
  price_per_second: one.pricePerSecond, size_ratio: one.sizeRatio, group: one.group, group_ratio: one.groupRatio, notes: one.notes,
});

/** A day's spending as plain values. */
export const spendingFields = (one: Spending): Record<string, unknown> => ({
  day: one.day, model: one.model, creates: one.creates, charged_units: one.chargedUnits, charged_usd: one.chargedUSD,
  refunded_units: one.refundedUnits, refunded_usd: one.refundedUSD, failed: one.failed, unknown: one.unknown, uncharged: one.uncharged,
});

/** A day's spending as a line of text. */
export function spendingLine(one: Spending): string {
  const parts = [`${one.day} ${one.model}: ${one.creates} ${one.creates === 1 ? "task" : "tasks"}, charged ${dollars(one.chargedUnits)}`];
  if (one.failed) parts.push(`${one.failed} failed, ${dollars(one.refundedUnits)} returned`);
  if (one.uncharged) parts.push(`${one.uncharged} with a charge not seen yet`);
  if (one.unknown) parts.push(`${one.unknown} with an unknown outcome`);
  return parts.join(", ");
}

/** A saved file as plain values. */
export const summaryFields = (one: Summary): Record<string, unknown> => ({
  path: one.path, bytes: one.bytes, duration: one.durationMs === null ? null : one.durationMs / 1000, width: one.width, height: one.height,
  resumed: one.resumed, attempts: one.attempts, elapsed: one.elapsedMs / 1000, sha256: one.sha256, charged_units: one.chargedUnits,
  charged_usd: usd(one.chargedUnits),
});

/** A saved file as lines of text. */
export function summaryLines(one: Summary): string[] {
  const lines = [`file      ${one.path}`, `bytes     ${one.bytes} in ${one.attempts} request(s), ${(one.elapsedMs / 1000).toFixed(2)} s`];
  if (one.width && one.height && one.durationMs !== null) lines.push(`video     ${one.width}x${one.height}, ${(one.durationMs / 1000).toFixed(2)} s, structure checked`);
  if (one.sha256) lines.push(`sha256    ${one.sha256}`);
  if (one.chargedUnits !== null) lines.push(`charge    ${dollars(one.chargedUnits)} (${one.chargedUnits} units)`);
  return [...lines, `play it   open it in a browser, or: ${commandLine(["ffplay", one.path.startsWith("-") ? `./${one.path}` : one.path])}`];
}
