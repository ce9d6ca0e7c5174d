/** One function for each command. They call the library and print; retries are up to the library. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { __options, type Client, type Pending, type Task, type Video } from "#main";
import { isDatabase, shownJournal } from "./address.js";
import type { Options } from "./arguments.js";
import { connection, given, length, littleRoom, milliseconds, request, withClient } from "./client-options.js";
import { completion } from "./completion.js";
import { checkSave, refuseJournal } from "./dry-run.js";
import { configError, exitCode, isFailure, kindOf, OUTCOME_UNKNOWN, type Failure } from "./exit-codes.js";
import { BATCH_JOURNAL, batchLine, defaultJournal, isFolder, knownJournals, namedJournal, paidRecords, unwritable, type Fields } from "./journals.js";
import {
  dollars, errorFields, estimateFields, ownCommand, plainly, spendingFields, spendingLine, summaryFields, summaryLines, textOf, write, type Output,
} from "./output.js";
import { reportText } from "./report.js";
import type { Interruption } from "./signals.js";

/** What a command is given: its options, where it prints, and the end that it may be asked for. */
export interface Call {
  options: Options;
  output: Output;
  interruption: Interruption;
}

const signalOf = ({ interruption }: Call): { signal: AbortSignal } => ({ signal: interruption.signal });
const seconds = (date: Date): number => Math.round(date.getTime() / 1000);

const taskFields = (task: Task): Fields => ({
  task_id: task.id, status: task.status, progress: task.progress, video_url: task.videoURL, fail_reason: task.failReason,
  billed_seconds: task.billedSeconds, charged_units: task.chargedUnits,
});

function taskLine(task: Task): string {
  const progress = task.progress === null ? "" : `${task.progress.toFixed(0).padStart(3)} %`;
  return `status    ${task.status.padEnd(12)} ${progress}`.trimEnd();
}

/** The command line that does the next step. */
function again(options: Options, command: string, taskId: string): string {
  const given = connection(options);
  const { output, overwrite, journal } = options as { output?: string; overwrite?: boolean; journal?: string };
  if (output && command === "save") given.push(["-o", output]);
  if (overwrite && command === "save") given.push("--overwrite");
  if (journal && journal !== defaultJournal()) given.push(["--journal", shownJournal(journal)]);
  return ownCommand(command, [taskId], given);
}

/** The file that is meant: a folder's name with a slash means a file in it. */
function target(output: string | undefined, name: string): string {
  return output && (output.endsWith("/") || (process.platform === "win32" && output.endsWith("\\"))) ? join(output, name) : output || name;
}

function created(task: Task, client: Client, output: Output): void {
  output.note(`endpoint  ${client.endpoint}`);
  for (const { message } of task.warnings) output.note(`warning: ${plainly(message)}`);
  output.note(`task      ${task.id}${task.billedSeconds === null ? "" : ` (billed ${task.billedSeconds} s)`}`);
}

function progress({ options, output }: Call): (task: Task) => void {
  let last: string | undefined;
  let charged: number | null = null;
  return (task) => {
    if (task.status !== "failed" && task.chargedUnits) charged = task.chargedUnits;
    if (task.status === "failed" && charged !== null) output.note(`refund    the server returns ${dollars(charged)} for a failed task`);
    output.resumeHints = unfinished(options, task.id);
    const line = taskLine(task);
    if (line !== last) output.note(line);
    last = line;
  };
}

const unfinished = (options: Options, taskId: string): string[] => [
  `the task is still running; wait for it:  ${again(options, "wait", taskId)}`,
  `then save its video:                     ${again(options, "save", taskId)}`,
];

/** What to change when the task has failed: waiting for it or saving it again is of no use. */
function afterFailure(options: Options): string[] {
  const key = options["key"] ? "; for the same key add --retry-failed" : "";
  return [`the charge is returned; change the prompt or the images, then create another video${key}`];
}

const saveOptions = (options: Options): { connections: number; overwrite: boolean } =>
  ({ connections: options["connections"] as number, overwrite: options["overwrite"] === true });


