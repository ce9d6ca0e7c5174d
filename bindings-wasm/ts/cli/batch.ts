/**
 * `junfeiai batch`: every video of a list, resumable.
 *
 * The file of a line is named after its request, so that a line whose file exists is done. Each line has a key in the folder's
 * journal, its own or one made from its request: what was created under it is resumed, and a create request of unknown outcome is
 * never sent again automatically. One run at a time works in a folder, of this command or of Python's; another one waits for its end
 * and does what is left.
 */
import { promises as fs } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, JunFeiAIError, type Pending, type Task } from "#main";
import { tryLock } from "../file-lock.js";
import { makeFoldersNow } from "../folders.js";
import { nameOfList, readList, type Line } from "./batch-list.js";
import { clientOptions, close, given, length, littleRoom, milliseconds, opened } from "./client-options.js";
import type { Call } from "./commands.js";
import { checkSave, real } from "./dry-run.js";
import { CommandError, configError, exitCode, isFailure, kindOf, listError, OUTCOME_UNKNOWN, type Failure } from "./exit-codes.js";
import { BATCH_JOURNAL, BATCH_LOCK, MANIFEST, manifestRecords, noteBatchFolder, type Fields } from "./journals.js";
import { Manifest } from "./manifest.js";
import { dollars, errorFields, ownCommand, summaryFields, systemError, textOf, type Output } from "./output.js";

/** Errors that every further create request would raise, too. */
const ENDS_ALL = ["authentication", "insufficient_balance", "no_space", "journal", "config", "untrusted_host", "io"];
/** Between two looks at the folder's lock. */
const LOCK_PAUSE_MS = 200;

/** Create requests in a row whose outcome is not known, after which no more are sent: each may have been charged. */
const UNKNOWN_LIMIT = 3;

/** True when creating more would only fail the same way: the key, the balance, the disk, the base URL. */
const endsAll = (error: Failure): boolean =>
  (error instanceof JunFeiAIError && error.code === "not_found" && error.phase === "create") ||
  // Other errors with status 403 are about the model; this one is about the client's IP address.
  ENDS_ALL.includes(kindOf(error)) || (error instanceof JunFeiAIError && error.serverCode === "access_denied");

/** Lets so many callers through at a time, in their order. */
class Turns {
  readonly #queue: (() => void)[] = [];
  #free: number;

