// The command, where it is JavaScript's own: processes at once on one journal file, locks, players, closed pipes, completion. What it has
// in common with Python's command is in tests/scenarios/cli, which tests/conformance/command.py gives to both.
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { appendFile, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { KEY, root, startEmulator } from "./emulator.mjs";

const dist = join(root, "target/npm/package/dist");
const exec = promisify(execFile);
let emulator, folder;

before(async () => { emulator = await startEmulator({ second: false }); });
after(() => { emulator.stop(); });
beforeEach(async () => {
  await emulator.reset();
  await emulator.forget();
  folder = await mkdtemp(join(tmpdir(), "junfeiai-cli-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const environment = (more = {}) => {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("JUNFEIAI_") || name === "JUNFEIAI_EMULATOR");
  return { ...Object.fromEntries(kept), JUNFEIAI_API_KEY: KEY, JUNFEIAI_BASE_URL: emulator.baseURL, XDG_STATE_HOME: join(folder, "state"), ...more };
};
const words = (given) => [join(dist, "cli.js"), ...given, "--poll-interval", "0.02"];

/** A command that runs. */
function start(given, { env, stdio = ["pipe", "pipe", "pipe"] } = {}) {
  const child = spawn(process.execPath, words(given), { cwd: folder, env: environment(env), stdio });
  const said = { out: "", err: "" };
  child.stdout?.on("data", (piece) => { said.out += piece; });
  child.stderr?.on("data", (piece) => { said.err += piece; });
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => { resolve({ code: code ?? signal, ...said }); });
  });
  return { child, said, ended };
}

/** A command that has run. */
async function run(given, { code = 0, input = "", ...how } = {}) {
  const { child, ended } = start(given, how);
  child.stdin?.end(input);
  const result = await ended;
  assert.equal(result.code, code, result.out + result.err);
  assert.ok(!(result.out + result.err).includes(KEY), "the key is in no output");
  return { ...result, values: () => result.out.split("\n").filter(Boolean).map((line) => JSON.parse(line)) };
}

const journal = () => join(folder, "state/junfeiai/journal");
const posts = async () => (await emulator.stats()).posts;

async function until(what) {
  for (let tries = 0; !(await what()); tries += 1) {
    assert.ok(tries < 3000, "in vain");
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

describe("the journal file", () => {
  test("of many processes at once one creates the task of a key", async () => {
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => run(["create", "x", "--seconds", "4", "--key", "film/1"])));
    assert.equal(new Set(all.map(({ out }) => out)).size, 1);
    assert.equal(await posts(), 1);
    assert.equal((await run(["pending", "--json"])).values().length, 1);
  });

  test("processes at once do not exceed the budget of a day together", async () => {
    // It is one of a UTC day, which must not end meanwhile.
    const left = 86_400_000 - Date.now() % 86_400_000;
    if (left < 120_000) await new Promise((resolve) => { setTimeout(resolve, left + 1000); });
    // 0.3 USD each.
    const all = [1, 2, 3, 4, 5].map((n) => start(["create", `x ${n}`, "--seconds", "6", "--budget", "0.7"]));
    for (const { child } of all) child.stdin.end();
    const codes = (await Promise.all(all.map(({ ended }) => ended))).map(({ code }) => code).sort();
    assert.deepEqual(codes, [0, 0, 2, 2, 2]);
    assert.equal(await posts(), 2);
  });

  test("a pipe is no journal, and nobody waits for its other end", async () => {
    for (const [pipe, named] of [["pipe", "pipe"], ["j.lock", "j"]]) {
      assert.equal(spawnSync("mkfifo", [join(folder, pipe)]).status, 0);
      const { err } = await run(["create", "x", "--seconds", "4", "--journal", named], { code: 2 });
      assert.match(err, /is not a regular file/);
    }
    assert.equal(await posts(), 0);
  });

  test("what a killed process left torn is passed over, and cut off by the next record", async () => {
    await run(["create", "x", "--seconds", "4"]);
    const whole = await readFile(journal(), "utf8");
    await appendFile(journal(), '{"v":1,"at":1,"event":"int');
    assert.equal((await run(["pending", "--json"])).values().length, 1);
    await run(["create", "y", "--seconds", "4"]);
    const lines = (await readFile(journal(), "utf8"));
    assert.ok(lines.startsWith(whole) && !lines.includes('"int\n') && !lines.includes('"event":"int{'), lines);
    for (const line of lines.trimEnd().split("\n")) JSON.parse(line);
    assert.equal((await run(["pending", "--json"])).values().length, 2);
  });

  test("a process that is killed while it creates leaves a request of unknown outcome, which is not sent again", async () => {
    await emulator.scenario({ rules: [{ match: { op: "create" }, times: 1, fault: { kind: "hang" } }] });
    const { child, ended } = start(["create", "x", "--seconds", "4", "--key", "k"]);
    await until(async () => (await posts()) === 1);
    child.kill("SIGKILL");
    await ended;
    const [left] = (await run(["pending", "--json"])).values();
    assert.deepEqual([left.kind, left.key, left.state], ["unknown", "k", "crashed"]);
    await run(["create", "x", "--seconds", "4", "--key", "k"], { code: 7 });
    assert.equal(await posts(), 1);
    await run(["resolve", left.intent, "--not-created"]);
    await run(["create", "x", "--seconds", "4", "--key", "k"]);
    assert.equal(await posts(), 2);
  });

  test("a folder of the JavaScript library is a journal, too", async () => {
    const { Client } = await import("junfeiai");
    const task = await new Client({ apiKey: KEY, baseURL: emulator.baseURL, journal: join(folder, "kept") }).videos.create({ prompt: "x", seconds: 4 });
    const [entry] = (await run(["pending", "--journal", "kept", "--json"])).values();
    assert.equal(entry.task_id, task.id);
    await run(["forget", task.id, "--journal", "kept"]);
    assert.match((await run(["pending", "--journal", "kept"])).err, /nothing is pending/);
    assert.equal(await posts(), 1);
  });

  test("a database needs its driver, and an address that can be read", async () => {
    for (const [address, name] of [["postgresql://films:secret@127.0.0.1/films", "pg"], ["rediss://:secret@127.0.0.1/0", "ioredis"]]) {
      const { err } = await run(["create", "x", "--journal", address], { code: 2 });
      assert.match(err, new RegExp(`npm install ${name}\\n$`));
      assert.doesNotMatch(err, /secret/);
    }
    // The one of the working folder is taken.
    await mkdir(join(folder, "node_modules/pg"), { recursive: true });
    await writeFile(join(folder, "node_modules/pg/index.js"), 'throw new Error("the driver of the folder\\nRequire stack:");');
    assert.match((await run(["create", "x", "--journal", "postgres://films:secret@127.0.0.1/films"], { code: 2 })).err, /^error: .*the driver of the folder\n$/);
    await mkdir(join(folder, "node_modules/ioredis"), { recursive: true });
    await writeFile(join(folder, "node_modules/ioredis/index.js"), "module.exports = class Redis {};");
    assert.match((await run(["create", "x", "--journal", "redis://:secret@127.0.0.1/0"], { code: 2 })).err, /^error: .*older than version 5.*\n$/);
    for (const [address, why] of [
      ["mysql://u:secret@h/d", /begins with postgresql:/], ["postgresql:/u:secret@h/d", /begins with postgresql:/], ["postgresql://u:secret@h:0/d", /cannot be read/],
      ["postgresql://u:secret@h/d?port=secret", /cannot be read/], ["postgresql://u:x@secret@h/d", /cannot be read/], ["rediss://u:secret@h:65536", /cannot be read/],
      ["postgresql://u:secret@/d", /names no host/], ["postgresql://u:secret@h,i/d", /several hosts/],
      ["postgresql://u:secret@h/d?sslmode=secret", /cannot be read/], ["postgresql://u:sec%ret@h/d", /cannot be read/], ["redis://u:sec/ret@h", /cannot be read/],
      ["redis://u:secret@h/secret", /cannot be read/], ["redis://u:secret@h?secret=1", /parameter that this command does not know/],
      ["redis://u:secret@h?journal=a%20b", /is no name/], ["redis://u:secret@h?timeout=secret", /0\.1 to 60 seconds/], ["redis://u:secret@h?fsync=secret", /only be "always"/],
      ["redis://u:secret@h?account=secret", /only be "same"/], ["redis://u:secret@h?ca_file=none.pem", /none\.pem/],
    ]) {
      const { err } = await run(["create", "x", "--journal", address], { code: 1 });
      assert.match(err, why);
      assert.match(err, /^error: journal: .*nothing was sent\n$/);
      assert.doesNotMatch(err, /sec\/?%?ret/);
    }
    assert.equal(await posts(), 0);
  });

  test("one of a batch that cannot be used hides no other", async () => {
    await emulator.scenario({ task: { running_s: 1e9 } });
    for (const name of ["first", "second"]) await run(["batch", "-", "-o", name, "--timeout", "0.2"], { input: JSON.stringify({ prompt: name, seconds: 4 }), code: 4 });
    // As on a disk that can only be read, for every user.
    const lock = join(folder, "first/.junfeiai-journal.lock");
    await rm(lock);
    await mkdir(lock);
    const { out, err } = await run(["pending"], { code: 2 });
    assert.match(err, /first\/\.junfeiai-journal cannot be written/);
    const [, id] = /(task_\w+) .*second, line 1/.exec(out);
    assert.match((await run(["pending", "-o", "here"])).err, /second has 1 more/);
    await run(["reconcile"]);
    await run(["forget", id]);
    assert.match((await run(["forget", id], { code: 2 })).err, /cannot be written/);
  });

  test("a later version of the file is refused", async () => {
    await mkdir(join(folder, "state/junfeiai"), { recursive: true });
    await writeFile(journal(), '{"junfeiai_journal":2,"generation":"1"}\n');
    assert.match((await run(["create", "x"], { code: 1 })).err, /later version[^]*leave the journal where it is/);
    await writeFile(journal(), '{"junfeiai_journal":1,"generation":"1"}\n{"v":3,"at":1,"event":"intent","intent":"1"}\n');
    assert.match((await run(["create", "x"], { code: 1 })).err, /line 2/);
    assert.equal(await posts(), 0);
  });
});

describe("a batch", () => {
  const list = [1, 2, 3].map((n) => JSON.stringify({ prompt: `ball ${n}`, seconds: 4 })).join("\n");

  test("one at a time works in a folder: another one waits, or fails", async () => {
    await emulator.scenario({ api: { create_latency_ms: 15_000 }, task: { queued_s: 0, running_s: 0 } });
    await writeFile(join(folder, "list.jsonl"), list);
    const first = start(["batch", "list.jsonl", "-o", "out"]);
    await until(async () => (await posts()) > 0);
    const refused = await run(["batch", "list.jsonl", "-o", "out", "--no-wait"], { code: 1 });
    assert.match(refused.err, new RegExp(`in use by another batch \\(process ${first.child.pid} on `));
    const second = await run(["batch", "list.jsonl", "-o", "out", "--json"]);
    assert.deepEqual((await first.ended).code, 0);
    assert.deepEqual(second.values().map(({ state }) => state), ["exists", "exists", "exists"]);
    assert.equal(await posts(), 3);
  });

  test("a run that continues reads on where a killed one stopped", async () => {
    await emulator.scenario({ task: { queued_s: 0, running_s: 0, video_bytes: 12 << 20 }, content: { rate_bytes_per_s: 1 << 20 } });
    await writeFile(join(folder, "list.jsonl"), '{"prompt": "x", "seconds": 4, "output": "x.mp4"}\n');
    const { child, ended } = start(["batch", "list.jsonl", "-o", "out"]);
    const size = async () => (await stat(join(folder, "out/x.mp4.part")).catch(() => undefined))?.size ?? 0;
    await until(async () => await size() > 1 << 20);
    child.kill("SIGKILL");
    await ended;
    const kept = await size();
    await emulator.scenario({});
    await emulator.forget();
    await run(["batch", "list.jsonl", "-o", "out"]);
    const [content] = (await emulator.requests()).filter(({ path }) => path.endsWith("/content"));
    assert.ok(Number(/bytes=(\d+)-/.exec(content.range)?.[1]) >= kept, `${content.range} with ${kept} bytes there`);
    assert.equal((await stat(join(folder, "out/x.mp4"))).size, 12 << 20);
  });

  test("the lock goes with its process", async () => {
    await emulator.scenario({ rules: [{ match: { op: "create" }, fault: { kind: "hang" } }] });
    await writeFile(join(folder, "list.jsonl"), list);
    const first = start(["batch", "list.jsonl", "-o", "out"]);
    await until(async () => (await posts()) === 3);
    first.child.kill("SIGKILL");
    await first.ended;
    await emulator.scenario({});
    await run(["batch", "list.jsonl", "-o", "out", "--no-wait"], { code: 7 });
    assert.equal(await posts(), 3);
  });

  test("after Ctrl-C no create request leaves that waited for its turn; those in flight complete", { skip: process.platform === "linux" ? false : "only Linux tells which signals a process takes" }, async () => {
    await emulator.scenario({ task: { queued_s: 0, running_s: 0 } });
    // In front of the service, so that create requests arrive there when the test wants it.
    const held = [];
    let open = false;
    const front = createServer((asked, answer) => {
      const pass = () => asked.pipe(request(new URL(asked.url, emulator.origin), { method: asked.method, headers: asked.headers }, (response) => {
        answer.writeHead(response.statusCode, response.headers);
        response.pipe(answer);
      }));
      if (asked.method === "POST" && !open) held.push(pass);
      else pass();
    });
    await new Promise((resolve) => { front.listen(0, "127.0.0.1", resolve); });
    try {
      const env = { JUNFEIAI_BASE_URL: `http://127.0.0.1:${front.address().port}/v1` };
      await writeFile(join(folder, "list.jsonl"), Array.from({ length: 30 }, (_, n) => JSON.stringify({ prompt: `ball ${n}`, seconds: 4 })).join("\n"));
      const { child, ended } = start(["batch", "list.jsonl", "-o", "out", "--concurrency", "30"], { env });
      await until(() => held.length === 4);
      const takesCtrlC = async () => (parseInt(/^SigCgt:.*(.)$/m.exec(await readFile(`/proc/${child.pid}/status`, "latin1"))[1], 16) & 2) !== 0;
      assert.ok(await takesCtrlC());
      child.kill("SIGINT");
      // The first one is taken, and the next would end the process.
      await until(async () => !(await takesCtrlC()));
      open = true;
      for (const pass of held) pass();
      const { code, err } = await ended;
      assert.equal(code, 130, err);
      assert.equal(await posts(), 4);
      assert.equal(err.match(/^line \d+: task task_/gm).length, 4, err);
      assert.doesNotMatch(err, /not begun|may have been charged/);
      const left = (await run(["pending", "--json"])).values();
      assert.deepEqual(left.map(({ kind }) => kind), Array(4).fill("task"));
      await run(["batch", "list.jsonl", "-o", "out"], { env });
      assert.equal(await posts(), 30);
    } finally {
      front.close();
      front.closeAllConnections();
    }
  });

  test("a model that is refused is not asked for again by lines that wait for their turn", async () => {
    let asked = 0;
    let open = false;
    const held = [];
    const refusal = JSON.stringify({ error: { message: "this key has no right to the model", type: "new_api_error", code: "" } });
    const service = createServer((request, answer) => {
      asked += 1;
      const refuse = () => answer.writeHead(403, { "Content-Type": "application/json" }).end(refusal);
      request.resume().on("end", () => { if (open) refuse(); else held.push(refuse); });
    });
    await new Promise((resolve) => { service.listen(0, "127.0.0.1", resolve); });
    try {
      await writeFile(join(folder, "list.jsonl"), Array.from({ length: 30 }, (_, n) => JSON.stringify({ prompt: `ball ${n}`, seconds: 4 })).join("\n"));
      const { said, ended } = start(["batch", "list.jsonl", "-o", "out", "--concurrency", "30"], { env: { JUNFEIAI_BASE_URL: `http://127.0.0.1:${service.address().port}/v1` } });
      await until(() => held.length === 4);
      for (const refuse of held.splice(0)) refuse();
      // Each answer may let one more leave before the command has read it: those are answered behind that.
      await until(() => ((said.out + said.err).match(/line \d+: error/g) ?? []).length >= 4);
      open = true;
      for (const refuse of held) refuse();
      const { code, err } = await ended;
      assert.notEqual(code, 0, err);
      assert.ok(asked <= 8, `${asked} create requests were sent`);
    } finally {
      service.close();
      service.closeAllConnections();
    }
  });

  test("a journal that cannot be read any more does not take the place of what became of a create request", async () => {
    // A folder in its place is another kind of journal: none that can be read as this one.
    const journal = join(folder, "out/.junfeiai-journal");
    const service = createServer((request, answer) => {
      request.resume().on("end", async () => {
        await rm(journal, { recursive: true, force: true });
        await mkdir(journal, { recursive: true });
        answer.writeHead(403, { "Content-Type": "application/json" }).end(JSON.stringify({ error: { message: "this key has no right to it", type: "new_api_error", code: "" } }));
      });
    });
    await new Promise((resolve) => { service.listen(0, "127.0.0.1", resolve); });
    try {
      const env = { JUNFEIAI_BASE_URL: `http://127.0.0.1:${service.address().port}/v1` };
      const { out, err } = await run(["batch", "-", "-o", "out", "--json"], { env, code: 5, input: '{"prompt": "x", "seconds": 4}' });
      assert.equal(JSON.parse(out.trim().split("\n").at(0)).error.kind, "permission_denied", out + err);
    } finally {
      service.close();
      service.closeAllConnections();
    }
  });

  test("lists in the encodings that spreadsheets write", async () => {
    const text = '{"prompt": "wind\u2028and\u0085rain", "seconds": 4}\r\n\r\n{"prompt": "雪", "seconds": 6, "output": "snow.mp4"}\r\n';
    const utf16 = Buffer.from(`\ufeff${text}`, "utf16le");
    const utf32 = Buffer.concat([...`\ufeff${text}`].map((letter) => { const four = Buffer.alloc(4); four.writeUInt32LE(letter.codePointAt(0)); return four; }));
    for (const bytes of [Buffer.from(`\ufeff${text}`), utf16, Buffer.from(utf16).swap16(), utf32]) {
      await writeFile(join(folder, "list.jsonl"), bytes);
      const done = await run(["batch", "list.jsonl", "-o", "out", "--json"]);
      assert.deepEqual(done.values().map(({ line }) => line).sort(), [1, 3]);
    }
    assert.equal(await posts(), 2);
    await writeFile(join(folder, "list.jsonl"), Buffer.from('{"prompt": "x"}\n{"prompt": "Möwe"}', "latin1"));
    assert.match((await run(["batch", "list.jsonl", "-o", "out"], { code: 2 })).err, /list\.jsonl, line 2: it is not UTF-8/);
  });

  test("a list from a pipe of the shell has its images in the working folder", async () => {
    await writeFile(join(folder, "a.png"), Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(20)]));
    const line = JSON.stringify({ prompt: "x", seconds: 4, model: "grok-video-1.5", image: "a.png" });
    const script = `exec "$0" "$1" batch <(printf '%s' "$LIST") -o out --poll-interval 0.02`;
    const { status, stderr } = await new Promise((resolve) => {
      execFile("bash", ["-c", script, process.execPath, join(dist, "cli.js")], { cwd: folder, env: environment({ LIST: line }) }, (error, _, stderr) => {
        resolve({ status: error?.code ?? 0, stderr });
      });
    });
    assert.equal(status, 0, stderr);
    assert.equal(await posts(), 1);
  });

  test("a list of results that cannot be written loses nothing", async () => {
    await mkdir(join(folder, "out/results.jsonl"), { recursive: true });
    const { err } = await run(["batch", "-", "-o", "out"], { input: '{"prompt": "x", "seconds": 4, "output": "x.mp4"}' });
    assert.match(err, /the list of results could not be written/);
    assert.ok((await stat(join(folder, "out/x.mp4"))).size > 1000);
  });
});