async function save(client: Client, video: Video, call: Call): Promise<number> {
  const { options, output } = call;
  if (video.taskId) output.resumeHints = [`resume the download:  ${again(options, "save", video.taskId)}`];
  const path = target(options["output"] as string | undefined, __options.fileNameOf!(client, video.taskId ?? "video"));
  refuseJournal(path, options["journal"] as string | undefined);
  const onProgress = (reached: { bytes: number; total: number | null }): void => { output.saveProgress(reached); };
  const summary = await video.save(path, { ...saveOptions(options), ...signalOf(call), createParents: true, sha256: options["sha256"] === true, onProgress });
  output.result({ task_id: video.taskId, ...summaryFields(summary) }, ...summaryLines(summary));
  return 0;
}

const timeout = (options: Options): { timeoutMs?: number } => given({ timeoutMs: milliseconds(options, "timeout") });

const generate = (call: Call): Promise<number> => withClient(call.options, async (client) => {
  const { options, output } = call;
  // Before anything is paid. Without --output the file is named after the task, which does not exist yet.
  const path = target(options["output"] as string | undefined, `task_${randomBytes(8).toString("hex")}.mp4`);
  const key = options["key"] as string | undefined;
  const known = key ? await client.videos.key(key, signalOf(call)) : null;
  // What this key has saved there is not in the way.
  if (known?.path !== resolve(path)) await checkSave(path, saveOptions(options), options["journal"] as string | undefined);
  const warning = littleRoom(path, length(options["seconds"]));
  if (warning) output.note(warning);
  output.failedHints = afterFailure(options);
  const notify = progress(call);
  let first = true;
  const onProgress = (task: Task): void => {
    if (first) created(task, client, output);
    first = false;
    notify(task);
  };
  const video = await client.videos.generate(request(options), { ...timeout(options), ...signalOf(call), onProgress });
  return save(client, video, call);
});

async function create(call: Call): Promise<number> {
  const { options, output } = call;
  const task = await withClient(options, async (client) => {
    const task = await client.videos.create(request(options), signalOf(call));
    created(task, client, output);
    return task;
  });
  output.result(taskFields(task), task.id);
  return 0;
}

async function estimate(call: Call): Promise<number> {
  const { options, output } = call;
  options["no_journal"] = true;
  // What needs a journal is no matter of the cost.
  const { key: _, retryFailed: __, ...asked } = request(options);
  const found = await withClient(options, (client) => client.videos.estimate(asked, signalOf(call)));
  const cost = found.usd === null ? "unknown" : `${dollars(found.units)} (${found.units} units)`;
  output.result(estimateFields(found), `cost      ${cost}`, `certainty ${found.certainty}`, `billed    ${found.billedSeconds} s`,
    ...found.notes.map((note) => `note      ${note}`));
  return 0;
}

async function get(call: Call): Promise<number> {
  const { options, output } = call;
  const task = await withClient(options, (client) => client.videos.get(options["task_id"] as string, signalOf(call)));
  output.result(taskFields(task), `task      ${task.id}`, taskLine(task), ...[
    task.videoURL && `video     ${task.videoURL}`, task.chargedUnits !== null && `charge    ${dollars(task.chargedUnits)}`,
    task.failReason && `reason    ${task.failReason}`,
  ].filter((line) => typeof line === "string"));
  return 0;
}

async function wait(call: Call): Promise<number> {
  const { options, output } = call;
  const id = options["task_id"] as string;
  const video = await withClient(options, (client) => {
    output.resumeHints = unfinished(options, id);
    output.failedHints = afterFailure(options);
    return client.videos.task(id).wait({ ...timeout(options), ...signalOf(call), onProgress: progress(call) });
  });
  output.result({ task_id: video.taskId, status: "succeeded", video_url: video.url }, `done; save its video:  ${again(options, "save", id)}`);
  return 0;
}

