// make web: the demo page and, on the same origin, the proxy handler with the key. Against the emulator; with
// JUNFEIAI_API_KEY set and --service given, against the service itself, WHICH COSTS MONEY.
//
//     server.mjs [--service]    PORT=8787
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, normalize, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const dist = join(root, "target/npm/package/dist");
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm" };

async function emulator() {
  const program = process.env.JUNFEIAI_EMULATOR ?? resolve(root, process.env.CARGO_TARGET_DIR || "target", "debug/junfeiai-emulator");
  const child = spawn(program, ["--port", "0", "--api-key", "sk-demo", "--time-scale", "8", "--quiet", "--exit-with-stdin"], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const failed = new Promise((_, reject) => {
    child.once("error", (error) => reject(new Error(`the emulator does not start (${error.message}): run make web`)));
  });
  const { value } = await Promise.race([lines.next(), failed]);
  if (!value) throw new Error(`${program} does not say where it listens: run make web`);
  const origin = value.split(" ").at(-1);
  return { origin, stop: () => { child.stdin.end(); } };
}

/** Starts the server. `against`: the origin of an emulator that runs already, with its key. `worker`: the file of the service worker. */
export async function serve({ port = 0, service = false, against, worker = join(dist, "playback-worker.js") } = {}) {
  const { createProxyHandler, toNodeHandler } = await import(join(dist, "server.js"));
  const own = service || against ? undefined : await emulator();
  const options = service ? {} : { apiKey: against?.key ?? "sk-demo", baseURL: `${against?.origin ?? own.origin}/v1` };
  // Everybody who reaches this port may create tasks: it listens on localhost only.
  const proxy = toNodeHandler(createProxyHandler({ ...options, basePath: "/api/junfeiai", allow: () => true }));
  const server = createServer((request, response) => {
    // Where it costs money: a page that was loaded from elsewhere, and whose name leads here now, is none of ours.
    if (service && !/^(?:localhost|127\.0\.0\.1)(?::\d+)?$/.test(request.headers.host ?? "")) {
      return void response.writeHead(403).end("open this page as localhost");
    }
    const path = new URL(request.url, "http://x").pathname;
    if (path.startsWith("/api/junfeiai/")) return void proxy(request, response);
    if (path === "/config.json") {
      response.writeHead(200, { "Content-Type": "application/json" });
      // The emulator's key opens nothing. That of the service never leaves this process.
      return void response.end(JSON.stringify(service ? { emulator: false } : { emulator: true, baseURL: options.baseURL, key: options.apiKey }));
    }
    const name = path === "/" ? "index.html" : normalize(path).replace(/^[/\\]+/, "");
    const file = path === "/junfeiai-playback-worker.js" ? worker
      : name.startsWith("junfeiai/") ? join(dist, name.slice(9)) : join(here, name);
    readFile(file).then(
      (bytes) => {
        response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Cache-Control": "no-cache" });
        response.end(bytes);
      },
      () => { response.writeHead(404).end("not found"); },
    );
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve)).catch((error) => {
    own?.stop();
    throw error;
  });
  const origin = `http://127.0.0.1:${server.address().port}`;
  return { origin, stop: () => { server.close(); server.closeAllConnections(); own?.stop(); } };
}

/** Ends the program. */
function fail(text) {
  console.error(`demo: ${text}`);
  process.exit(1);
}

/** What the command line says; an argument that there is not ends the program. */
function options(usage) {
  try {
    return parseArgs({ options: { service: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } } }).values;
  } catch (error) {
    console.error(`demo: ${error.message}\n${usage}`);
    process.exit(2);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const usage = "usage: node bindings-wasm/demo/server.mjs [--service]; PORT=8787. With --service it asks the service itself, with JUNFEIAI_API_KEY, WHICH COSTS MONEY";
  const { service, help } = options(usage);
  if (help) {
    console.log(usage);
    process.exit();
  }
  const port = process.env.PORT || "8787";
  if (!/^\d+$/.test(port) || Number(port) > 65_535) fail(`PORT is a number from 0 to 65535 and not ${port}`);
  const { origin } = await serve({ port: Number(port), service }).catch((error) => {
    fail(error.code === "EADDRINUSE" ? `port ${port} is in use: give another one, PORT=8788` : error.message);
  });
  console.log(service ? "This is the service itself: each video COSTS MONEY." : "This runs against the emulator and costs nothing.");
  console.log(`open ${origin}`);
}
