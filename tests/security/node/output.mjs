// Provokes everything that the JavaScript binding can print or leave behind in Node, and searches all of it for the key.
//
// Started by ../run.py with the emulator's program and the package's folder as its arguments. Says "N passed, M failed".
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { serialize } from "node:v8";

const [program, home] = process.argv.slice(2).map((path) => resolve(path));
const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
const place = (entry) => (typeof entry === "string" ? entry : place(entry.node ?? entry.import ?? entry.default));
const entry = pathToFileURL(join(home, place(manifest.exports["."]))).href;

const KEY = 'sk-5eCr3tQ/+%"\\&=~Zq9';
// Of a gateway in front.
const PASSWORD = "hUnt3rTwo";
const CORE = "5eCr3tQ";
// Of an account, which only reconcile takes.
const TOKEN = 'acc0unt-7oK3nCoR3/+%"\\&=~Wx8';
const needlesOf = (secret, core) => [core, Buffer.from(secret).toString("hex"), [...Buffer.from(core)].join(","), [...Buffer.from(core)].join(", "),
  ...[0, 1, 2].map((offset) => {
    const coded = Buffer.concat([Buffer.alloc(offset, 32), Buffer.from(secret)]).toString("base64").replace(/=+$/, "");
    return coded.slice(offset + 1, -2);
  })];
const needles = [...needlesOf(KEY, CORE), ...needlesOf(TOKEN, "7oK3nCoR3")];

let passed = 0, failed = 0, searched = 0;

function check(what, good) {
  if (good) { passed += 1; return; }
  failed += 1;
  process.stdout.write(`FAILED ${what}\n`);
}

function clean(what, ...texts) {
  for (const text of texts.map(String)) {
    searched += text.length;
    const needle = needles.find((each) => text.includes(each));
    if (needle !== undefined) {
      const at = text.indexOf(needle);
      check(`${what} shows …${JSON.stringify(text.slice(Math.max(0, at - 80), at + 80))}`, false);
      return;
    }
  }
  check(what, true);
}

const attempt = (look) => { try { return look(); } catch (error) { return String(error); } };

/** Everything that JavaScript offers to look at an object with. */
function show(what, thing) {
  const texts = [
    attempt(() => inspect(thing, { depth: 12, showHidden: true, getters: true, showProxy: true })), attempt(() => JSON.stringify(thing)),
    attempt(() => String(thing)), attempt(() => serialize(thing).toString("latin1")), attempt(() => inspect(structuredClone(thing))),
  ];
  for (let level = thing; level && typeof level === "object"; level = Object.getPrototypeOf(level)) {
    for (const name of Reflect.ownKeys(level)) texts.push(String(name), attempt(() => inspect(thing[name], { depth: 3 })));
  }
  clean(what, ...texts);
}

function showError(what, error) {
  show(what, error);
  for (let at = error; at instanceof Error; at = at.cause) clean(what, at.stack, at.message, inspect(at));
}

// Whatever goes to the console, from whomever, and warnings.
let printed = "";
for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream);
  stream.write = (piece, ...rest) => {
    printed += piece;
    return write(piece, ...rest);
  };
}
process.on("warning", (warning) => { printed += inspect(warning); });

async function start() {
  const args = ["--port", "0", "--second-port", "0", "--api-key", KEY, "--exit-with-stdin", "--quiet", "--time-scale", "600"];
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const origin = (await lines.next()).value.split(" ").at(-1);
  await lines.next();
  const call = async (method, path, body) => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${origin}/__emulator/${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    return text ? JSON.parse(text) : null;
  };
  return { origin, child, call, scenario: (value) => call("PUT", "scenario", value) };
}

const escaped = [...KEY].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
const ECHOES = [
  JSON.stringify({ error: { message: `Invalid token ${KEY}`, type: "new_api_error", code: KEY } }),
  `{"error":{"message":"${escaped}"}}`,
  JSON.stringify({ code: "fail_to_fetch_task", message: JSON.stringify({ authorization: `Bearer ${KEY}` }), data: null }),
  JSON.stringify({ code: "success", data: { task_id: "task_1", status: "FAILURE", fail_reason: KEY, data: { [KEY]: KEY } } }),
  JSON.stringify({ id: "task_1", status: KEY, model: KEY, data: [{ id: KEY }] }),
  `<html>${KEY}</html>`,
];

const { Client, JunFeiAIError } = await import(entry);
const emulator = await start();
const folder = mkdtempSync(join(tmpdir(), "junfeiai-security-"));
const options = { apiKey: KEY, baseURL: `${emulator.origin}/v1`, pollIntervalMs: 20, headers: { "X-Gateway": PASSWORD } };
const client = new Client(options);