const saveTask = (call: Call): Promise<number> => withClient(call.options, async (client) => {
  call.output.failedHints = afterFailure(call.options);
  return save(client, await client.videos.video(call.options["task_id"] as string), call);
});

/** Each journal that is meant: the one that was named, or the user's and those of batches. */
function* journals(options: Options): Generator<string> {
  if (options["no_journal"] === true) throw configError("this command reads the journal: leave out --no-journal, or name another one by --journal FILE");
  for (const journal of knownJournals(options["journal"] as string | undefined)) {
    options["journal"] = journal;
    yield journal;
  }
}

/** True where it is this journal that cannot be used: others can be. */
const isUnusable = (journal: string, error: Failure): boolean =>
  kindOf(error) === "journal" || (kindOf(error) === "config" && !isDatabase(journal) && unwritable(journal) !== undefined);

const nameOf = (entry: Pending): string => (entry.kind === "task" ? entry.taskId : entry.intent);

const pendingFields = (entry: Pending): Fields => ({
  kind: entry.kind, task_id: entry.kind === "task" ? entry.taskId : null, intent: entry.kind === "task" ? null : entry.intent, model: entry.model,
  seconds: entry.seconds, state: entry.kind === "task" ? entry.state : entry.reason, created_at: seconds(entry.createdAt), key: entry.key, prompt: entry.prompt,
});

/** An entry for people: state, date, what it is and what for. */
function pendingLine(entry: Pending, place: Fields): string {
  const at = entry.createdAt;
  const two = (number: number): string => String(number).padStart(2, "0");
  const when = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
  const what = entry.kind === "task" ? entry.taskId : `create request ${entry.intent}, outcome unknown: check your account's usage page`;
  const parts = [`${String(pendingFields(entry)["state"]).padEnd(10)} ${when}  ${what}  ${entry.model}`];
  if (entry.seconds) parts.push(`${entry.seconds} s`);
  if (entry.prompt) {
    const letters = [...entry.prompt.split(/\s+/).filter(Boolean).join(" ")];
    parts.push(letters.length <= 60 ? `"${letters.join("")}"` : `"${letters.slice(0, 59).join("")}…"`);
  }
  if ("folder" in place) parts.push(`batch ${String(place["folder"])}${place["line"] ? `, line ${String(place["line"])}` : ""}`);
  return parts.join("  ");
}

async function pending(call: Call): Promise<number> {
  const { options, output } = call;
  if (options["output"]) {
    const named = options["journal"];
    const code = await withClient(options, (client) => resume(client, call));
    if (named === undefined) await tellOfBatches(call);
    return code;
  }
  let [code, count] = [0, 0];
  const unknown = new Set<string>();
  for (const journal of journals(options)) {
    let entries;
    try {
      entries = await withClient(options, (client) => client.videos.pending(signalOf(call)));
    } catch (error) {
      if (!isFailure(error) || !isUnusable(journal, error)) throw error;
      // The other journals are read all the same.
      output.journal = journal;
      output.failure(error);
      code = Math.max(code, exitCode(error));
      continue;
    }
    for (const entry of entries) {
      const place = batchLine(journal, entry.key);
      output.result({ ...pendingFields(entry), journal: shownJournal(journal), ...place }, pendingLine(entry, place));
      count += 1;
      if (entry.kind === "unknown") unknown.add(journal);
    }
  }
  if (count === 0 && code === 0) output.note("nothing is pending");
  for (const journal of unknown) {
    // The command looks into one journal.
    const named = journal === defaultJournal() ? [] : [["--journal", basename(journal) === BATCH_JOURNAL ? dirname(journal) : shownJournal(journal)] as const];
    const again = ownCommand("reconcile", [], [...connection(options), ...named]);
    output.note(`what became of a create request of unknown outcome:  ${again}  (or, by hand, junfeiai resolve)`);
  }
  return code;
}

