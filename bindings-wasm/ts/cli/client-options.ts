/** What the options of the command are for the library. */
import { readFileSync, statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Client, type ClientOptions, type VideoRequest } from "#main";
import { FileJournal } from "../file-journal.js";
import type { Options } from "./arguments.js";
import { CommandError, configError } from "./exit-codes.js";
import { isFolder, journalOf, optionalJournal, requiredJournal } from "./journals.js";
import { logOptions } from "./log.js";
import { systemError, type Given } from "./output.js";

/** What does its work without a journal, and notes in it where there is one. */
const WITHOUT_JOURNAL = ["get", "wait", "save", "serve", "play"];

const PAYS = ["generate", "create"];

/** What of an option that is not there is left out. */
export const given = <T extends object>(values: { [name in keyof T]: T[name] | undefined }): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;

/** An option in seconds as the library takes it. */
export function milliseconds(options: Options, name: string): number | undefined {
  const seconds = options[name] as number | undefined;
  if (seconds === undefined) return undefined;
  const [kind, advice] = name === "timeout" ? ["invalid_request", "correct the request; nothing was sent"] : ["config", "correct the client's options"];
  if (!(seconds >= 0)) throw new CommandError(kind, `${name} must be a number of seconds, not ${seconds}; ${advice}`);
  return seconds * 1000;
}

/** The client's options out of the command's. The key is never on the command line, where others can read it. */
export async function clientOptions(options: Options): Promise<ClientOptions> {
  let apiKey: string | undefined;
  if (typeof options["api_key_file"] === "string") {
    let bytes;
    try {
      bytes = readFileSync(options["api_key_file"]);
    } catch (error) {
      // Node does not name what it could open and not read.
      throw configError(`--api-key-file: ${systemError(Object.assign(error as Error, { path: options["api_key_file"] }))}`);
    }
    // What PowerShell of Windows writes by `>` is UTF-16, with a mark in front.
    const mark = bytes.toString("latin1", 0, 2);
    const encoding = mark === "\xff\xfe" ? "utf-16le" : mark === "\xfe\xff" ? "utf-16be" : "utf-8";
    apiKey = new TextDecoder(encoding).decode(bytes).trim();
    if (apiKey.includes("\ufffd")) throw configError(`--api-key-file: ${options["api_key_file"]} is not a text file: it should hold the key alone`);
  }
  const strict = options["max_cost_strict"] === true;
  const client: ClientOptions = given<ClientOptions>({
    apiKey, baseURL: options["base_url"] as string | undefined, pollIntervalMs: milliseconds(options, "poll_interval"),
    maxCost: options["max_cost"] as number | undefined, maxCostStrict: strict || undefined, budget: options["budget"] as number | undefined,
    ...logOptions(options["verbose"] as number),
  });
  if (options["no_journal"] === true) {
    const needing = PAYS.includes(options.command) ? ["key", "budget"].find((name) => options[name] !== undefined) : undefined;
    if (needing !== undefined) throw configError(`--${needing} needs a journal: leave out --no-journal`);
    return client;
  }
  const named = options["journal"] as string | undefined;
  // Commands that neither pay nor list what was paid do without a journal where there is none.
  const path = WITHOUT_JOURNAL.includes(options.command) ? optionalJournal(named) : requiredJournal(named);
  if (path === undefined) return client;
  options["journal"] = path;
  // The file is no store of rows: the library takes it from its own command alone.
  return { ...client, journal: await journalOf(path) as ClientOptions["journal"], journalPrompts: options["journal_prompts"] === true };
}

/** Calls a function with a client of these options. */
export async function withClient<T>(options: Options, work: (client: Client) => Promise<T>): Promise<T> {
  const how = await clientOptions(options);
  const client = new Client(how);
  try {
    await opened(client, how.journal);
    return await work(client);
  } finally {
    await close(client, how.journal);
  }
}

/** Reads a journal file before anything else: what is no journal, or a damaged one, is refused as the other languages refuse it. */
export async function opened(client: Client, journal: ClientOptions["journal"]): Promise<void> {
  if ((journal as unknown) instanceof FileJournal) await client.videos.pending();
}

/** Ends a client, and what it is still writing. */
export async function close(client: Client, journal: ClientOptions["journal"]): Promise<void> {
  await (journal as Partial<FileJournal> | undefined)?.idle?.();
  client[Symbol.dispose]();
}

/** The options of a command line that asks the same endpoint with the same key. */
export const connection = (options: Options): Given[] =>
  ["base-url", "api-key-file"].flatMap((name): Given[] => {
    const value = options[name.replaceAll("-", "_")];
    return value ? [[`--${name}`, value as string]] : [];
  });

/** A URL as it is, anything else as the bytes of a file. */
export function image(text: string, folder = ""): string | Uint8Array {
  if (text === "") throw new CommandError("invalid_request", "the name of an image is empty: give a file or a URL");
  if (/^(https?:\/\/|data:)/.test(text)) return text;
  try {
    return readFileSync(resolve(folder, text));
  } catch (error) {
    throw new CommandError("io", `the image ${text} cannot be read: ${(error as Error).message}; check the path, its rights and the disk`);
  }
}

/** The request that the options describe. */
export function request(options: Options): VideoRequest {
  if (options["prompt"] === "-") {
    throw new CommandError("invalid_request", "the prompt is only -, and standard input is not read for it: write the prompt itself");
  }
  const images = (options["image"] as string[] | undefined ?? []).map((text) => image(text));
  return given<VideoRequest>({
    prompt: options["prompt"] as string, model: options["model"] as string | undefined, seconds: options["seconds"] as string | undefined,
    size: options["size"] as string | undefined, image: images.length === 1 ? images[0] : undefined, images: images.length > 1 ? images : undefined,
    validate: options["validate"] as VideoRequest["validate"], key: options["key"] as string | undefined, retryFailed: options["retry_failed"] === true,
  });
}

/** A warning where the videos may not fit on the disk. How long a file will be is not known before it is made. */
export function littleRoom(path: string, seconds: number): string | undefined {
  let folder = dirname(resolve(path));
  while (!isFolder(folder) && folder !== dirname(folder)) folder = dirname(folder);
  let free;
  try {
    const { bavail, bsize } = statfsSync(folder);
    free = bavail * bsize;
  } catch {
    return undefined;
  }
  if (free >= seconds * 1_000_000) return undefined;
  return `warning: ${(free / 1e6).toFixed(1)} MB are free in ${folder}, and a second of video has about 1 MB: make room to have it saved`;
}

/** A length in seconds that was asked for, or the server's. */
export function length(seconds: unknown): number {
  const number = seconds === undefined || seconds === null || seconds === "" ? NaN : Number(seconds);
  return Number.isNaN(number) ? 4 : number;
}
