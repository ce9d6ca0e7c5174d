/**
 * What can be judged before anything is paid, by the library itself: a client whose `fetch` sends nothing carries a call out as far
 * as its first request.
 */
import { createHash, randomBytes } from "node:crypto";
import { lstatSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Client, JunFeiAIError, type SaveOptions, type VideoRequest } from "#main";

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

/** Refuses a file that could not be saved, and options that cannot be used, as the save itself would. Leaves nothing behind. */
export async function checkSave(path: string, options: Pick<SaveOptions, "connections" | "overwrite">): Promise<void> {
  const target = resolve(path);
  let folder = dirname(target);
  while (!isThere(folder) && dirname(folder) !== folder) folder = dirname(folder);
  // A save would make the folders that are missing. Whether it can is seen by a file in the folder that is there, of a name of its
  // own: other checks may run.
  const place = folder === dirname(target) || path.includes("\0") || !couldBe(join(folder, basename(target))) ? target
    : join(folder, `.junfeiai-check-${randomBytes(8).toString("hex")}`);
  try {
    await firstRequest(async (client, signal) => (await client.videos.video("task_none")).save(place, { ...options, createParents: true, signal }));
  } catch (error) {
    throw error instanceof JunFeiAIError ? withoutTask(error) : error;
  }
}

/** Whether a file can have this name, and that of what is written beside it. */
function couldBe(path: string): boolean {
  try {
    lstatSync(`${path}.part.lock`, { throwIfNoEntry: false });
    return true;
  } catch {
    return false;
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
  const { code: kind, number, phase, message, field, attempts, transient } = error;
  const text = message.replace(" (task task_none)", "");
  return new JunFeiAIError({ kind, number, phase, message: text, text, field, attempts, transient }, error.cause);
}

/** SHA-256 of the request as a create would send it: what the journal knows a request by. Checks the request. */
export async function fingerprint({ key: _, retryFailed: __, ...request }: VideoRequest): Promise<string> {
  const body = await firstRequest((client, signal) => client.videos.create(request, { signal }));
  return createHash("sha256").update(body ?? "").digest("hex");
}
