/**
 * `junfeiai serve` and `junfeiai play`: a video for players on this machine, with byte ranges so that they can seek.
 *
 * A file is served from the disk; a task's video is read from the service while it is played, and the key stays here. The server
 * listens on the loopback address alone, and only who knows the random part of the address gets anything: other users of the
 * machine, and web pages in a browser of this one, do not.
 */
import { spawn } from "node:child_process";
import { randomBytes, timingSafeEqual } from "node:crypto";
import { accessSync, constants, createReadStream, promises as fs } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { basename, delimiter, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as WebStream } from "node:stream/web";
import { getSystemErrorMap } from "node:util";
import { Client, __options, type Video } from "#main";
import { clientOptions } from "./client-options.js";
import type { Call } from "./commands.js";
import { configError } from "./exit-codes.js";
import { isFile, isFolder } from "./journals.js";

/** Players that are looked for, and what else they are told. */
const PLAYERS: Record<string, string[]> = { mpv: ["--force-window"], vlc: ["--play-and-exit"], ffplay: ["-autoexit"] };

/** What is served: a file of this machine, or the video of a task. */
interface Source {
  name: string;
  /** The response to this `Range` header. */
  answer(range: string | undefined, signal: AbortSignal): Promise<Response>;
}

function fileSource(path: string): Source {
  return {
    name: basename(path),
    async answer(range) {
      const { size } = await fs.stat(path);
      const [status, start, end] = __options.rangeOf!(range, size);
      if (status === 416) return new Response(null, { status, headers: { "content-range": `bytes */${size}` } });
      const headers = { "content-length": String(end - start), ...(status === 206 && { "content-range": `bytes ${start}-${end - 1}/${size}` }) };
      const body = end > start ? Readable.toWeb(createReadStream(path, { start, end: end - 1 })) : null;
      return new Response(body as ReadableStream | null, { status, headers });
    },
  };
}

const videoSource = (video: Video, name: string): Source => ({ name, answer: (range, signal) => video.response(range, { signal }) });

/** Whether two texts are the same, in a time that tells nothing of where they differ. */
function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Answers one request of a player. */
async function answer(source: Source, path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const refuse = (status: number, headers: Record<string, string> = {}): void => { response.writeHead(status, { ...headers, "content-length": "0" }).end(); };
  // A page whose name was made to mean this machine has another host (DNS rebinding).
  const host = (request.headers.host ?? "").replace(/:\d+$/, "").toLowerCase();
  if (!["127.0.0.1", "localhost"].includes(host) || !same(request.url ?? "", path)) return refuse(404);
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, { allow: "GET, HEAD" });
  const gone = new AbortController();
  response.on("close", () => { gone.abort(); });
  let found;
  try {
    // A part is asked for by GET alone; no version is named here that `If-Range` could mean.
    const range = request.method === "GET" && request.headers["if-range"] === undefined ? request.headers.range : undefined;
    found = await source.answer(range, gone.signal);
  } catch {
    return refuse(502);
  }
  const { status, headers, body } = found;
  const kept = Object.fromEntries(["content-length", "content-range"].flatMap((name) => (headers.has(name) ? [[name, headers.get(name)!]] : [])));
  if (status === 416) return refuse(status, kept);
  response.writeHead(status, {
    "content-type": "video/mp4", "accept-ranges": "bytes", "cache-control": "private, no-store", "x-content-type-options": "nosniff", ...kept,
  });
  if (request.method === "HEAD" || !body) {
    await body?.cancel();
    response.end();
    return;
  }
  // The player sees a short answer and asks again; one that goes away in the middle is no error.
  await pipeline(Readable.fromWeb(body as unknown as WebStream), response).catch(() => response.destroy());
}

/** Calls a function with the address of the server of what the command names. */
async function running<T>({ options, interruption }: Call, work: (url: string) => Promise<T>): Promise<T> {
  const port = options["port"] as number;
  if (!(port >= 0 && port <= 65_535)) throw configError("--port is 0 to 65535; 0 takes a free one");
  const what = options["what"] as string;
  let client: Client | undefined;
  let source: Source;
  if (isFile(what)) {
    source = fileSource(what);
  } else if (what === "" || /[/\\.]/.test(what) || isFolder(what)) {
    throw configError(`there is no file ${what}`);
  } else {
    client = new Client(await clientOptions(options));
    source = videoSource(await client.videos.video(what), __options.fileNameOf!(client, what));
  }
  // What cannot be read at all is said here and not to the player.
  await (await source.answer("bytes=0-0", interruption.signal)).body?.cancel();
  const path = `/${randomBytes(16).toString("base64url")}/${encodeURIComponent(source.name)}`;
  const server = createServer((request, response) => { void answer(source, path, request, response); });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: Error & { errno?: number }) => {
      const said = error.errno === undefined ? undefined : getSystemErrorMap().get(error.errno)?.[1];
      reject(configError(`--port ${port} cannot be used: ${said ?? error.message}; take another one, or leave it out`));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  try {
    return await work(`http://127.0.0.1:${(server.address() as { port: number }).port}${path}`);
  } finally {
    server.close();
    server.closeAllConnections();
    client?.[Symbol.dispose]();
  }
}

/** The command `serve`. */
export const serve = (call: Call): Promise<number> => running(call, async (url) => {
  call.output.result({ url }, url);
  call.output.note("Ctrl-C ends it");
  await call.interruption.wait();
  return 0;
});

/** The command `play`. */
export async function play(call: Call): Promise<number> {
  const command = playerOf(call.options["player"] as string | undefined);
  return running(call, async (url) => {
    call.output.note(`playing   ${url}`);
    const [program, ...words] = command ?? browser();
    const code = await ended(program!, [...words, url]);
    if (command) return code ? 1 : 0;
    if (code) throw configError("no player and no browser was found: install mpv, or name a player by --player COMMAND");
    call.output.note("Ctrl-C ends it");
    await call.interruption.wait();
    return 0;
  });
}

/** Runs a program; its output is progress, not a result. */
function ended(program: string, words: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, words, { stdio: ["ignore", 2, 2] });
    child.once("error", () => { resolve(127); });
    child.once("exit", (code) => { resolve(code ?? 1); });
  });
}

/** What opens an address in the browser. */
const browser = (): string[] => ({ darwin: ["open"], win32: ["rundll32", "url.dll,FileProtocolHandler"] } as Record<string, string[]>)[process.platform] ?? ["xdg-open"];

/** Whether there is such a program. */
function exists(name: string): boolean {
  const endings = process.platform === "win32" ? ["", ".exe", ".cmd"] : [""];
  if (name === "") return false;
  const places = /[/\\]/.test(name) ? [""] : (process.env["PATH"] ?? "").split(delimiter);
  return places.some((place) => endings.some((ending) => {
    try {
      const path = place ? join(place, name + ending) : name + ending;
      accessSync(path, constants.X_OK);
      return isFile(path);
    } catch {
      return false;
    }
  }));
}

/** The player's command line; nothing for the browser. */
function playerOf(name: string | undefined): string[] | undefined {
  if (name === "browser") return undefined;
  if (name !== undefined) {
    if (!exists(name)) throw configError(`there is no player ${name}: name a program, or browser`);
    return [name, ...PLAYERS[basename(name)] ?? []];
  }
  const found = Object.entries(PLAYERS).find(([player]) => exists(player));
  return found && [found[0], ...found[1]];
}