async function resume(client: Client, call: Call): Promise<number> {
  const { options, output } = call;
  let code = 0;
  output.resumeHints = ["run the same command again to resume"];
  const begun = performance.now();
  for await (const { taskId, summary, error } of client.videos.resumePending(options["output"] as string, signalOf(call))) {
    // What was interrupted is told once, for all of them.
    if (error && call.interruption.signal.aborted) throw error;
    if (error) {
      code = Math.max(code, exitCode(error));
      output.result({ task_id: taskId, error: errorFields(error) }, `error: ${textOf(error)}`);
    } else {
      // Relative, where the folder is.
      const path = join(options["output"] as string, basename(summary.path));
      const elapsedMs = performance.now() - begun;
      output.result({ task_id: taskId, ...summaryFields({ ...summary, path, elapsedMs }) }, `saved     ${path}`);
    }
  }
  return code;
}

/** The folders of batches, and what is pending in each, where something is. */
async function* ofBatches(call: Call): AsyncGenerator<{ folder: string; entries: readonly Pending[] }> {
  const { options } = call;
  for (const journal of knownJournals(undefined)) {
    if (basename(journal) !== BATCH_JOURNAL) continue;
    options["journal"] = journal;
    let entries;
    try {
      entries = await withClient(options, (client) => client.videos.pending(signalOf(call)));
    } catch (error) {
      if (!isFailure(error) || !isUnusable(journal, error)) throw error;
      continue;
    }
    if (entries.length > 0) yield { folder: dirname(journal), entries };
  }
}

/** Says what was paid for in the folders of batches, which save it to the files of their lists. */
async function tellOfBatches(call: Call): Promise<void> {
  const { options, output } = call;
  for await (const { folder, entries } of ofBatches(call)) {
    const again = ownCommand("pending", [], [["-o", options["output"] as string], ...connection(options), ["--journal", folder]]);
    output.note(`the batch in ${folder} has ${entries.length} more, which are not saved: run it again, or  ${again}`);
  }
}

/** Applies `change` to the pending entry that the command names, in whichever journal it is. */
async function settle(call: Call, change: (client: Client, entry: Pending) => Promise<boolean>, state: string): Promise<number> {
  const { options, output } = call;
  const name = options["name"] as string;
  let broken: Failure | undefined;
  for (const journal of journals(options)) {
    let settled: Pending | undefined;
    try {
      settled = await withClient(options, async (client) => {
        for (const entry of await client.videos.pending(signalOf(call))) if (nameOf(entry) === name && await change(client, entry)) return entry;
        return undefined;
      });
    } catch (error) {
      if (!isFailure(error) || !isUnusable(journal, error)) throw error;
      // It may be in another one.
      output.journal = journal;
      broken = error;
      continue;
    }
    if (settled) {
      const place = batchLine(journal, settled.key);
      const line = place["line"] ? ` (batch ${String(place["folder"])}, line ${String(place["line"])})` : "";
      output.result({ name, state, journal: shownJournal(journal), ...place }, `${state.padEnd(10)} ${name}${line}`);
      return 0;
    }
  }
  if (broken) throw broken;
  throw configError(`no journal has a pending ${name}: junfeiai pending lists what there is; --journal names another journal`);
}

function resolveUnknown(call: Call): Promise<number> {
  const taskId = call.options["task_id"] as string | undefined;
  const change = (client: Client, entry: Pending): Promise<boolean> => {
    if (entry.kind === "task") throw configError(`${entry.taskId} is a task, whose outcome is known: wait for it, or forget it`);
    return client.videos.resolveUnknown(entry.intent, taskId);
  };
  return settle(call, change, taskId ? "created" : "not created");
}

const forget = (call: Call): Promise<number> => settle(call, (client, entry) =>
  (entry.kind === "task" ? client.videos.forget(entry.taskId) : client.videos.resolveUnknown(entry.intent)), "forgotten");