async function life() {
  show("Client", client);
  show("Videos", client.videos);
  const task = await client.videos.create({ prompt: `a prompt that holds ${KEY}`, seconds: 5 });
  show("Task", task);
  show("warnings", task.warnings);
  const waiting = task.wait({ onProgress: (seen) => show("a task in a callback", seen) });
  show("a promise", waiting);
  const video = await waiting;
  show("Video", video);
  show("a saved video", await video.save(join(folder, "v.mp4"), { onProgress: (progress) => show("progress", progress) }));
  show("a stream", attempt(() => video.stream()));
  show("the check", await client.check());
  for await (const seen of task.watch()) show("a task that is watched", seen);
}

async function echoes() {
  const calls = [
    () => client.videos.create("a ball"), () => client.videos.get("task_1"), async () => (await client.videos.task("task_1")).wait({ timeoutMs: 50 }),
    async () => (await client.videos.video("task_1")).readRange(0, 5), () => client.models(), () => client.balance(), () => client.check(),
  ];
  for (const body of ECHOES) {
    for (const status of [200, 401, 502]) {
      const headers = { "X-Oneapi-Request-Id": KEY, ETag: `"${KEY}"`, Location: `http://evil.example/${KEY}`, "Content-Type": KEY };
      await emulator.scenario({ rules: [{ match: { op: "any" }, fault: { kind: "status", status, body, headers, act: true } }] });
      for (const call of calls) {
        const limit = AbortSignal.timeout(400);
        const late = new Promise((_, reject) => limit.addEventListener("abort", () => reject(limit.reason)));
        // A read that is tried again and again has been seen once by then.
        await Promise.race([Promise.resolve().then(call), late]).then((it) => show("an answer", it), (error) => {
          check(`an error of this test: ${error}`, error instanceof JunFeiAIError || error === limit.reason);
          showError("an error", error);
        });
      }
    }
  }
  await emulator.scenario({});
}

async function account() {
  const owner = { name: "default", user_id: 7, access_token: TOKEN };
  const client = new Client({ ...options, journal: join(folder, "account") });
  for (const wrong of [`Bearer ${TOKEN}`, `${TOKEN}\n${TOKEN}`, [TOKEN], { [TOKEN]: TOKEN }, { toString: () => TOKEN }, Symbol(TOKEN)]) {
    for (const given of [{ accountToken: wrong }, { accountToken: TOKEN, accountUser: wrong }]) {
      await client.videos.reconcile(given).then((it) => check(`a wrong token is taken: ${inspect(it)}`, false), (error) => {
        // What cannot be shown at all is the caller's own object.
        if (typeof wrong === "string") showError("a refused token", error);
        else clean("a refused token", error.message, error.stack, JSON.stringify(error));
      });
    }
  }
  let errors = 0;
  for (const echo of [...ECHOES, JSON.stringify({ success: false, message: KEY })]) {
    const body = echo.replaceAll(JSON.stringify(KEY).slice(1, -1), JSON.stringify(TOKEN).slice(1, -1));
    for (const status of [200, 401]) {
      await emulator.scenario({ accounts: [owner], rules: [{ match: { op: "create" }, fault: { kind: "empty_body" } }] });
      await client.videos.create({ prompt: "a ball", seconds: 6 }).catch((error) => showError("a lost answer", error));
      await emulator.scenario({ rules: [{ match: { path_contains: "/api/task/self" }, fault: { kind: "status", status, body } }] });
      await client.videos.reconcile({ accountToken: TOKEN, accountUser: 7 }).then((it) => show("what was found", it), (error) => {
        errors += 1;
        showError("an error about the account", error);
      });
    }
  }
  check(`only ${errors} errors about the account`, errors > 5);
  await emulator.scenario({});
}

async function refusals() {
  for (const wrong of [
    { apiKey: `Bearer ${KEY}` }, { apiKey: `${KEY}\n${KEY}` }, { apiKey: [KEY] }, { apiKey: { [KEY]: KEY } }, { apiKey: Symbol(KEY) },
    { apiKey: { toString: () => KEY } }, { baseURL: `https://${KEY}@a.example/v1` }, { baseURL: `https://a.example/v1?key=${KEY}` },
    { trustedHosts: [`u:${KEY}@a.example`] }, { timeoutMs: -1 }, { unknown: 1 },
    { headers: { "X-Gateway": `${PASSWORD}\n` } }, { headers: { [`X-Gateway: ${PASSWORD}`]: "" } }, { headers: { Host: PASSWORD } },
    { headers: { "X-Gateway": [PASSWORD] } }, { headers: [["X-Gateway", PASSWORD]] }, { headers: { [`${KEY} x`]: PASSWORD } },
    { userAgent: `${PASSWORD}\r\n` },
  ]) {
    try {
      show(`an accepted ${Object.keys(wrong)}`, new Client({ ...options, ...wrong }));
    } catch (error) {
      showError(`a refused ${Object.keys(wrong)}`, error);
    }
  }
}