describe("the surroundings", () => {
  test("a pipe that nobody reads ends nothing", async () => {
    for (const closed of [1, 2]) {
      const name = join(folder, `pipe-${closed}`);
      await exec("mkfifo", [name]);
      // Opened for both, so that it does not wait; then nobody is left to read.
      const both = openSync(name, "r+");
      const write = openSync(name, "w");
      closeSync(both);
      const stdio = ["ignore", "pipe", "pipe"];
      stdio[closed] = write;
      const { ended } = start(["generate", "x", "--seconds", "4", "-o", `x${closed}.mp4`], { stdio });
      closeSync(write);
      const { code, out, err } = await ended;
      assert.equal(code, 0, out + err);
      assert.doesNotMatch(out + err, /EPIPE|Error/);
      assert.ok((await stat(join(folder, `x${closed}.mp4`))).size > 1000);
    }
  });

  test("a player seeks; who does not know the address gets nothing", async () => {
    const id = await emulator.add({ state: "finished", seconds: 4 });
    const bytes = Buffer.from(await emulator.video(id));
    await writeFile(join(folder, "ball.mp4"), bytes);
    for (const what of [id, "ball.mp4"]) {
      const { child, said, ended } = start(["serve", what]);
      await until(() => said.out.includes("\n"));
      const url = said.out.trim();
      const ask = (headers = {}, address = url, method = "GET") => new Promise((resolve, reject) => {
        request(address, { method, headers, agent: false }, async (response) => {
          const pieces = [];
          for await (const piece of response) pieces.push(piece);
          resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) });
        }).on("error", reject).end();
      });
      const whole = await ask();
      assert.deepEqual([whole.status, whole.headers["content-type"], whole.headers["cache-control"]], [200, "video/mp4", "private, no-store"]);
      assert.ok(whole.body.equals(bytes));
      for (const [range, from, to] of [["bytes=0-9", 0, 10], [`bytes=${bytes.length - 5}-`, bytes.length - 5, bytes.length], ["bytes=-7", bytes.length - 7, bytes.length]]) {
        const part = await ask({ range });
        assert.deepEqual([part.status, part.headers["content-range"]], [206, `bytes ${from}-${to - 1}/${bytes.length}`]);
        assert.ok(part.body.equals(bytes.subarray(from, to)));
      }
      const beyond = await ask({ range: `bytes=${bytes.length}-` });
      assert.deepEqual([beyond.status, beyond.headers["content-range"]], [416, `bytes */${bytes.length}`]);
      const head = await ask({}, url, "HEAD");
      assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, String(bytes.length), 0]);
      assert.equal((await ask({}, new URL("/", url).href)).status, 404);
      assert.equal((await ask({ host: "evil.example" })).status, 404);
      assert.equal((await ask({}, url, "POST")).status, 405);
      assert.equal((await ask({ host: "LOCALHOST" })).status, 200);
      // This server names no version: what was meant is another file, or the same one by chance.
      const another = await ask({ range: "bytes=0-9", "if-range": '"another"' });
      assert.deepEqual([another.status, another.headers["content-range"]], [200, undefined]);
      assert.ok(another.body.equals(bytes));
      for (const range of ["bytes=0-9", `bytes=${bytes.length}-`]) assert.equal((await ask({ range }, url, "HEAD")).status, 200);
      const { err } = await run(["serve", what, "--port", new URL(url).port], { code: 2 });
      assert.equal(err, `error: --port ${new URL(url).port} cannot be used: address already in use; take another one, or leave it out\n`);
      child.kill("SIGINT");
      assert.equal((await ended).code, 0);
    }
  });

  test("arguments that are no text are refused", async () => {
    // Node's own processes are given UTF-8 alone.
    const line = (words) => spawnSync("bash", ["-c", `exec "$0" "$@" ${words}`, process.execPath, join(dist, "cli.js")], { cwd: folder, env: environment(), encoding: "utf8" });
    for (const [words, named] of [["create $'r\\xf8d'", "prompt"], ["create x --key $'r\\xf8d'", "--key"], ["get $'r\\xf8d'", "task_id"]]) {
      const { status, stderr } = line(words);
      assert.equal(status, 2, stderr);
      assert.match(stderr, new RegExp(`argument ${named}: it is not UTF-8`));
    }
    assert.equal(await posts(), 0);
  });

  test("a relative home is none: the journal would be another one in each folder", async () => {
    await mkdir(join(folder, "home"));
    const env = { HOME: join(folder, "home"), XDG_STATE_HOME: "here" };
    await run(["create", "x", "--seconds", "4"], { env });
    assert.deepEqual((await readdir(folder)).sort(), ["home"]);
    assert.ok(await stat(join(folder, "home/.local/state/junfeiai/journal")));
  });

  test("the key is read from a file of PowerShell, which writes UTF-16", async () => {
    const text = Buffer.from(`\ufeff${KEY}\r\n`, "utf16le");
    for (const bytes of [text, Buffer.from(text).swap16()]) {
      await writeFile(join(folder, "key"), bytes);
      await run(["create", "x", "--seconds", "4", "--api-key-file", "key"], { env: { JUNFEIAI_API_KEY: "sk-wrong" } });
    }
    await writeFile(join(folder, "key"), Buffer.from([0x93, 0x6b, 0x94]));
    assert.match((await run(["create", "x", "--api-key-file", "key"], { code: 2 })).err, /^error: --api-key-file: key is not a text file/);
  });

  test("under the rules of Windows: a name that is read as something else costs nothing, in folders that are not there as well", async () => {
    const script = encodeURIComponent('Object.defineProperty(process, "platform", { value: "win32" });');
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${script}` };
    for (const name of ["Scene 1: a ball.mp4", "new/nul.mp4", "a|b/ball.mp4"]) {
      const { err } = await run(["generate", "x", "--seconds", "4", "-o", name], { code: 1, env });
      assert.match(err, /^error: .* cannot be a file on Windows: ".*": it .*; check the path, its rights and the disk$/m);
    }
    assert.equal(await posts(), 0);
    assert.deepEqual((await readdir(folder)).filter((name) => name !== "state"), []);
  });

  test("under nohup a closed terminal ends nothing", { skip: process.platform === "linux" ? false : "only Linux tells what standard input is" }, async () => {
    const id = await emulator.add({ state: "running", running_s: 1e9 });
    // What nohup leaves of a terminal.
    const stdin = openSync("/dev/null", "w");
    const { child, said, ended } = start(["wait", id], { stdio: [stdin, "pipe", "pipe"] });
    closeSync(stdin);
    await until(() => said.err.includes("status"));
    child.kill("SIGHUP");
    const polls = (await emulator.requests()).length;
    await until(async () => (await emulator.requests()).length > polls + 1);
    child.kill("SIGTERM");
    const { code, err } = await ended;
    assert.equal(code, 143);
    assert.match(err, /interrupted\nthe task is still running/);
  });

  test("what stays with Python's command says so", async () => {
    assert.match((await run(["mcp"], { code: 2 })).err, /^error: the server for agents is in the Python package: install that, then run its junfeiai mcp/);
  });

  test("bash completes commands, options and values", async () => {
    const { out } = await run(["completion", "bash"]);
    await writeFile(join(folder, "junfeiai.bash"), out);
    const complete = async (...line) => {
      const script = `source junfeiai.bash; COMP_WORDS=(${line.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${line.length - 1}; _junfeiai; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return (await exec("bash", ["-c", script], { cwd: folder })).stdout.split("\n").filter(Boolean);
    };
    assert.deepEqual(await complete("junfeiai", "re"), ["resolve", "reconcile"]);
    assert.deepEqual(await complete("junfeiai", "generate", "--max-"), ["--max-cost", "--max-cost-strict"]);
    assert.deepEqual(await complete("junfeiai", "generate", "--validate", ""), ["strict", "default", "off"]);
    assert.deepEqual(await complete("junfeiai", "completion", "f"), ["fish"]);
    assert.ok((await complete("junfeiai", "generate", "--image", "junf")).includes("junfeiai.bash"));
    await run(["completion", "tcsh"], { code: 2 });
  });

  for (const [shell, flag] of [["zsh", "-n"], ["fish", "--no-execute"]]) {
    test(`${shell} can read its completion`, { skip: spawnSync(shell, ["--version"]).error ? `no ${shell} is installed` : false }, async () => {
      await writeFile(join(folder, "script"), (await run(["completion", shell])).out);
      await exec(shell, [flag, join(folder, "script")]);
    });
  }

  test("the command runs wherever the package is, and pages load none of it", async () => {
    await mkdir(join(folder, "node_modules/.bin"), { recursive: true });
    await cp(join(dist, ".."), join(folder, "node_modules/junfeiai"), { recursive: true });
    const manifest = JSON.parse(await readFile(join(folder, "node_modules/junfeiai/package.json"), "utf8"));
    const { stdout } = await exec(process.execPath, [join(folder, "node_modules/junfeiai", manifest.bin.junfeiai), "--version"]);
    assert.ok(stdout.startsWith(`junfeiai ${manifest.version}\n`), stdout);
    for (const name of await readdir(dist)) {
      if (name.startsWith("cli") || !/\.(js|cjs)$/.test(name)) continue;
      const text = await readFile(join(dist, name), "utf8");
      assert.ok(!text.includes("junfeiai pending lists") && !text.includes("CSV_QUOTE_NOT_CLOSED"), name);
    }
  });
});

test("an older Node is told what is needed, before anything else is loaded", () => {
  const older = "data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '18.20.8' })";
  const done = spawnSync(process.execPath, ["--import", older, join(dist, "cli.js"), "--version"], { encoding: "utf8", env: environment() });
  assert.equal(done.status, 1);
  assert.equal(done.stderr, "error: the command needs Node 20 or newer, this is 18.20.8\n");
  assert.equal(done.stdout, "");
});
