// The journal in a store object: what was paid for survives the process, one key is one task, and a broken store costs nothing.
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { Client, JunFeiAIError } from "junfeiai";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { KEY, root, startEmulator } from "./emulator.mjs";

/** A store in memory, as a caller would write one. */
function memoryStore() {
  const rows = new Map();
  let latest = 0;
  return {
    rows,
    load: async (name) => rows.get(name) ?? null,
    async swap(name, expected, value) {
      if ((rows.get(name)?.version ?? null) !== expected) return null;
      latest += 1;
      if (value === null) rows.delete(name);
      else rows.set(name, { value, version: latest });
      return latest;
    },
    scan: async (prefix) => [...rows].filter(([name]) => name.startsWith(prefix)).map(([name, row]) => ({ name, ...row })),
  };
}

let emulator, folder;
const make = (options = {}) => new Client({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, ...options });
const posts = async () => (await emulator.requests()).filter((r) => r.method === "POST").length;
const rejection = (promise) => promise.then(() => assert.fail("it was carried out"), (error) => error);

before(async () => {
  emulator = await startEmulator();
  folder = await mkdtemp(join(tmpdir(), "junfeiai-journal-"));
});
after(async () => {
  emulator.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await emulator.reset();
  await emulator.forget();
});

describe("the journal in a store", () => {
  test("one key is one task, whichever client asks", async () => {
    const journal = memoryStore();
    const request = { prompt: "a", seconds: 6, key: "film/1" };
    const tasks = await Promise.all([1, 2, 3].map(() => make({ journal }).videos.create(request)));
    assert.equal(new Set(tasks.map((task) => task.id)).size, 1);
    assert.deepEqual(tasks.map((task) => task.reused).sort(), [false, true, true]);
    assert.equal(await posts(), 1);
    const known = await make({ journal }).videos.key("film/1");
    assert.deepEqual([known.state, known.attempt, known.taskId], ["created", 1, tasks[0].id]);
    assert.ok(known.createdAt instanceof Date);
    assert.equal(await make({ journal }).videos.key("film/2"), null);
    const conflict = await rejection(make({ journal }).videos.create({ ...request, seconds: 8 }));
    assert.deepEqual([conflict.code, conflict.field, conflict.taskId], ["idempotency_conflict", "key", tasks[0].id]);
    assert.equal(await posts(), 1);
    assert.ok(![...journal.rows.values()].some((row) => row.value.includes(KEY)), "the API key is in no row");
  });

  test("may have further attributes and methods", async () => {
    const store = { ...memoryStore(), path: "rows", lock: () => undefined, replace: () => undefined };
    const task = await make({ journal: store }).videos.create({ prompt: "a", key: "k" });
    assert.equal((await make({ journal: store }).videos.key("k")).taskId, task.id);
  });

  test("what a former client left is listed, saved once, and off the list", async () => {
    const journal = memoryStore();
    const task = await make({ journal }).videos.create({ prompt: "a", key: "k" });
    const { videos } = make({ journal });
    const [pending] = await videos.pending();
    assert.deepEqual([pending.kind, pending.taskId, pending.state, pending.key], ["task", task.id, "created", "k"]);
    const ended = [];
    for await (const one of videos.resumePending(join(folder, "left"))) ended.push(one);
    assert.equal(ended.length, 1);
    assert.equal(ended[0].error, null);
    assert.equal((await stat(ended[0].summary.path)).size, ended[0].summary.bytes);
    assert.deepEqual(await videos.pending(), []);
    const saved = await videos.key("k");
    assert.deepEqual([saved.state, saved.path], ["saved", ended[0].summary.path]);
    // The same job again, in another client: nothing is sent and nothing is read.
    await emulator.forget();
    const again = await make({ journal }).videos.create({ prompt: "a", key: "k" });
    assert.deepEqual([again.id, again.reused, again.savedPath], [task.id, true, saved.path]);
    assert.equal((await emulator.requests()).length, 0);
  });

  test("forget and resolveUnknown end what is on the list", async () => {
    const journal = memoryStore();
    const { videos } = make({ journal });
    const task = await videos.create("a");
    assert.equal(await videos.forget(task.id), true);
    assert.equal(await videos.forget(task.id), false);
    assert.deepEqual(await videos.pending(), []);
    assert.equal(await videos.resolveUnknown("0123456789abcdef"), false);
  });

  test("what a create will cost is told before, and refused where that is too much", async () => {
    const { videos } = make({ maxCost: 0.3 });
    const told = await videos.estimate({ prompt: "a", seconds: 6 });
    assert.deepEqual([told.units, told.usd, told.certainty, told.billedSeconds, told.pricePerSecond], [150_000, 0.3, "default_group", 6, 0.05]);
    const refused = await rejection(videos.create({ prompt: "a", seconds: 7 }));
    assert.deepEqual([refused.code, refused.field, refused.maybeExecuted], ["invalid_request", "maxCost", false]);
    assert.equal(await posts(), 0);
    const task = await videos.create({ prompt: "a", seconds: 6 });
    assert.equal(task.warnings.length, 0);
    assert.equal((await (await task.wait()).save(join(folder, "paid.mp4"))).chargedUnits, told.units);
    assert.throws(() => make({ maxCostStrict: true }).endpoint, (error) => error.code === "config" && error.field === "maxCostStrict");
  });

  test("clients of one store share the budget of a UTC day", async () => {
    const journal = memoryStore();
    const [one, other] = [make({ journal, budget: 0.6 }), make({ journal, budget: 0.6 })];
    await one.videos.create({ prompt: "a", seconds: 6, key: "film/1" });
    const refused = await rejection(other.videos.create({ prompt: "a", seconds: 7 }));
    assert.deepEqual([refused.code, refused.field, refused.maybeExecuted], ["invalid_request", "budget", false]);
    assert.match(refused.message, /0\.35 USD.*0\.3 USD reserved.*UTC day/);
    await other.videos.create({ prompt: "a", seconds: 6 });
    assert.equal((await rejection(one.videos.create({ prompt: "a", seconds: 1 }))).field, "budget");
    assert.equal((await other.videos.create({ prompt: "a", seconds: 6, key: "film/1" })).reused, true);
    assert.equal(await posts(), 2);
    assert.throws(() => make({ budget: 1 }).endpoint, (error) => error.code === "config" && error.field === "budget");
  });

  test("the name of a create request under a key is its journal's own", async () => {
    const names = [];
    let answer = () => new Response("{}", { status: 400 });
    const listening = async (_, init) => {
      names.push(new Headers(init.headers).get("idempotency-key"));
      return answer();
    };
    // A page's client: without an API key, behind the handler of `junfeiai/server`.
    const page = (journal) => new Client({ baseURL: "http://127.0.0.1:1/api", fetch: listening, journal });
    const journals = [memoryStore(), memoryStore()];
    for (const journal of [journals[0], ...journals]) {
      assert.equal((await rejection(page(journal).videos.create({ prompt: "a", key: "intro" }))).code, "bad_request");
    }
    const [first, again, another] = names;
    assert.match(first, /^[0-9a-f]{32}$/);
    assert.equal(again, first, "what a handler has carried out is known to it by the name");
    assert.notEqual(another, first, "somebody else's film of the same name");
    answer = () => Response.json({ task_id: "task_1" });
    assert.equal((await page(journals[0]).videos.create({ prompt: "a", key: "intro" })).id, "task_1");
    assert.equal(names[3], first);
  });

  test("a create request whose answer was lost is looked for in the key's log", async () => {
    const journal = memoryStore();
    const { videos } = make({ journal });
    assert.deepEqual(await videos.reconcile(), { entries: [], retryAfterMs: null });
    await emulator.scenario({ rules: [{ match: { op: "create" }, times: 1, fault: { kind: "drop_after_accept" } }] });
    const lost = await rejection(videos.create({ prompt: "a", seconds: 6, key: "k" }));
    assert.equal(lost.code, "create_outcome_unknown");
    const { entries } = await videos.reconcile();
    assert.deepEqual(entries.map(({ key, seconds }) => [key, seconds]), [["k", "6"]]);
    const [{ verdict, reason, createdAt }] = entries;
    assert.ok(["charged", "under_way", "not_known"].includes(verdict), `it was charged, and said to be ${verdict}`);
    assert.ok(reason.length > 20 && createdAt instanceof Date);
    assert.equal(await posts(), 1);
  });

  test("with the account's token a lost task is found", async () => {
    const { videos } = make({ journal: memoryStore() });
    await emulator.scenario({ accounts: [{ name: "default", user_id: 7, access_token: "account-token-4711" }] });
    await videos.create({ prompt: "a", seconds: 4 });
    await emulator.scenario({ rules: [{ match: { op: "create" }, times: 1, fault: { kind: "empty_body" } }] });
    assert.equal((await rejection(videos.create({ prompt: "a", seconds: 6, key: "k" }))).code, "create_outcome_unknown");
    const wrong = await rejection(videos.reconcile({ accountToken: "no-such-token", accountUser: 7 }));
    assert.deepEqual([wrong.code, wrong.field], ["authentication", "accountToken"]);
    const { entries } = await videos.reconcile({ accountToken: "account-token-4711", accountUser: 7 });
    assert.deepEqual(entries.map(({ verdict, chargedUnits }) => [verdict, chargedUnits]), [["charged", 150_000]]);
    assert.equal((await videos.create({ prompt: "a", seconds: 6, key: "k" })).id, entries[0].taskId);
    assert.equal(await posts(), 2);
  });

  test("a store that fails, or answers nonsense, costs nothing", async () => {
    const good = memoryStore();
    const broken = [
      { ...good, load: () => { throw new Error("no database"); }, swap: () => { throw new Error("no database"); } },
      { ...good, load: () => Promise.reject(new Error("no database")) },
      { ...good, load: async () => ({ value: 1, version: 1 }) },
      { ...good, load: async () => ({ value: "", version: 0.5 }) },
      { ...good, swap: async () => "1" },
      { ...good, load: () => Promise.reject(null) },
    ];
    for (const journal of broken) {
      const error = await rejection(make({ journal }).videos.create({ prompt: "a", key: "k" }));
      assert.ok(error instanceof JunFeiAIError, String(error));
      assert.equal(error.code, "journal", error.message);
      assert.equal(error.maybeExecuted, false);
      assert.ok(!error.message.includes("\n"));
    }
    const scanned = await rejection(make({ journal: { ...good, scan: async () => [{ name: "other", value: "", version: 1 }] } }).videos.pending());
    assert.equal(scanned.code, "journal");
    assert.equal(await posts(), 0);
  });

  test("what is no store is refused when the client is made", () => {
    const { load, swap } = memoryStore();
    for (const journal of [true, 1, "", "a\0b", "redis://user:password@127.0.0.1/0", "redis:/user:password@127.0.0.1/0", new URL("https://127.0.0.1/"), {}, { load, swap }, { load, swap, scan: 1 }, { ...memoryStore(), account: "other" }]) {
      assert.throws(() => make({ journal }), (error) => error.code === "config" && error.field === "journal" && !error.message.includes("\n") && !error.message.includes("password"));
    }
  });

  test("a key without a journal, and another account's journal, are refused before anything is sent", async () => {
    const unkept = await rejection(make().videos.create({ prompt: "a", key: "k" }));
    assert.deepEqual([unkept.code, unkept.field], ["invalid_request", "key"]);
    const journal = memoryStore();
    await make({ journal }).videos.create("a");
    const other = await rejection(make({ journal, apiKey: "sk-another" }).videos.create("a"));
    assert.equal(other.code, "journal");
    assert.equal(await posts(), 1);
  });
});