async function raising() {
  const own = (error) => () => { throw error; };
  for (const broken of [new Error(`Headers.append: "Bearer ${KEY}" is an invalid header value.`), new Error(`"${PASSWORD}" is an invalid header value.`), `Bearer ${KEY}`, { message: KEY, cause: { message: KEY } }]) {
    for (const fetch of [own(broken), () => Promise.reject(broken), async () => ({ status: 200, body: null, arrayBuffer: own(broken) })]) {
      const error = await new Client({ ...options, fetch, maxAttempts: 1 }).videos.create("x").then(() => undefined, (thrown) => thrown);
      check("a fetch that throws is an error of ours", error instanceof JunFeiAIError);
      clean("what a fetch threw", error?.message, JSON.stringify(error), error?.stack);
    }
  }
  const task = await client.videos.create("a ball");
  await task.wait({ onProgress: own(new Error("the callback's own")) }).then((it) => show("a video", it), (error) => showError("a callback that throws", error));
}

function programs() {
  const begin = `import { Client } from ${JSON.stringify(entry)}; const client = new Client(${JSON.stringify({ baseURL: options.baseURL, pollIntervalMs: 20 })}); `;
  const env = { ...process.env, JUNFEIAI_API_KEY: KEY, JUNFEIAI_LOG: "trace", NODE_DEBUG: "", NODE_OPTIONS: "" };
  for (const [name, code, expected] of [
    ["an uncaught error", `await client.videos.get("task_none")`, 1],
    ["an unhandled rejection", `client.videos.get("task_none"); await new Promise((done) => setTimeout(done, 2000))`, 1],
    ["a defect", `import { createRequire } from "node:module"; const task = await client.videos.create("a ball"); task.wait().catch((e) => console.error(e)); const { __panicForTests } = createRequire(import.meta.url)(${JSON.stringify(join(home, place(manifest.exports["."].node?.require ?? manifest.exports["."])))}); try { __panicForTests(); } catch (e) { console.error(e); }`, 0],
    ["everything printed", `console.dir(client, { depth: 9, showHidden: true }); console.dir(await (await client.videos.create("a ball")).wait(), { depth: 9 })`, 0],
  ]) {
    const done = spawnSync(process.execPath, ["--trace-uncaught", "--trace-warnings", "--input-type=module", "-e", begin + code], { env, cwd: folder, encoding: "utf8", timeout: 60_000 });
    clean(name, done.stdout, done.stderr);
    check(`${name} ended with ${done.status}: ${done.stderr.slice(-300)}`, done.status === expected);
  }
}

await life();
await echoes();
await account();
await refusals();
await raising();
programs();
await emulator.scenario({ task: { result_url: "second_host" } });
const task = await client.videos.create("a ball");
show("a video of another host", await (await task.wait()).bytes());
const { id } = await emulator.call("POST", "tasks", { state: "finished", video_bytes: 8 << 20 });
await emulator.scenario({ content: { rate_bytes_per_s: 3_000_000 } });
const stop = new AbortController();
await (await client.videos.video(id)).save(join(folder, "p.mp4"), { signal: stop.signal, onProgress: ({ bytes }) => { if (bytes > 0) stop.abort(); } }).then((it) => show("a save", it), (error) => showError("a save that ends early", error));
const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name).slice(folder.length + 1));
check(`a part stays behind: ${files}`, files.some((name) => name.startsWith("p.mp4.part")));
for (const name of files) clean(`the file ${name}`, readFileSync(join(folder, name), "latin1"), name);
const answer = await emulator.call("GET", "requests");
const requests = answer.requests ?? answer;
const second = requests.filter((request) => request.host === "second");
check("the second host was asked", second.length > 0);
check("the second host saw no key", second.every((request) => request.key === "none"));
check("the first host saw it", requests.some((request) => request.host === "first" && request.key === "valid"));
check(`only ${searched} characters were searched`, searched > 200_000);
clean("the console", printed);
emulator.child.stdin.end();
await once(emulator.child, "exit");
rmSync(folder, { recursive: true, force: true });
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed ? 1 : 0;