function exported({ options, output }: Call): number {
  const named = options["journal"] as string | undefined;
  const journal = named === undefined ? defaultJournal() : namedJournal(named);
  if (journal !== undefined && isDatabase(journal)) throw configError("export reads a file, and this is the address of a database: junfeiai pending lists what it has");
  if (journal === undefined) throw configError("this user has no home folder: name the journal by --journal FILE");
  if (isFolder(journal)) throw configError(`${journal} is a folder, whose rows are files: copy it as it is; junfeiai pending lists what it has`);
  if (!existsSync(journal)) throw configError(`there is no journal ${journal}: name another one by --journal FILE`);
  let count = 0;
  for (const record of paidRecords(journal)) {
    count += 1;
    const name = record["task_id"] ?? `create request ${String(record["intent"])}`;
    const what = ["model", "key", "prompt"].filter((field) => record[field]).map((field) => String(record[field])).join("  ");
    output.result(record, `${String(record["state"]).padEnd(10)} ${String(name)}  ${what}`.trimEnd());
  }
  if (count === 0) output.note(`${journal} names nothing that was paid for`);
  return 0;
}

async function reconcile(call: Call): Promise<number> {
  const { options, output } = call;
  // Never arguments: those are visible to others on the machine.
  const accountToken = process.env["JUNFEIAI_ACCOUNT_TOKEN"] || null;
  const accountUser = (accountToken && process.env["JUNFEIAI_ACCOUNT_USER"]) || null;
  const named = options["journal"];
  const { entries, retryAfterMs } = await withClient(options, (client) => client.videos.reconcile({ accountToken, accountUser, ...signalOf(call) }));
  for (const entry of entries) {
    const fields = {
      intent: entry.intent, key: entry.key, model: entry.model, seconds: entry.seconds, created_at: seconds(entry.createdAt), verdict: entry.verdict,
      reason: entry.reason, task_id: entry.taskId, request_id: entry.requestId, charged_units: entry.chargedUnits,
    };
    output.result(fields, `${entry.verdict.padEnd(11)} ${entry.taskId ?? `create request ${entry.intent}`}  ${entry.model}: ${entry.reason}`);
  }
  if (entries.length === 0) output.note("no create request is of unknown outcome");
  if (named === undefined) {
    for await (const { folder, entries: found } of ofBatches(call)) {
      const count = found.filter(({ kind }) => kind === "unknown").length;
      const again = ownCommand("reconcile", [], [...connection(options), ["--journal", folder]]);
      if (count > 0) output.note(`the batch in ${folder} has ${count} of unknown outcome:  ${again}`);
    }
  }
  if (retryAfterMs !== null) output.note(`ask again in ${(retryAfterMs / 1000).toFixed(0)} s`);
  return entries.every(({ verdict }) => verdict === "charged" || verdict === "not_charged") ? 0 : OUTCOME_UNKNOWN;
}

async function spent(call: Call): Promise<number> {
  const { options, output } = call;
  const lines = await withClient(options, (client) => client.videos.spending(options["since"] as string | undefined, signalOf(call)));
  for (const line of lines) output.result(spendingFields(line), spendingLine(line));
  if (lines.length === 0) output.note("the journal knows of no create requests");
  else if (!output.json) write(`total      ${dollars(lines.reduce((sum, line) => sum + line.chargedUnits - line.refundedUnits, 0))}\n`);
  return 0;
}

async function doctor(call: Call): Promise<number> {
  const { options, output } = call;
  options["no_journal"] = true;
  const report = await withClient(options, (client) => client.check({ account: options["account"] === true, ...signalOf(call) }));
  const { fields, text, ok, failed } = reportText(report);
  output.result(fields, text);
  if (ok) return 0;
  return failed.includes("key") ? 5 : 6;
}

/** Every command by its name. What is seldom wanted is loaded when it is. */
export const RUN: Record<string, (call: Call) => Promise<number> | number> = {
  generate, create, estimate, get, wait, save: saveTask, pending, resolve: resolveUnknown, forget, export: exported, reconcile, spent, doctor,
  batch: async (call) => (await import("./batch.js")).batch(call),
  serve: async (call) => (await import("./local-server.js")).serve(call),
  play: async (call) => (await import("./local-server.js")).play(call),
  completion: ({ options }) => completion(options["shell"] as string),
};

