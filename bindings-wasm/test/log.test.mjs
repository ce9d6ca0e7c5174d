// The option `log`: each client's function receives the entries of its own client, no more than it wants, and changes no call's outcome.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { inspect } from "node:util";
import { Client } from "junfeiai";
import { KEY, startEmulator } from "./emulator.mjs";

let emulator, folder;
const make = (options = {}) => new Client({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, ...options });
/** A client, and the entries that its function has received. */
function logging(options = {}) {
  const entries = [];
  return { entries, client: make({ log: (entry) => { entries.push(entry); }, ...options }) };
}
const named = (entries, event) => entries.filter((entry) => entry.event === event);
const idsOf = (entries) => new Set(entries.map(({ fields }) => fields.taskId).filter(Boolean));
const PROMPT = "a secret prompt";

before(async () => {
  emulator = await startEmulator();
  folder = await mkdtemp(join(tmpdir(), "junfeiai-log-"));
});
after(async () => {
  emulator.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await emulator.reset();
  await emulator.forget();
});

/** What `console.warn` got while `work` ran. */
async function warned(work) {
  const lines = [];
  const { warn } = console;
  console.warn = (...values) => { lines.push(values.map(String).join(" ")); };
  try {
    await work();
    // What rejects is looked at behind this.
    await new Promise((resolve) => { setTimeout(resolve); });
  } finally {
    console.warn = warn;
  }
  return lines;
}

/** A service in this process: three creates, of which the first ends as soon as all are being waited for. */
function three(name, seen = () => undefined) {
  let posted = 0;
  const asked = new Set();
  const fetch = async (url, { method }) => {
    if (method === "POST") return Response.json({ id: `${name}_${posted += 1}`, status: "queued" });
    const id = String(url).split("/").at(-1);
    asked.add(id);
    const all = asked.size === 3;
    if (all) seen();
    const ended = all && id === `${name}_1`;
    return Response.json({ code: "success", data: { task_id: id, status: ended ? "SUCCESS" : "IN_PROGRESS", ...(ended && { result_url: "http://127.0.0.1:1/v.mp4" }) } });
  };
  return { fetch, baseURL: "http://127.0.0.1:1/v1", pollIntervalMs: 5 };
}