const place = () => join(folder, `journal-${Math.random().toString(16).slice(2)}`);

describe("the journal in a folder", () => {

  test("is there for the next client, and holds neither prompt nor API key", async () => {
    const journal = place();
    const task = await make({ journal }).videos.create({ prompt: "a secret prompt", key: "k" });
    const again = await make({ journal }).videos.create({ prompt: "a secret prompt", key: "k" });
    assert.deepEqual([again.id, again.reused, await posts()], [task.id, true, 1]);
    assert.deepEqual((await make({ journal: pathToFileURL(journal) }).videos.pending()).map((one) => one.taskId), [task.id]);
    for (const name of await readdir(journal, { recursive: true })) {
      const file = join(journal, name);
      if (!(await stat(file)).isFile()) continue;
      const text = await readFile(file, "utf8");
      assert.ok(!text.includes("a secret prompt") && !text.includes(KEY), name);
      if (process.platform !== "win32") assert.equal((await stat(file)).mode & 0o077, 0, name);
    }
  });

  test("another file or folder, and one that cannot be written, are refused before anything is sent", async () => {
    const file = place();
    await writeFile(file, "this is no journal\n");
    assert.throws(() => make({ journal: file }), { code: "journal" });
    const newer = place();
    await mkdir(newer);
    await writeFile(join(newer, "junfeiai-journal"), "2\n");
    assert.throws(() => make({ journal: newer }), (error) => error.code === "journal" && error.message.includes("another version"));
    const foreign = place();
    await mkdir(foreign);
    await writeFile(join(foreign, "holiday.jpg"), "");
    for (const journal of [foreign, join(file, "below")]) {
      const error = await rejection((async () => make({ journal }).videos.create("a"))());
      assert.deepEqual([error.code, error.maybeExecuted, error.message.includes("\n")], ["journal", false, false], error.message);
    }
    assert.deepEqual(await readdir(foreign), ["holiday.jpg"]);
    assert.equal(await posts(), 0);
  });
});

