/**
 * What can be judged before anything is paid, by the library itself: a client whose `fetch` sends nothing carries a call out as far
 * as its first request.
 */
import { createHash, randomBytes } from "node:crypto";
import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { Client, JunFeiAIError, __options, type SaveOptions, type VideoRequest } from "#main";
import { CommandError } from "./exit-codes.js";

/** Gives what the call would send first; `undefined` when it ends without that. */
async function firstRequest(call: (client: Client, signal: AbortSignal) => Promise<unknown>): Promise<Uint8Array | undefined> {
  const stop = new AbortController();
  let sent: Uint8Array | undefined;
  const client = new Client({
    apiKey: "none", baseURL: "http://127.0.0.1:9/v1",
    fetch: (_, init) => {
      sent ??= (init?.body ?? new Uint8Array()) as Uint8Array;
      stop.abort();
      return Promise.reject(new Error("nothing is sent"));
    },
  });
  try {
    await call(client, stop.signal);
  } catch (error) {
    if (sent === undefined) throw error;
  } finally {
    client[Symbol.dispose]();
  }
  return sent;
}

/** What stands beside a video while it is saved. The longest last. */
export const BESIDE = [".part", ".part.lock", ".part.state", ".part.stale"] as const;

/** The path with every link followed, as far as it exists. */
export function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(real(dirname(path)), basename(path));
  }
}

/** Refuses what would take the place of the journal, or has it for a folder: nobody knows then what was paid for. */
export function refuseJournal(path: string, journal: string | undefined): void {
  if (journal === undefined || path.includes("\0")) return;
  const target = resolve(path);
  // A link of that name is replaced, not what it leads to.
  const named = (file: string): string => join(real(dirname(file)), basename(file));
  const own = ["", ".lock", ".new"].map((suffix) => real(resolve(journal)) + suffix);
  const taken = ["", ...BESIDE].map((suffix) => named(target + suffix)).find((file) => own.includes(file));
  const inside = named(target).startsWith(own[0]! + sep);
  if (taken === undefined && !inside) return;
  throw new CommandError("io", `${taken ?? target} is a file of this client's journal: name another; check the path, its rights and the disk`);
}

/** Refuses a file that could not be saved, and options that cannot be used, as the save itself would. Leaves nothing behind. */
export async function checkSave(path: string, options: Pick<SaveOptions, "connections" | "overwrite">, journal: string | undefined): Promise<void> {
  refuseJournal(path, journal);
  const target = resolve(path);
  let folder = dirname(target);
  const missing = [];
  for (; !isThere(folder) && dirname(folder) !== folder; folder = dirname(folder)) missing.push(basename(folder));
  // A save would make the folders that are missing. Whether it can is seen by a file in the folder that is there, of a name of its
  // own: other checks may run.
  const longest = BESIDE[BESIDE.length - 1]!;
  // In a folder that is not there, no name is too long.
  const couldBe = canBe(target + longest) && canBe(join(folder, basename(target) + longest)) && missing.every((name) => canBe(join(folder, name)));
  if (!couldBe && !path.includes("\0")) throw new CommandError("io", `${target} cannot be used: a name in it is too long; take a shorter name; check the path, its rights and the disk`);
  const place = folder === dirname(target) || path.includes("\0") ? target
    : join(folder, `.junfeiai-check-${randomBytes(8).toString("hex")}`);
  try {
    await firstRequest(async (client, signal) => (await client.videos.video("task_none")).save(place, { ...options, createParents: true, signal }));
  } catch (error) {
    throw error instanceof JunFeiAIError ? withoutTask(error) : error;
  }
}

/** Whether a file can have this name. */
function canBe(path: string): boolean {
  try {
    lstatSync(path, { throwIfNoEntry: false });
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code !== "ENAMETOOLONG";
  }
}

/** Also a link that leads nowhere. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** There is no task yet. */
function withoutTask(error: JunFeiAIError): JunFeiAIError {
  const { code: kind, number, phase, field, attempts, transient } = error;
  const text = error.message.replace(" (task task_none)", "");
  return new JunFeiAIError({ kind, number, phase, message: __options.whatHappened(error), text, field, attempts, transient }, error.cause);
}

/** SHA-256 of the request as a create would send it: what the journal knows a request by. Checks the request. */
export async function fingerprint({ key: _, retryFailed: __, ...request }: VideoRequest): Promise<string> {
  const body = await firstRequest((client, signal) => client.videos.create(request, { signal }));
  return createHash("sha256").update(body ?? "").digest("hex");
}