describe("the function log", () => {
  test("has received the new task's entry when create ends", async () => {
    const { entries, client } = logging();
    const task = await client.videos.create({ prompt: PROMPT, seconds: 5 });
    assert.deepEqual(entries.map(({ level, event }) => [level, event]), [["warn", "warning"], ["info", "task_created"]]);
    const [warning, created] = entries;
    assert.equal(warning.fields.code, "unusual_length");
    assert.equal(warning.message, task.warnings[0].message);
    assert.deepEqual([created.message, created.fields.taskId, created.fields.model], ["task created", task.id, "grok-image-video"]);
    assert.match(created.fields.requestId, /\w/);
  });

  test("receives what a save ends with", async () => {
    const { entries, client } = logging();
    const video = await client.videos.generate({ prompt: PROMPT, seconds: 4 });
    const summary = await video.save(join(folder, "saved.mp4"));
    assert.deepEqual(entries.map(({ event }) => event), ["task_created", "video_saved"]);
    const { taskId, path, bytes, attempts, elapsedMs } = entries[1].fields;
    assert.deepEqual([taskId, path, bytes, attempts], [video.taskId, summary.path, summary.bytes, summary.attempts]);
    assert.ok(Number.isInteger(elapsedMs) && elapsedMs >= 0, inspect(entries[1]));
  });

  test("receives as much as logLevel says", async () => {
    const received = {};
    for (const logLevel of ["error", "warn", undefined, "info", "debug", "trace"]) {
      const { entries, client } = logging({ logLevel });
      const task = await client.videos.create({ prompt: PROMPT, seconds: 5 });
      await task.wait();
      received[logLevel] = new Set(entries.map(({ event }) => event));
      if (logLevel !== "debug") continue;
      const requests = named(entries, "request");
      assert.deepEqual([...new Set(requests.map(({ fields }) => fields.phase))], ["create", "query"]);
      for (const { level, fields } of requests) {
        assert.deepEqual([level, fields.attempt], ["debug", 1]);
        assert.ok(Number.isInteger(fields.elapsedMs) && fields.elapsedMs >= 0, inspect(fields));
        assert.equal("elapsed" in fields, false);
      }
      const polled = named(entries, "polled");
      assert.deepEqual(new Set(polled.map(({ fields }) => fields.taskId)), new Set([task.id]));
      assert.equal(polled.at(-1).fields.status, "succeeded");
    }
    assert.deepEqual(received.error, new Set());
    assert.deepEqual(received.warn, new Set(["warning"]));
    assert.deepEqual(received.info, new Set(["warning", "task_created"]));
    assert.deepEqual(received.undefined, received.info);
    assert.deepEqual(received.debug, new Set(["warning", "request", "task_created", "polled"]));
    for (const event of received.debug) assert.ok(received.trace.has(event), event);
  });

  test("receives, as milliseconds, the pause that a server asks for", async () => {
    const answers = [new Response("", { status: 429, headers: { "Retry-After": "1" } }), Response.json({ code: "success", data: { task_id: "task_1", status: "IN_PROGRESS" } })];
    const { entries, client } = logging({ logLevel: "debug", fetch: async () => answers.shift() });
    await client.videos.get("task_1");
    const [slow] = named(entries, "slow_down");
    assert.equal(slow.fields.retryAfterMs, 1000, inspect(entries));
    assert.equal("retryAfter" in slow.fields, false);
  });

  test("is told of tasks that a loop leaves behind", async () => {
    const { entries, client } = logging(three("task"));
    await warned(async () => {
      for await (const { video } of client.videos.generateMany(["a", "b", "c"], { concurrency: 3 })) {
        assert.equal(video.taskId, "task_1");
        break;
      }
    });
    const left = named(entries, "call_ended_early");
    assert.deepEqual(left.map(({ level, fields }) => [level, fields.taskId]).sort(), [["warn", "task_2"], ["warn", "task_3"]]);
  });

  test("is told of tasks that an aborted call leaves behind", async () => {
    const stop = new AbortController();
    const { entries, client } = logging(three("task", () => { stop.abort(); }));
    await warned(async () => {
      await assert.rejects(async () => {
        for await (const _ of client.videos.generateMany(["a", "b", "c"], { concurrency: 3, signal: stop.signal }));
      }, { code: "cancelled" });
    });
    assert.deepEqual([...idsOf(named(entries, "call_ended_early"))].sort(), ["task_1", "task_2", "task_3"]);
  });

  test("is told of a create request that is aborted before its answer", async () => {
    const stop = new AbortController();
    const { entries, client } = logging({ fetch: () => new Promise(() => { setTimeout(() => { stop.abort(); }); }) });
    await assert.rejects(client.videos.create("a ball", { signal: stop.signal }), { code: "cancelled", maybeExecuted: true });
    const [left, ...more] = named(entries, "call_ended_early");
    assert.deepEqual([left?.level, more.length], ["warn", 0], inspect(entries));
    assert.match(left.message, /may have been charged/);
  });

  test("changes no call's outcome by what it throws, and is reported once", async () => {
    const thrown = () => { throw new Error("a bad log"); };
    const odd = { throws: thrown, rejects: async () => thrown(), "returns a trap": () => ({ get then() { return thrown(); } }), "never ends": () => new Promise(() => undefined) };
    for (const [name, log] of Object.entries(odd)) {
      const client = make({ log, logLevel: "debug" });
      const lines = await warned(async () => {
        const video = await client.videos.generate("a ball");
        assert.match(video.taskId, /^task_/, name);
      });
      assert.deepEqual(lines.map((line) => line.replace(/;.*Error: /, ": ")), name === "never ends" ? [] : ["junfeiai: the function of the option log failed: a bad log"], name);
    }
  });

  test("may ask the client, and what it asks is not logged", async () => {
    const entries = [];
    const got = [];
    const client = make({
      logLevel: "debug",
      log: async ({ event, fields }) => {
        entries.push(event);
        void client.endpoint;
        if (!fields.taskId) return;
        await null;
        got.push((await client.videos.get(fields.taskId)).id);
        got.push((await client.videos.task(fields.taskId).refresh()).id);
      },
    });
    const task = await client.videos.create("a ball");
    while (got.length < 2) await new Promise((resolve) => { setTimeout(resolve, 5); });
    assert.deepEqual(got, [task.id, task.id]);
    assert.deepEqual(entries, ["request", "task_created"]);
    // A call of the program is, on the same task.
    await task.refresh();
    assert.deepEqual(entries, ["request", "task_created", "request"]);
  });

  test("misses nothing while that of another client asks", async () => {
    const seen = (id) => Response.json({ code: "success", data: { task_id: id, status: "SUCCESS", result_url: "http://127.0.0.1:1/v.mp4" } });
    const service = { baseURL: "http://127.0.0.1:1/v1", pollIntervalMs: 5, logLevel: "debug" };
    let [answerOne, answerOther, got] = [];
    const one = make({
      ...service, log: ({ fields }) => { if (fields.taskId) void one.videos.get(fields.taskId); },
      fetch: (_, { method }) => (method === "POST" ? Promise.resolve(Response.json({ id: "one_1", status: "queued" })) : new Promise((resolve) => { answerOne = resolve; })),
    });
    const other = logging({
      ...service, fetch: () => (answerOther ? Promise.resolve(seen("other_1")) : new Promise((resolve) => { answerOther = resolve; })),
    });
    const waiting = other.client.videos.task("other_1").wait({ onProgress: () => { got ??= other.client.videos.get("other_1"); } });
    await one.videos.create("a ball");
    while (!answerOne || !answerOther) await new Promise((resolve) => { setTimeout(resolve, 5); });
    // Both go on in the same moment.
    answerOne(seen("one_1"));
    answerOther(seen("other_1"));
    await waiting;
    await got;
    assert.equal(named(other.entries, "request").length, 2, inspect(other.entries));
  });

  test("of each client receives what is that client's, whatever runs at the same time", async () => {
    const [one, other] = [logging({ logLevel: "debug" }), logging({ logLevel: "debug" })];
    const silent = make();
    const run = async ({ videos }) => {
      const tasks = await Promise.all(["a", "b"].map((prompt) => videos.create(prompt)));
      await Promise.all(tasks.map((task) => task.wait()));
      const watched = [];
      for await (const task of tasks[0].watch()) watched.push(task.id);
      const read = await Promise.all(tasks.map(async ({ id }) => (await videos.video(id)).bytes()));
      assert.ok(watched.length > 0 && read.every((bytes) => bytes.length > 0));
      for await (const ended of videos.asCompleted(tasks.map(({ id }) => id))) assert.equal(ended.error, null);
      return tasks.map(({ id }) => id);
    };
    const [ids, otherIds] = await Promise.all([run(one.client), run(other.client), run(silent)]);
    assert.deepEqual(idsOf(one.entries), new Set(ids));
    assert.deepEqual(idsOf(other.entries), new Set(otherIds));
    for (const { entries } of [one, other]) assert.ok(named(entries, "video_response").length >= 2, inspect(entries.map(({ event }) => event)));
  });

  test("receives what a callback of another client's call ends", async () => {
    const inner = logging(three("inner"));
    const many = inner.client.videos.generateMany(["a", "b", "c"], { concurrency: 3 });
    assert.equal((await many.next()).value.video.taskId, "inner_1");
    const outer = logging({ logLevel: "debug" });
    let left;
    await warned(async () => {
      await outer.client.videos.generate("a ball", { onProgress: () => { left ??= many.return(); } });
      await left;
    });
    assert.deepEqual([...idsOf(named(inner.entries, "call_ended_early"))].sort(), ["inner_2", "inner_3"]);
    assert.deepEqual([...idsOf(outer.entries)].filter((id) => id.startsWith("inner")), []);
  });

  test("receives no key and no prompt, whatever failed", async () => {
    const rows = new Map();
    let [version, isBroken] = [0, false];
    const journal = {
      load: async (name) => rows.get(name) ?? null,
      async swap(name, expected, value) {
        if (isBroken) throw new Error(`refused for ${KEY}`);
        if ((rows.get(name)?.version ?? null) !== expected) return null;
        rows.set(name, { value, version: version += 1 });
        return version;
      },
      scan: async (prefix) => [...rows].filter(([name]) => name.startsWith(prefix)).map(([name, row]) => ({ name, ...row })),
    };
    const fetching = async (url, init) => {
      isBroken ||= init.method === "POST";
      return fetch(url, init);
    };
    const broken = logging({ journal, fetch: fetching, logLevel: "trace" });
    const task = await broken.client.videos.create(PROMPT);
    const [failed] = named(broken.entries, "journal_failed");
    assert.deepEqual([failed?.level, failed?.fields.taskId], ["error", task.id], inspect(broken.entries));
    assert.match(failed.fields.error, /refused for \*\*\*/);
    const lost = logging({ logLevel: "trace", maxAttempts: 1, fetch: async () => { throw new Error(`lost with ${KEY}`); } });
    await assert.rejects(lost.client.videos.create(PROMPT), { code: "create_outcome_unknown" });
    const wrong = logging({ logLevel: "trace", fetch: async () => Response.json({ error: { message: `invalid key ${KEY}`, type: "x" } }, { status: 401 }) });
    await assert.rejects(wrong.client.videos.get("task_1"), { code: "authentication" });
    const all = [broken, lost, wrong].map(({ entries }) => entries);
    for (const entries of all) assert.ok(entries.length > 0);
    const text = JSON.stringify(all);
    assert.equal(text.includes(KEY), false, text);
    assert.equal(text.includes(PROMPT), false, text);
  });

  test("receives numbers that JavaScript cannot hold, rounded", async () => {
    const mp4 = new Uint8Array(64);
    mp4.set(new TextEncoder().encode("\0\0\0\x20ftypisom"));
    const fetch = async () => new Response(mp4, { headers: { "Content-Type": "video/mp4", "Content-Length": "9007199254740993" } });
    const { entries, client } = logging({ logLevel: "debug", fetch });
    const video = await client.videos.videoAt(new URL("/ball.mp4", client.endpoint).href);
    await assert.rejects(video.bytes({ maxBytes: 3 }), { name: "JunFeiAIError", field: "maxBytes" });
    assert.equal(named(entries, "video_response")[0]?.fields.length, 2 ** 53, inspect(entries));
  });

  test("goes on after a defect of the library", async () => {
    const { __panicForTests } = createRequire(import.meta.url)("junfeiai");
    const { entries, client } = logging({ logLevel: "debug" });
    const task = await client.videos.create("a ball");
    await __panicForTests(true).catch(() => undefined);
    const count = entries.length;
    await task.refresh();
    assert.deepEqual(entries.slice(count).map(({ event }) => event), ["request"]);
    const next = await client.videos.create("a ball");
    assert.equal(named(entries, "task_created").at(-1).fields.taskId, next.id);
  });
});