describe("the journal in the file of the other languages", { skip: process.platform === "win32" && "there is no lock on files" }, () => {
  /** The command, which keeps that file. */
  const command = async (...words) => {
    const env = { ...process.env, JUNFEIAI_API_KEY: KEY, JUNFEIAI_BASE_URL: emulator.baseURL };
    const { stdout } = await promisify(execFile)(process.execPath, [join(root, "target/npm/package/dist/cli.js"), ...words], { env });
    return stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  };

  test("is one with the command: what each has paid for, the other knows", async () => {
    const file = place();
    const task = await make({ journal: { file } }).videos.create({ prompt: "a secret prompt", key: "k" });
    assert.deepEqual((await command("pending", "--json", "--journal", file)).map((one) => one.task_id), [task.id]);
    const [again] = await command("create", "a secret prompt", "--key", "k", "--json", "--journal", file);
    assert.deepEqual([again.task_id ?? again.id, await posts()], [task.id, 1]);
    const [other] = await command("create", "another one", "--key", "l", "--json", "--journal", file);
    // One that is there is known by its path alone, and by a link.
    await symlink(file, `${file}.link`);
    for (const journal of [file, pathToFileURL(file), { file: pathToFileURL(file) }, { file: `${file}.link` }]) {
      const { videos } = make({ journal });
      assert.deepEqual((await videos.pending()).map((one) => one.taskId).sort(), [task.id, other.task_id ?? other.id].sort());
      assert.equal((await videos.create({ prompt: "another one", key: "l" })).reused, true);
    }
    assert.equal(await posts(), 2);
    const text = await readFile(file, "utf8");
    assert.ok(!text.includes("a secret prompt") && !text.includes(KEY));
  });

  test("what a former client left is saved once, and off the list", async () => {
    const journal = { file: place() };
    const task = await make({ journal }).videos.create("a");
    const saved = [];
    for await (const one of make({ journal }).videos.resumePending(folder)) saved.push([one.taskId, one.error]);
    assert.deepEqual(saved, [[task.id, null]]);
    assert.deepEqual(await make({ journal }).videos.pending(), []);
  });

  test("clients of one process, and calls of one client, wait for each other", async () => {
    const journal = { file: place() };
    const clients = [1, 2, 3].map(() => make({ journal }));
    const keys = ["a", "b", "c", "d", "a", "b", "c", "d"];
    const tasks = await Promise.all(clients.flatMap(({ videos }) => keys.map((key) => videos.create({ prompt: key, key }))));
    assert.equal(new Set(tasks.map((task) => task.id)).size, 4);
    assert.equal(tasks.filter((task) => !task.reused).length, 4);
    assert.equal(await posts(), 4);
  });

  test("another file, a folder and what is no path are refused before anything is sent or made", async () => {
    const text = place();
    await writeFile(text, "this is no journal\n");
    for (const journal of [text, { file: text }]) assert.throws(() => make({ journal }), (error) => error.code === "journal" && error.message.includes(text));
    const pipe = place();
    assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
    for (const file of [folder, pipe]) assert.throws(() => make({ journal: { file } }), (error) => error.code === "journal" && error.message.includes("not a regular file"), file);
    assert.ok(!(await readdir(folder)).some((name) => name.endsWith(".lock") && [text, pipe].some((path) => path.endsWith(name.slice(0, -5)))));
    for (const file of [undefined, null, 5, "", "a\0b", "postgresql://u:secret@host/db", "postgresql:/u:secret@host/db", new URL("https://example.org/a")]) {
      assert.throws(() => make({ journal: { file } }), (error) => error.code === "config" && error.field === "journal" && !error.message.includes("secret"), String(file));
    }
    for (const journal of [`file://${place()}`, { file: `file://${place()}` }]) assert.throws(() => make({ journal }), { code: "config", message: /new URL/ });
    assert.throws(() => make({ journal: { file: place(), fiel: 1 } }), { code: "config", field: "fiel" });
    const error = await rejection((async () => make({ journal: { file: join(text, "below") } }).videos.create("a"))());
    assert.deepEqual([error.code, error.maybeExecuted, error.message.includes("\n")], ["journal", false, false], error.message);
    assert.equal(await posts(), 0);
    // An empty one, of `touch` or `mktemp`, is begun.
    const empty = place();
    await writeFile(empty, "");
    const task = await make({ journal: empty }).videos.create("a");
    assert.deepEqual((await make({ journal: empty }).videos.pending()).map((one) => one.taskId), [task.id]);
  });

  test("one that is removed or damaged is no empty one", async () => {
    const file = place();
    const { videos } = make({ journal: { file } });
    await videos.create("a");
    await writeFile(file, `${(await readFile(file, "utf8")).split("\n")[0]}\nnonsense\n{}\n`);
    const damaged = await rejection(make({ journal: { file } }).videos.create("b"));
    assert.deepEqual([damaged.code, damaged.maybeExecuted, damaged.message.includes("line 2")], ["journal", false, true], damaged.message);
    await rm(file);
    assert.equal((await rejection(videos.create("b"))).code, "journal");
    assert.equal(await posts(), 1);
  });

  test("a defect of the library leaves no lock behind", async () => {
    const file = place();
    const { __panicForTests } = createRequire(import.meta.url)("junfeiai");
    const { videos } = make({ journal: { file } });
    const first = await videos.create({ prompt: "a", key: "k" });
    // Stopped while each waits for the lock or has it.
    const stopped = ["k", "l", "m"].map((key) => rejection(videos.create({ prompt: "a", key })).catch(() => undefined));
    await __panicForTests(true).catch(() => undefined);
    await Promise.all(stopped);
    const again = await videos.create({ prompt: "a", key: "k" });
    assert.deepEqual([again.id, again.reused], [first.id, true]);
    assert.equal((await make({ journal: { file } }).videos.key("k")).taskId, first.id);
  });

  test("a defect of the library gives the lock back although the client is not used again", { skip: process.platform !== "linux" && "flock is of Linux" }, async () => {
    const file = place();
    const { __panicForTests } = createRequire(import.meta.url)("junfeiai");
    const idle = make({ journal: { file } });
    await idle.videos.create("a");
    const isLocked = () => spawnSync("flock", ["-n", `${file}.lock`, "true"]).status !== 0;
    const stopped = rejection((async () => { for (;;) await idle.videos.create("a"); })());
    while (!isLocked()) await new Promise((resolve) => { setTimeout(resolve, 1); });
    assert.throws(() => __panicForTests(), { code: "internal" });
    await stopped;
    await make({ journal: { file } }).videos.create("b");
    assert.ok(idle);
  });
});