  constructor(free: number) { this.#free = free; }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((begin) => { this.#queue.push(begin); });
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

/** One run over the list. */
class Batch {
  /** The highest of the lines' codes, whichever ended first. */
  code = 0;
  /** Raised when nothing more is to be created: requests that wait for their turn are withdrawn then, those in flight complete. */
  readonly #stop = new AbortController();
  readonly #folder: string;
  readonly #progress: Progress;
  #manifest: Manifest | undefined;
  /** What withdraws the requests for a model that was refused. */
  readonly #ofModels = new Map<string, AbortController>();
  #unknownInARow = 0;
  #creating = 0;
  /** Tasks and create requests of the journal that belong to a line of this run. */
  readonly #claimed = new Set<string>();
  /** Lines with the same request read the journal one after the other. */
  readonly #twins = new Map<string, Turns>();
  readonly #saving: { connections: number };
  readonly #waiting: { timeoutMs?: number };

  constructor(readonly client: Client, readonly lines: readonly Line[], readonly call: Call) {
    const { options, output } = call;
    this.#folder = options["output"] as string;
    this.#progress = new Progress(lines.length, output);
    this.#saving = { connections: options["connections"] as number };
    this.#waiting = given({ timeoutMs: milliseconds(options, "timeout") });
  }

  /** Refuses options and files before anything is paid. */
  async #checkAll(): Promise<void> {
    const { options, output } = this.call;
    const none = this.client.videos.generateMany([], { concurrency: options["concurrency"] as number, ...this.#waiting });
    for await (const _ of none) { /* it has no lines */ }
    const left = this.lines.filter((line) => !line.done);
    const records = manifestRecords(this.#folder);
    const pending = new Set((await this.client.videos.pending()).map(nameOf));
    for (const line of left) {
      await checkSave(line.path, this.#saving, this.call.options["journal"] as string);
      await this.#checkKey(line, records.get(line.request.key) ?? {}, pending);
    }
    const warning = littleRoom(join(this.#folder, MANIFEST), left.reduce((sum, line) => sum + length(line.asked), 0));
    if (warning) output.note(warning);
  }

  /** Refuses a key that could be none, and a line that was paid for under another journal than this. */
  async #checkKey({ number, fingerprint, request: { key } }: Line, { task_id: taskId, state }: Fields, pending: ReadonlySet<string>): Promise<void> {
    const unsaved = typeof taskId === "string" && !pending.has(taskId) && state !== "saved" && state !== "failed";
    if (key.startsWith(`batch/${fingerprint}`) && !unsaved) return;
    let known;
    try {
      known = await this.client.videos.key(key);
    } catch (error) {
      if (!isFailure(error) || kindOf(error) !== "invalid_request") throw error;
      throw listError(`${nameOfList(this.call.options["file"] as string)}, line ${number}: ${textOf(error)}`);
    }
    if (known !== null || !unsaved) return;
    const path = join(this.#folder, MANIFEST);
    throw configError(`${path} has task ${taskId} for line ${number}, which was paid for, and the journal ${this.call.options["journal"] as string} does not: `
      + `put the journal back that was there, or take what has this task out of ${path} to pay for another one`);
  }

  /** Makes the videos that do not exist yet. */
  async run(): Promise<number> {
    await this.#checkAll();
    this.#manifest = new Manifest(this.#folder, this.call.options["file"] as string, this.lines);
    const { signal } = this.call.interruption;
    signal.addEventListener("abort", () => {
      this.#stop.abort();
      if (this.#creating > 0) {
        this.call.output.note("create requests that are under way are waited for, each may be charged; Ctrl-C again does not wait");
      }
    });
    const waiting = this.lines[Symbol.iterator]();
    const count = Math.min(this.call.options["concurrency"] as number, this.lines.length);
    if (count === 0) {
      this.call.output.note(`the list ${this.call.options["file"] as string} has no requests: nothing to do`);
      return this.code;
    }
    this.#progress.show();
    // Each one is awaited to its end, also after Ctrl-C.
    const ended = await Promise.allSettled(Array.from({ length: count }, () => this.#work(waiting)));
    this.#manifest.write();
    const { output } = this.call;
    if (this.#manifest.complaint) output.note(`the list of results could not be written: ${systemError(this.#manifest.complaint)}`);
    this.#progress.end(join(this.#folder, MANIFEST));
    for (const one of ended) if (one.status === "rejected") throw one.reason;
    return this.code;
  }

  /** Takes one line after the other. */
  async #work(waiting: Iterator<Line>): Promise<void> {
    const { output, interruption } = this.call;
    for (let next = waiting.next(); !next.done; next = waiting.next()) {
      const line = next.value;
      try {
        await this.#make(line);
      } catch (error) {
        if (!isFailure(error)) throw error;
        // Waiting was given up, which is no outcome of the line.
        if (interruption.signal.aborted && kindOf(error) === "cancelled") return;
        this.#endCreating(line, error);
        const unknown = kindOf(error) === "create_outcome_unknown";
        if (unknown) this.#unknownInARow += 1;
        if (this.#unknownInARow >= UNKNOWN_LIMIT && !this.#stop.signal.aborted) {
          this.#stop.abort();
          output.note(`${UNKNOWN_LIMIT} create requests in a row have an unknown outcome, and each may have been charged: no more are sent`);
        }
        const state = unknown ? "unknown" : kindOf(error) === "task_failed" ? "failed" : "error";
        const text = textOf(error);
        this.#note(line, state, { task_id: error instanceof JunFeiAIError ? error.taskId : null, error: text });
        output.result({ line: line.number, error: errorFields(error) }, `line ${line.number}: error: ${output.textOf(error)}`);
        if (kindOf(error) === "journal") for (const hint of output.journalHints(error)) output.note(hint);
        if (unknown && !output.json) output.note(`line ${line.number}: find out what became of it:  ${this.#command("reconcile")}`);
      }
    }
  }

  /** Sends nothing more that would be refused as well: none at all, or none for this model. */
  #endCreating(line: Line, error: Failure): void {
    this.code = Math.max(this.code, exitCode(error));
    if (endsAll(error)) this.#stop.abort();
    else if (["permission_denied", "model_unavailable"].includes(kindOf(error)) && (error as JunFeiAIError).phase === "create") this.#ofModel(line).abort();
  }

  /** One line: done already, running, of unknown outcome, or new. */
  async #make(line: Line): Promise<void> {
    const turns = this.#twins.get(line.fingerprint) ?? new Turns(1);
    this.#twins.set(line.fingerprint, turns);
    const task = await turns.run(async () => {
      if (line.done) {
        this.#report(line, { path: line.path, state: "exists" }, `exists already: ${line.path}`);
        return undefined;
      }
      // Now, and not only at the start: another program may use this journal.
      const known = await this.#known(line);
      if (known?.kind === "task") return this.client.videos.task(known.taskId);
      if (known) {
        this.code = Math.max(this.code, OUTCOME_UNKNOWN);
        const text = "an earlier create request has an unknown outcome: check your account's usage page, then run\n"
          + `  ${this.#command("resolve", [known.intent, "TASK_ID"])}    if it made a task\n`
          + `  ${this.#command("resolve", [known.intent], "--not-created")}    if it made none`;
        this.#report(line, { state: "unknown", intent: known.intent }, text, { intent: known.intent });
        return undefined;
      }
      const task = await this.#create(line);
      // After Ctrl-C nobody reads of thousands of lines that they were not begun.
      if (!task && !this.call.interruption.signal.aborted) {
        this.code = Math.max(this.code, 1);
        this.#report(line, { state: "not_begun" }, "not begun");
      }
      return task;
    });
    if (!task) return;
    const { signal } = this.call.interruption;
    const video = await task.wait({ ...this.#waiting, signal });
    const summary = await video.save(line.path, { ...this.#saving, createParents: true, signal });
    const cost = summary.chargedUnits === null ? "" : `, ${dollars(summary.chargedUnits)}`;
    const fields = summaryFields(summary);
    this.#report(line, { task_id: task.id, state: "saved", ...fields }, `saved ${summary.path} (${summary.bytes} bytes${cost})`, {
      task_id: task.id, duration: fields["duration"], bytes: summary.bytes, cost_units: summary.chargedUnits, cost_usd: fields["charged_usd"],
    });
  }

  /** The journal's entry of this request that belongs to no other line. */
  async #known(line: Line): Promise<Pending | undefined> {
    const entry = (await this.client.videos.pending()).find((one) =>
      // Another program may have created it, without a key.
      (one.key === null || one.key === line.request.key) && one.fingerprint === line.fingerprint && !this.#claimed.has(nameOf(one)));
    if (entry) this.#claimed.add(nameOf(entry));
    return entry;
  }

  #ofModel({ request: { model } }: Line): AbortController {
    const known = this.#ofModels.get(String(model)) ?? new AbortController();
    this.#ofModels.set(String(model), known);
    return known;
  }

  /** Creates the task, unless the run was stopped. A request in flight is awaited to its end even after Ctrl-C: it is charged in any case. */
  async #create(line: Line): Promise<Task | undefined> {
    const stopSignal = AbortSignal.any([this.#stop.signal, this.#ofModel(line).signal]);
    if (stopSignal.aborted) return undefined;
    await checkSave(line.path, this.#saving, this.call.options["journal"] as string);
    let task;
    this.#creating += 1;
    try {
      task = await this.client.videos.create(line.request, { stopSignal });
    } catch (error) {
      // It was withdrawn.
      if (error instanceof JunFeiAIError && error.code === "cancelled" && !error.maybeExecuted) return undefined;
      // At once, before other requests leave.
      if (isFailure(error)) this.#endCreating(line, error);
      // Its entries in the journal belong to this line. A journal that cannot be read by now must not take the place of what happened.
      try { while (error instanceof JunFeiAIError && await this.#known(line)); } catch { /* see above */ }
      throw error;
    } finally {
      this.#creating -= 1;
    }
    this.#unknownInARow = 0;
    this.#claimed.add(task.id);
    this.#manifest?.note(line, { state: "created", task_id: task.id, seconds: task.billedSeconds });
    this.call.output.note(`line ${line.number}: task ${task.id}`);
    return task;
  }

  /** A command line about this folder's journal. */
  #command(command: string, given: readonly string[] = [], ...options: string[]): string {
    return ownCommand(command, given, [...options, ...this.call.output.connection, ["--journal", this.#folder]]);
  }

  /** Keeps how a line ended. */
  #note(line: Line, state: string, fields: Fields): void {
    // The file is what was asked for, whichever run has saved it.
    this.#manifest?.note(line, { ...fields, state: state === "exists" ? "saved" : state });
    this.#progress.add(state, (fields["cost_units"] as number | null | undefined) ?? 0);
  }

  /** Prints how a line ended. */
  #report(line: Line, fields: Fields, text: string, kept: Fields = {}): void {
    this.#note(line, String(fields["state"]), kept);
    this.call.output.result({ line: line.number, ...fields }, `line ${line.number}: ${text}`);
  }
}

const nameOf = (entry: Pending): string => (entry.kind === "task" ? entry.taskId : entry.intent);

/** How many lines have ended, how fast, and how long the rest may take; drawn in a terminal alone. */
class Progress {
  readonly #started = performance.now();
  readonly #states = new Map<string, number>();
  #units = 0;

  constructor(readonly total: number, readonly output: Output) {}

  /** One more line has ended. */
  add(state: string, units: number): void {
    this.#states.set(state, (this.#states.get(state) ?? 0) + 1);
    this.#units += units;
    this.show();
  }

  get #ended(): number { return [...this.#states.values()].reduce((sum, count) => sum + count, 0); }

  /** Draws it, for example `[############------------------] 12 of 30  3.1/min  ETA 5:48`. */
  show(): void {
    if (!this.output.terminal) return;
    const ended = this.#ended;
    const elapsed = (performance.now() - this.#started) / 1000;
    // Those that were there already took no time.
    const made = ended - (this.#states.get("exists") ?? 0);
    const filled = Math.floor((30 * ended) / Math.max(this.total, 1));
    let text = `[${"#".repeat(filled)}${"-".repeat(30 - filled)}] ${ended} of ${this.total}`;
    if (made > 0 && ended < this.total) {
      const left = Math.floor(((this.total - ended) * elapsed) / made);
      const two = (number: number): string => String(number).padStart(2, "0");
      const [hours, minutes] = [Math.floor(left / 3600), Math.floor(left / 60) % 60];
      text += `  ${((60 * made) / elapsed).toFixed(1)}/min  ETA ${hours ? `${hours}:${two(minutes)}` : minutes}:${two(left % 60)}`;
    }
    this.output.batchProgress(text);
  }

  /** Sums up, for people at a terminal. */
  end(manifest: string): void {
    if (!this.output.terminal) return;
    this.output.batchProgress("");
    const parts = [...this.#states].sort(([, one], [, other]) => other - one).map(([state, count]) => `${count} ${state.replaceAll("_", " ")}`).join(", ");
    const cost = this.#units ? `; charged ${dollars(this.#units)}` : "";
    this.output.note(`${this.#ended} of ${this.total}: ${parts || "nothing to do"}${cost}; see ${manifest}`);
  }
}

/** Keeps other runs out of the folder, or waits for their end. The system releases the lock of a process that ends in any way. */
async function locked<T>(call: Call, folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, BATCH_LOCK);
  let said = false;
  let file;
  while (!(file = await tryLock(path))) {
    const who = (await fs.readFile(path, "utf8").catch(() => "")).slice(0, 1000).trim() || "another process";
    if (call.options["no_wait"] === true) {
      throw new CommandError("file_locked", `${folder} is in use by another batch (${who}): wait until it has ended, or use another folder`);
    }
    if (!said) call.output.note(`another batch is working in ${folder} (${who}): this one does what is left when it has ended`);
    said = true;
    await sleep(LOCK_PAUSE_MS, undefined, { signal: call.interruption.signal });
  }
  try {
    const text = Buffer.from(`process ${process.pid} on ${hostname()} since ${new Date().toISOString().replace("T", " ").slice(0, 19)} +0000\n`);
    // A full disk is no reason to leave the folder unlocked: only who holds it is not said then.
    await file.truncate(0).then(() => file.write(text, 0, text.length, 0)).catch(() => undefined);
    return await work();
  } finally {
    await file.close();
  }
}

/** The command. */
export async function batch(call: Call): Promise<number> {
  const { options, output } = call;
  const folder = options["output"] as string;
  const own = join(folder, BATCH_JOURNAL);
  const named = options["journal"] as string | undefined;
  if (named !== undefined && ![folder, own].some((path) => real(resolve(path)) === real(resolve(named)))) {
    // Whoever names one that machines share would pay once on each of them.
    throw configError(`--journal is not for a batch, which keeps its journal in its folder, ${own}: leave it out`);
  }
  makeFoldersNow(folder);
  options["journal"] = own;
  options["no_journal"] = false;
  output.journal = options["journal"] as string;
  output.resumeHints = ["run the same command again to resume"];
  return locked(call, folder, async () => {
    const how = await clientOptions(options);
    const client = new Client(how);
    try {
      await opened(client, how.journal);
      const lines = await readList(options["file"] as string, folder, { form: options["format"] as string, allowOutside: options["allow_outside"] === true });
      noteBatchFolder(folder);
      const code = await new Batch(client, lines, call).run();
      call.interruption.signal.throwIfAborted();
      return code;
    } finally {
      await close(client, how.journal);
    }
  });
}
