// generateMany: every task's id is told as soon as there is one, timeouts are of the call, and no callback's error hides a task.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { inspect } from "node:util";
import { Client, JunFeiAIError, Task } from "junfeiai";
import { KEY, startEmulator } from "./emulator.mjs";

let emulator, client;
const make = (options = {}) => new Client({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, ...options });
const postCount = async () => (await emulator.requests()).filter((r) => r.method === "POST").length;
const PROMPTS = ["a", "b", "c"];

before(async () => { emulator = await startEmulator(); });
after(() => { emulator.stop(); });
beforeEach(async () => {
  await emulator.reset();
  await emulator.forget();
  client = make();
});

/** All that came, what the call ended with, and the lines that it logged. */
async function outcome(items) {
  const [got, lines, { warn }] = [[], [], console];
  console.warn = (...values) => { lines.push(values.map(String).join(" ")); };
  try {
    for await (const item of items) got.push(item);
    return { got, lines };
  } catch (error) {
    return { got, error, lines };
  } finally {
    console.warn = warn;
  }
}

describe("generateMany", () => {
  test("onCreated is called once for each task, before anything else is heard of it", async () => {
    const calls = [];
    const { got, error } = await outcome(client.videos.generateMany(PROMPTS, {
      concurrency: 2,
      onCreated: (created) => { calls.push({ name: "created", ...created }); },
      onProgress: ({ index, task }) => {
        assert.ok(task instanceof Task);
        calls.push({ name: "progress", index, taskId: task.id, status: task.status });
      },
    }));
    assert.equal(error, undefined);
    for (const index of [0, 1, 2]) {
      const of = calls.filter((call) => call.index === index);
      assert.deepEqual(of.map(({ name }) => name === "created"), [true, ...of.slice(1).map(() => false)]);
      assert.equal(new Set(of.map(({ taskId }) => taskId)).size, 1);
      assert.equal(of.at(-1).status, "succeeded");
      assert.equal(got.find((item) => item.index === index).video.taskId, of[0].taskId);
    }
    assert.equal(new Set(calls.map(({ taskId }) => taskId)).size, 3);
  });

  test("one callback without the other", async () => {
    const ids = [];
    await outcome(client.videos.generateMany(PROMPTS, { onCreated: ({ taskId }) => { ids.push(taskId); } }));
    assert.equal(new Set(ids).size, 3);
    assert.equal(ids.length, 3);
    const seen = new Set();
    await outcome(client.videos.generateMany(PROMPTS, { onProgress: ({ index }) => { seen.add(index); } }));
    assert.deepEqual([...seen].sort(), [0, 1, 2]);
  });

  test("a task under a key that was created before is told, too", async () => {
    const rows = new Map();
    let latest = 0;
    const journal = {
      load: (name) => rows.get(name),
      swap(name, expected, value) {
        if ((rows.get(name)?.version ?? null) !== expected) return null;
        if (value === null) rows.delete(name); else rows.set(name, { value, version: latest + 1 });
        return latest += 1;
      },
      scan: (prefix) => [...rows].filter(([name]) => name.startsWith(prefix)).map(([name, row]) => ({ name, ...row })),
    };
    const { id } = await make({ journal }).videos.create({ prompt: "a", key: "k" });
    const told = [];
    await outcome(make({ journal }).videos.generateMany([{ prompt: "a", key: "k" }], { onCreated: (created) => { told.push(created); } }));
    assert.deepEqual(told, [{ index: 0, taskId: id }]);
    assert.equal(await postCount(), 1);
  });

  test("timeoutMs and pollIntervalMs are of each wait", async () => {
    await emulator.scenario({ task: { outcome: "stuck" } });
    const ids = new Map();
    const { got } = await outcome(client.videos.generateMany(PROMPTS, { timeoutMs: 60, pollIntervalMs: 10, onCreated: ({ index, taskId }) => { ids.set(index, taskId); } }));
    assert.equal(got.length, 3);
    for (const { index, error } of got) assert.deepEqual([error.code, error.taskId], ["wait_timeout", ids.get(index)]);
    const { error } = await outcome(client.videos.generateMany(PROMPTS, { pollIntervalMs: 0 }));
    assert.deepEqual([error.code, error.field], ["invalid_request", "pollIntervalMs"]);
    assert.equal(await postCount(), 3);
  });

  const throws = {
    throws: () => { throw new RangeError("mine"); },
    rejects: () => Promise.reject(new RangeError("mine")),
    "rejects later": async () => { await null; throw new RangeError("mine"); },
  };
  for (const callback of ["onCreated", "onProgress"]) {
    for (const [how, fail] of Object.entries(throws)) {
      test(`${callback} that ${how} ends the call with its own error and the ids of all tasks`, async () => {
        await emulator.scenario({ task: { outcome: "stuck" } });
        const known = [];
        const { error, lines } = await outcome(client.videos.generateMany(PROMPTS, {
          [callback]: (told) => {
            known.push(told.taskId ?? told.task.id);
            return new Set(known).size === 3 ? fail() : undefined;
          },
        }));
        assert.ok(error instanceof RangeError, inspect(error));
        assert.deepEqual([...error.taskIds].sort(), [...new Set(known)].sort());
        assert.equal(error.taskId, undefined, "there is not one task");
        for (const id of error.taskIds) assert.ok(lines.join("\n").includes(id));
        // Nothing more was sent, and each task is still to be had.
        assert.equal(await postCount(), 3);
        assert.equal((await client.videos.get(error.taskIds[0])).id, error.taskIds[0]);
      });
    }
  }

  test("of one task the error has taskId as well; what cannot carry it is the cause of one that can", async () => {
    const alone = await outcome(client.videos.generateMany(["a"], { onCreated: () => { throw new RangeError("mine"); } }));
    assert.match(alone.error.taskId, /^task_/);
    assert.deepEqual(alone.error.taskIds, [alone.error.taskId]);
    for (const thrown of [5, undefined, "text", Object.freeze(new Error("frozen"))]) {
      const { error } = await outcome(client.videos.generateMany(["a"], { onCreated: () => { throw thrown; } }));
      assert.ok(error instanceof JunFeiAIError, inspect(error));
      assert.equal(error.code, "cancelled");
      assert.deepEqual(error.taskIds, [error.taskId]);
      assert.match(error.taskId, /^task_/);
      assert.equal(error.cause, thrown);
      assert.deepEqual(error.toJSON().taskIds, error.taskIds);
    }
  });

  test("a create request that was under way is said on the callback's error", async () => {
    const answer = (data) => new Response(JSON.stringify(data), { headers: { "content-type": "application/json" } });
    let sent = 0;
    const fetch = (url, { method }) => {
      if (method !== "POST") return answer({ code: "success", data: { task_id: url.split("/").at(-1), status: "IN_PROGRESS" } });
      sent += 1;
      // The second is never answered.
      return sent === 1 ? answer({ id: "task_1", status: "queued" }) : new Promise(() => undefined);
    };
    const { error } = await outcome(make({ fetch }).videos.generateMany(["a", "b"], {
      onProgress: () => { if (sent === 2) throw new RangeError("mine"); },
    }));
    assert.ok(error instanceof RangeError, inspect(error));
    assert.deepEqual([error.taskId, error.taskIds, error.maybeExecuted], ["task_1", ["task_1"], true]);
  });

  test("what has ended is given out before a callback's error", async () => {
    const ends = [];
    const { got, error } = await outcome(client.videos.generateMany(PROMPTS, {
      concurrency: 1,
      onProgress: ({ index, task }) => { if (task.status === "succeeded") { ends.push(index); if (index === 1) throw new RangeError("mine"); } },
    }));
    assert.ok(error instanceof RangeError);
    // Whichever came first, the task that had ended is in one of the two places.
    const given = got.map(({ video }) => video.taskId);
    assert.equal(given.length + (error.taskIds?.length ?? 0), 2);
    assert.deepEqual(ends, [0, 1]);
    assert.equal(await postCount(), 2);
  });

  test("a rejection while the program works on an outcome ends the call with the next step", async () => {
    await emulator.scenario({ rules: [{ match: { op: "create", nth: [1] }, fault: { kind: "status", status: 403 } }], task: { outcome: "stuck" } });
    let reject, told;
    const late = new Promise((_, no) => { reject = no; });
    const called = new Promise((yes) => { told = yes; });
    const items = client.videos.generateMany(["refused", "b"], { concurrency: 1, onCreated: () => { told(); return late; } });
    const first = await items.next();
    assert.deepEqual([first.value.index, first.value.error.code], [0, "permission_denied"]);
    const rest = outcome({ [Symbol.asyncIterator]: () => ({ next: () => items.next() }) });
    await called;
    reject(new RangeError("mine"));
    const { error } = await rest;
    assert.ok(error instanceof RangeError, inspect(error));
    assert.equal(error.taskIds.length, 1);
  });

  /** A service that answers create requests when it is told to. */
  function holding() {
    const answers = [];
    const json = (data) => new Response(JSON.stringify(data), { headers: { "content-type": "application/json" } });
    const fetch = (url, { method }) => {
      const id = String(url).split("/").at(-1);
      if (method !== "POST") return Promise.resolve(json({ code: "success", data: { task_id: id, status: "SUCCESS", result_url: "https://media.example/a.mp4" } }));
      return new Promise((resolve) => { answers.push(() => { resolve(json({ id: `task_${answers.length}`, status: "queued" })); }); });
    };
    return { answers, fetch, until: async (count) => { while (answers.length < count) await new Promise((resolve) => { setTimeout(resolve, 1); }); } };
  }

  test("stopSignal withdraws the create requests that have not left, and gives out the others", async () => {
    const { answers, fetch, until } = holding();
    const stop = new AbortController();
    const ids = [];
    const all = outcome(make({ fetch, maxInFlightCreates: 2 }).videos.generateMany(Array(30).fill("a"), {
      concurrency: 8, stopSignal: stop.signal, onCreated: ({ taskId }) => { ids.push(taskId); },
    }));
    await until(2);
    stop.abort();
    for (const answer of answers) answer();
    const { got, error, lines } = await all;
    assert.equal(error, undefined);
    assert.deepEqual(lines, []);
    assert.equal(answers.length, 2);
    assert.deepEqual(got.map(({ index }) => index).sort((a, b) => a - b), Array.from({ length: 30 }, (_, index) => index));
    const videos = got.filter(({ video }) => video).map(({ video }) => video.taskId);
    assert.deepEqual(videos.sort(), ids.sort());
    assert.equal(videos.length, 2);
    for (const { error: withdrawn } of got.filter(({ video }) => !video)) assert.deepEqual([withdrawn.code, withdrawn.maybeExecuted, withdrawn.taskId, withdrawn.phase], ["cancelled", false, null, "create"]);
  });

  test("create and generate take a stopSignal: what has left comes to its end, what waits does not leave", async () => {
    const { answers, fetch, until } = holding();
    const stop = new AbortController();
    const { videos } = make({ fetch, maxInFlightCreates: 1 });
    const first = videos.create("a", { stopSignal: stop.signal });
    await until(1);
    const waiting = [videos.create("b", { stopSignal: stop.signal }), videos.generate("c", { stopSignal: stop.signal })].map((call) => call.catch((error) => error));
    await new Promise((resolve) => { setImmediate(resolve); });
    stop.abort();
    for (const error of await Promise.all(waiting)) assert.deepEqual([error.code, error.maybeExecuted], ["cancelled", false], inspect(error));
    // Raised before.
    for (const call of [videos.create("d", { stopSignal: stop.signal }), videos.generate("d", { stopSignal: stop.signal })]) await assert.rejects(call, { code: "cancelled", maybeExecuted: false });
    answers[0]();
    assert.equal((await first).id, "task_1");
    assert.equal(answers.length, 1);
    const { getEventListeners } = await import("node:events");
    assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  });

  test("a client that is disposed sends no create request that still waits", async () => {
    const { answers, fetch, until } = holding();
    const client = make({ fetch, maxInFlightCreates: 1 });
    const { videos } = client;
    const first = videos.create("a");
    await until(1);
    const waiting = [videos.create("b"), videos.generate("c")].map((call) => call.catch((error) => error));
    await new Promise((resolve) => { setImmediate(resolve); });
    client[Symbol.dispose]();
    for (const error of await Promise.all(waiting)) {
      assert.deepEqual([error.code, error.maybeExecuted], ["cancelled", false], inspect(error));
      assert.match(error.message, /the client was closed/);
    }
    answers[0]();
    assert.equal((await first).id, "task_1");
    assert.equal(answers.length, 1);
  });

  test("a create request that would be sent again after a 429 is withdrawn, too", async () => {
    const stop = new AbortController();
    let posts = 0;
    const fetch = async () => {
      posts += 1;
      setImmediate(() => { stop.abort(); });
      return new Response("{}", { status: 429, headers: { "retry-after": "60" } });
    };
    await assert.rejects(make({ fetch }).videos.create("a", { stopSignal: stop.signal }), { code: "cancelled", maybeExecuted: false });
    assert.equal(posts, 1);
  });

  test("leaves no listener on the signal", async () => {
    const { getEventListeners } = await import("node:events");
    const stop = new AbortController();
    await outcome(client.videos.generateMany(PROMPTS, { signal: stop.signal }));
    for await (const _ of client.videos.generateMany(PROMPTS, { signal: stop.signal, concurrency: 1 })) break;
    await outcome(client.videos.generateMany(PROMPTS, { signal: stop.signal, concurrency: 0 }));
    for await (const _ of client.videos.asCompleted([await emulator.add({ state: "finished", seconds: 4 })], { signal: stop.signal }));
    assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  });
});