/** The store in another process: one line of JSON for each operation. */
const CHILD = `
import { Client } from "junfeiai";
const [base, key, store] = process.argv.slice(1);
const ask = async (...call) => (await fetch(store, { method: "POST", body: JSON.stringify(call) })).json();
const journal = store.startsWith("http:")
  ? { load: (...a) => ask("load", ...a), swap: (...a) => ask("swap", ...a), scan: (...a) => ask("scan", ...a) }
  : store.endsWith(".file") ? { file: store } : store;
const task = await new Client({ apiKey: key, baseURL: base, journal }).videos.create({ prompt: "a", key: "job" });
console.log(JSON.stringify([task.id, task.reused]));
`;

for (const kind of ["a store", "a folder", ...process.platform === "win32" ? [] : ["a file"]]) describe(`several processes with ${kind}`, () => {
  let store, server, place, journal;
  before(async () => {
    server = createServer(async (request, response) => {
      let text = "";
      for await (const part of request) text += part;
      const [method, ...values] = JSON.parse(text);
      response.end(JSON.stringify(await store[method](...values)));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  after(() => { server.closeAllConnections(); server.close(); });
  beforeEach(async () => {
    store = memoryStore();
    place = kind === "a store" ? `http://127.0.0.1:${server.address().port}/` : await mkdtemp(join(folder, "shared-"));
    if (kind === "a file") place = join(place, "journal.file");
    journal = kind === "a store" ? store : kind === "a folder" ? place : { file: place };
  });

  const start = (base) => spawn(process.execPath, ["--input-type=module", "-e", CHILD, base, KEY, place], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
  const result = async (child) => {
    let text = "";
    for await (const part of child.stdout) text += part;
    return JSON.parse(text);
  };

  test("with the same key create one task", async () => {
    const ended = await Promise.all([1, 2, 3].map(() => result(start(emulator.baseURL))));
    assert.equal(new Set(ended.map(([id]) => id)).size, 1);
    assert.deepEqual(ended.map(([, reused]) => reused).sort(), [false, true, true]);
    assert.equal(await posts(), 1);
  });

  test("one that is killed during its create request leaves it on the list, and nobody sends it again", { skip: process.platform !== "linux" }, async () => {
    // Takes the request and never answers.
    let came;
    const arrived = new Promise((resolve) => { came = resolve; });
    const silent = createServer(() => { came(); }).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const child = start(`http://127.0.0.1:${silent.address().port}/v1`);
    await arrived;
    child.kill("SIGKILL");
    await once(child, "exit");
    silent.closeAllConnections();
    silent.close();
    const { videos } = make({ journal });
    const [left] = await videos.pending();
    assert.deepEqual([left.kind, left.reason, left.key, left.pid], ["unknown", "crashed", "job", child.pid]);
    const error = await rejection(videos.create({ prompt: "a", key: "job" }));
    assert.deepEqual([error.code, error.maybeExecuted], ["create_outcome_unknown", true]);
    assert.equal(await posts(), 0);
    // Nothing was found in the account: the key is free again.
    assert.equal(await videos.resolveUnknown(left.intent), true);
    assert.deepEqual(await videos.pending(), []);
    assert.equal((await videos.create({ prompt: "a", key: "job" })).reused, false);
    assert.equal(await posts(), 1);
  });
});

describe("a store of several machines without /proc", () => {
  const fs = createRequire(import.meta.url)("node:fs");
  const { readFileSync, readlinkSync } = fs;
  after(() => { Object.assign(fs, { readFileSync, readlinkSync }); });

  test("a create request under way on another one has no unknown outcome because its process is not here", async () => {
    for (const [name, real] of Object.entries({ readFileSync, readlinkSync })) {
      fs[name] = (file, ...rest) => {
        if (String(file).startsWith("/proc/")) throw Object.assign(new Error(`ENOENT: ${file}`), { code: "ENOENT" });
        return real(file, ...rest);
      };
    }
    const journal = memoryStore();
    let answer, came;
    const arrived = new Promise((resolve) => { came = resolve; });
    const fetch = () => new Promise((resolve) => { answer = resolve; came(); });
    const creating = make({ journal, fetch }).videos.create({ prompt: "a", key: "job" });
    await arrived;
    // No system has so many processes.
    for (const row of journal.rows.values()) row.value = row.value.replace(/"process":\{"pid":\d+\}/, `"process":{"pid":${2 ** 30}}`);
    assert.ok([...journal.rows.values()].some((row) => row.value.includes(String(2 ** 30))));
    const listed = await make({ journal }).videos.pending();
    answer(Response.json({ id: "task_1", status: "queued" }));
    assert.equal((await creating).id, "task_1");
    assert.deepEqual(listed, []);
  });
});

describe("a store that misbehaves at any of its calls", () => {
  const modes = {
    throws: () => { throw new Error("no"); }, "rejects with nothing": () => Promise.reject(), "gives something else": () => ({ value: 5, version: "1" }),
    "gives a damaged row": () => ({ value: "damaged\n", version: 1 }), "gives traps": () => new Proxy({}, { get: () => { throw new RangeError("a trap"); } }),
  };
  for (const [mode, misbehave] of Object.entries(modes)) {
    for (const after of [false, true]) {
      test(`and ${mode}${after ? ", after it did what was asked," : ""} costs nothing, or the task is named`, async () => {
        for (const key of [undefined, "job"]) {
          let last = 0;
          for (let at = 1; last === 0; at += 1) {
            let [calls, sent] = [0, 0];
            const fetch = async (url, { method }) => {
              sent += method === "POST" ? 1 : 0;
              return Response.json(method === "POST" ? { id: "task_1", status: "queued" } : { code: "success", data: { task_id: "task_1", status: "SUCCESS", result_url: "https://media.example/a.mp4" } });
            };
            const store = memoryStore();
            const broken = Object.fromEntries(["load", "swap", "scan"].map((name) => [name, async (...given) => {
              calls += 1;
              if (calls !== at) return store[name](...given);
              if (after) await store[name](...given);
              return misbehave();
            }]));
            const error = await make({ fetch, journal: broken, pollIntervalMs: 1 }).videos.create({ prompt: "a", key }).then(() => undefined, (thrown) => thrown);
            // All that a call asks of its store was tried.
            if (calls < at) last = at;
            const where = `key ${key}, call ${at}: ${error}`;
            assert.ok(error === undefined || error instanceof JunFeiAIError, where);
            assert.ok(sent === 1 ? error === undefined || error.taskId === "task_1" : sent === 0 && error?.maybeExecuted === false, `${where}, ${sent} create requests`);
          }
          assert.ok(last > 9, `it asked its store ${last - 1} times`);
        }
      });
    }
  }
});
