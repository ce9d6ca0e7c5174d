// The fakes of junfeiai/testing: they have what the real classes have, refuse what these refuse, and do what the test says.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { Client, JunFeiAIError, Task, Video, Videos } from "junfeiai";
import { CONTENT, InTurn, error, fakeClient, fakeTask, fakeVideo, fakeVideos, inTurn, summary } from "junfeiai/testing";
import { root } from "./emulator.mjs";

let folder;
before(async () => { folder = await mkdtemp(join(tmpdir(), "junfeiai-testing-")); });
after(() => rm(folder, { recursive: true, force: true }));

const TYPES = { Client, Videos, Task, Video };
const fakes = () => ({ Client: fakeClient(), Videos: fakeVideos(), Task: fakeTask({ status: "succeeded" }), Video: fakeVideo() });
const real = () => {
  const client = new Client({ apiKey: "sk-test", baseURL: "http://127.0.0.1:9/v1", fetch: async () => assert.fail("something was sent") });
  return { Client: client, Videos: client.videos, Task: client.videos.task("task_1") };
};
/** Methods and getters of a class. */
const members = (type, of) => Object.entries(Object.getOwnPropertyDescriptors(type.prototype)).filter(([name, has]) => name !== "constructor" && typeof has[of] === "function").map(([name]) => name);
/** What a call ends with, however it gives it. */
async function end(call) {
  try {
    const result = await call();
    const all = [];
    if (result?.[Symbol.asyncIterator] && !(result instanceof ReadableStream)) for await (const one of result) all.push(one);
    return { result, all };
  } catch (thrown) {
    return { error: thrown };
  }
}
/** Arguments with which each method does something. */
const ARGUMENTS = {
  create: ["a ball"], get: ["task_1"], task: ["task_1"], advance: [{ task_id: "task_1" }], generate: ["a ball"], asCompleted: [["task_1"]],
  generateMany: [["a ball"]], key: ["k"], forget: ["task_1"], resolveUnknown: ["i"], estimate: ["a ball"], resumePending: ["out"],
  videoAt: ["https://media.example/a.mp4"], readRange: [0, 4],
};
const argumentsOf = (type, name) => (["save", "checkSave"].includes(name) ? [join(folder, `${type}.mp4`)] : type === "Videos" && name === "video" ? ["task_1"] : ARGUMENTS[name] ?? []);

describe("a fake", () => {
  for (const [type, fake] of Object.entries(fakes())) {
    test(`${type} has all that the real one has`, async () => {
      assert.ok(fake instanceof TYPES[type]);
      for (const name of members(TYPES[type], "get")) assert.notEqual(inspect(fake[name]), undefined, name);
      for (const name of Object.keys(real()[type] ?? { taskId: null, url: null })) assert.ok(name in fake, name);
      for (const name of members(TYPES[type], "value")) {
        if (name === "toJSON") continue;
        const { error } = await end(() => fake[name](...argumentsOf(type, name)));
        assert.equal(error, undefined, `${type}.${name}: ${inspect(error)}`);
      }
      assert.ok(JSON.parse(JSON.stringify(fake)));
      fake[Symbol.dispose]();
    });

    test(`${type} refuses the options that the real one refuses, in the same words`, async () => {
      const one = type === "Video" ? await real().Videos.video("task_1") : real()[type];
      for (const name of members(TYPES[type], "value")) {
        if (["toJSON", "task", "video", "videoAt"].includes(name)) continue;
        const given = [...argumentsOf(type, name)];
        // The options come last: behind what has no default.
        while (given.length < { spending: 1, key: 1, resolveUnknown: 2, response: 1 }[name]) given.push(null);
        const refusal = async (of) => (await end(() => of[name](...given, { zzz: 1 }))).error;
        const [ours, theirs] = [await refusal(fake), await refusal(one)];
        assert.ok(theirs instanceof JunFeiAIError && ours instanceof JunFeiAIError, `${type}.${name}: ${inspect([ours, theirs])}`);
        const facts = ({ code, field, phase, taskId, message }) => [code, field, phase, taskId, message];
        assert.deepEqual(facts(ours), facts(theirs), `${type}.${name}`);
      }
    });

    test(`${type} gives promises, iterators and values where the real one does`, async () => {
      const one = type === "Video" ? await real().Videos.video("task_1") : real()[type];
      const kind = (value) => (value instanceof Promise ? "promise" : value?.[Symbol.asyncIterator] && !(value instanceof ReadableStream) ? "iterator" : "value");
      for (const name of members(TYPES[type], "value")) {
        if (name === "toJSON") continue;
        const kindOf = (of) => {
          try {
            const value = of[name](...argumentsOf(type, name).map((given) => (Array.isArray(given) ? [] : given)), { zzz: 1 }, { zzz: 1 });
            if (value instanceof Promise) value.catch(() => undefined);
            return kind(value);
          } catch {
            return "value";
          }
        };
        assert.equal(kindOf(fake), kindOf(one), `${type}.${name}`);
      }
    });
  }

  test("does not let a request pass that the real one refuses", async () => {
    const client = fakeClient();
    for (const call of [() => client.videos.create({ prompt: "" }), () => client.videos.generate({ prompt: "x", seconds: 99 }), () => client.videos.estimate({ promt: "x" }),
      () => client.videos.generateMany(["x", { prompt: "x", size: 5 }])]) {
      const { error: refused } = await end(call);
      assert.equal(refused?.code, "invalid_request", inspect(refused));
    }
    assert.throws(() => client.videos.task(".."), { code: "invalid_request" });
    assert.equal((await end(() => client.videos.generateMany("text"))).error.field, "requests");
    for (const ids of ["task_1", undefined, 5]) assert.equal((await end(() => client.videos.asCompleted(ids))).error.field, "ids");
    for (const id of [undefined, 5, client.videos]) assert.throws(() => client.videos.task(id), { code: "invalid_request", field: "taskId" });
  });

  test("refuses the values that the real one refuses, in the same words, and notes no such call", async () => {
    const asked = real();
    const on = { client: asked.Client, videos: asked.Videos, task: asked.Task, video: await asked.Videos.video("task_1") };
    const client = fakeClient();
    const fakes = { client, videos: client.videos, task: client.videos.task("task_1"), video: fakeVideo() };
    const path = join(folder, "never.mp4");
    const calls = {
      create: ({ videos }) => videos.create("a ball", { timeoutMs: 0 }), generate: ({ videos }) => videos.generate("a ball", { pollIntervalMs: 0 }),
      "generate for so long": ({ videos }) => videos.generate("a ball", { pollIntervalMs: Infinity }), generateMany: ({ videos }) => videos.generateMany(["a ball"], { pollIntervalMs: 0 }),
      "no concurrency": ({ videos }) => videos.generateMany(["a ball"], { concurrency: 0 }), "half concurrency": ({ videos }) => videos.generateMany(["a ball"], { concurrency: 1.5 }),
      get: ({ videos }) => videos.get("task_1", { timeoutMs: 0 }), refresh: ({ task }) => task.refresh({ timeoutMs: 0 }), wait: ({ task }) => task.wait({ pollIntervalMs: 0 }),
      watch: ({ task }) => task.watch({ pollIntervalMs: 0 }), waitState: ({ task }) => task.waitState({ pollIntervalMs: 0 }), connections: ({ video }) => video.save(path, { connections: 17 }),
      path: ({ video }) => video.save(5), "no file": ({ video }) => video.save(new URL("https://media.example/")), maxBytes: ({ video }) => video.bytes({ maxBytes: -1 }), blob: ({ video }) => video.blob({ maxBytes: "5" }),
      start: ({ video }) => video.readRange("0", 5), end: ({ video }) => video.readRange(0, -1), range: ({ video }) => video.response(5), key: ({ videos }) => videos.key(5), forget: ({ videos }) => videos.forget(5),
      intent: ({ videos }) => videos.resolveUnknown(5), taskId: ({ videos }) => videos.resolveUnknown("a", 5), since: ({ videos }) => videos.spending(5), folder: ({ videos }) => videos.resumePending(5),
    };
    const facts = ({ error: { code, field, phase, taskId, message } = {} }) => [code, field, phase, taskId, message];
    for (const [name, call] of Object.entries(calls)) {
      const [ours, theirs] = [await end(() => call(fakes)), await end(() => call(on))];
      assert.equal(theirs.error?.code, "invalid_request", name);
      assert.deepEqual(facts(ours), facts(theirs), name);
    }
    assert.deepEqual(client.calls.map(({ name }) => name).filter((name) => name !== "task"), []);
    // A result of the test is given to who asks rightly.
    const scripted = fakeClient({ wait: fakeVideo(), generateMany: [] });
    assert.equal((await end(() => scripted.videos.task("task_1").wait({ pollIntervalMs: 0 }))).error?.field, "pollIntervalMs");
    assert.equal((await end(() => scripted.videos.task("task_1").wait({ pollIntervalMs: 5 }))).error, undefined);
    assert.equal((await end(() => fakeTask({ id: "" }).refresh())).error, undefined);
    // Nothing is read twice that can be read once, and no file is made.
    const requests = (function* () { yield { prompt: "a ball", image: new Response(Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 0])) }; })();
    assert.equal((await end(() => fakeClient().videos.generateMany(requests))).all?.length, 1);
    await end(() => fakeVideo({}, { save: summary() }).save(path));
    assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith("never")), []);
  });

  test("sends nothing, and waits for no timer", async () => {
    const { fetch, setTimeout: timeout } = globalThis;
    globalThis.fetch = () => assert.fail("something was sent");
    const { video } = fakeClient().videos;
    try {
      const client = fakeClient();
      const told = [];
      const film = await client.videos.generate({ prompt: "a ball", seconds: 6 }, { pollIntervalMs: 10_000, onProgress: (task) => { told.push(task.status); } });
      assert.deepEqual(told, ["queued", "queued", "in_progress", "succeeded"]);
      assert.equal((await film.save(join(folder, "film.mp4"), { overwrite: true })).bytes, CONTENT.length);
      assert.deepEqual(await readFile(join(folder, "film.mp4")), Buffer.from(CONTENT));
      assert.deepEqual(client.calls.map(({ name }) => name), ["generate", "create", "wait", "save"]);
      assert.deepEqual(client.called("create"), [[{ prompt: "a ball", seconds: 6 }, {}]]);
    } finally {
      Object.assign(globalThis, { fetch, setTimeout: timeout });
    }
    assert.equal(typeof video, "function");
  });

  test("of an open video reads its content, and refuses what a real one refuses", async () => {
    const content = Uint8Array.from({ length: 200_000 }, (_, at) => at % 251);
    const client = fakeClient({}, { content });
    const reader = await (await client.videos.generate("a ball")).open();
    assert.equal(reader.size, content.length);
    assert.deepEqual(await reader.read(199_990, 100), content.slice(199_990));
    const pieces = [];
    for await (const piece of reader.stream({ start: 5, end: 150_000 })) pieces.push(piece);
    assert.deepEqual(new Uint8Array(Buffer.concat(pieces)), content.slice(5, 150_000));
    assert.equal((await end(() => reader.read("a", 5))).error.field, "position");
    await reader.close();
    assert.equal((await end(() => reader.read(0, 5))).error.code, "invalid_request");
    assert.deepEqual(client.called("open"), [[]]);
    assert.equal((await end(() => fakeVideo({}, { open: error("not_found") }).open())).error.code, "not_found");
  });

  test("keeps keys: the second request of one finds the first one's task", async () => {
    const videos = fakeVideos();
    const [one, other] = [await videos.create({ prompt: "a", key: "k" }), await videos.create({ prompt: "a", key: "k" })];
    assert.deepEqual([one.reused, other.reused, other.id], [false, true, one.id]);
    assert.equal((await videos.key("k")).taskId, one.id);
    assert.equal(await videos.key("other"), null);
  });

  test("of a file does not replace another one, and makes folders where that is asked for", async () => {
    const path = join(folder, "there.mp4");
    await fakeVideo().save(path);
    const { error: refused } = await end(() => fakeVideo().save(path));
    assert.deepEqual([refused.code, refused.taskId], ["file_exists", "task_1"]);
    await fakeVideo().save(join(folder, "a/b%20?/c.mp4"), { createParents: true });
    assert.equal((await end(() => fakeVideo().save(join(folder, "none/c.mp4")))).error.code, "io");
    const signal = AbortSignal.abort(new Error("mine"));
    const { error: aborted } = await end(() => fakeVideo().save(join(folder, "late.mp4"), { signal }));
    assert.deepEqual([aborted.name, aborted.taskId, aborted.cause], ["AbortError", "task_1", signal.reason]);
  });
});

describe("what the test says", () => {
  test("is given by the names of methods", async () => {
    const client = fakeClient({
      create: inTurn(error("rate_limited", { retryAfterMs: 5000 }), fakeTask({ id: "task_9" })),
      wait: (options) => { assert.equal(options?.timeoutMs, 5); throw error("wait_timeout", { taskId: "task_9" }); },
      balance: { name: null, unlimited: false, availableUSD: 0.5, usedUSD: 1, expiresAt: null },
      pending: async () => [],
    });
    const limited = (await end(() => client.videos.create("a ball"))).error;
    assert.deepEqual([limited.code, limited.status, limited.retryAfterMs, limited.transient, limited.number], ["rate_limited", 429, 5000, true, 25]);
    const task = await client.videos.create("a ball");
    assert.equal(task.id, "task_9");
    const late = (await end(() => task.wait({ timeoutMs: 5 }))).error;
    assert.deepEqual([late.code, late.taskId, late.lastStatus], ["wait_timeout", "task_9", "in_progress"]);
    assert.equal((await client.balance()).availableUSD, 0.5);
    assert.deepEqual(await client.videos.pending(), []);
    assert.match((await end(() => client.videos.create("a ball"))).error.message, /called once more: the test has 2 results/);
    // The task that was given notes its calls at the client that gave it.
    assert.deepEqual(client.called("wait"), [[{ timeoutMs: 5 }]]);
    assert.ok(inTurn() instanceof InTurn);
  });

  test("of iterators is what they give", async () => {
    const ended = [{ index: 0, video: fakeVideo({ taskId: "task_5" }), error: null }, { index: 1, video: null, error: error("task_failed") }];
    const client = fakeClient({ generateMany: ended });
    const { all } = await end(() => client.videos.generateMany(["a", "b"]));
    assert.deepEqual(all.map(({ index, error: failed }) => [index, failed?.code]), [[0, undefined], [1, "task_failed"]]);
    await all[0].video.bytes();
    assert.equal(client.called("bytes").length, 1);
    const many = await end(() => fakeClient({ wait: inTurn(fakeVideo(), error("task_failed", { taskId: "task_2" })) }).videos.generateMany(["a", "b"]));
    assert.deepEqual(many.all.map(({ video, error: failed }) => video ? "video" : failed.taskId), ["video", "task_2"]);
  });

  test("decides what becomes of tasks", async () => {
    const failed = (await end(() => fakeClient({}, { statuses: ["queued", "failed"] }).videos.generate("a ball"))).error;
    assert.deepEqual([failed.code, failed.taskId, failed.number], ["task_failed", "task_1", 41]);
    const stuck = (await end(() => fakeVideos({}, { statuses: ["in_progress"] }).generate("a ball"))).error;
    assert.deepEqual([stuck.code, stuck.lastStatus], ["wait_timeout", "in_progress"]);
    const { all } = await end(() => fakeVideos().task("task_3").watch());
    assert.deepEqual(all.map(({ status }) => status), ["queued", "in_progress", "succeeded"]);
    assert.throws(() => fakeTask().video(), { code: "not_ready" });
    assert.equal(fakeTask({ id: "task_4", status: "succeeded" }).video().taskId, "task_4");
    assert.deepEqual(await fakeVideo({}, {}, { content: Uint8Array.of(1, 2) }).bytes(), Uint8Array.of(1, 2));
    assert.equal(summary({ bytes: 7 }).bytes, 7);
  });

  test("is refused where it can mean nothing", () => {
    assert.throws(() => fakeClient({ craete: 1 }), /there is no method craete; a result can be given for .*create/);
    assert.throws(() => fakeClient({}, { statuses: ["done"] }), /not done/);
    assert.throws(() => fakeClient({}, { statuses: [] }), /no status/);
    assert.throws(() => fakeTask({ stauts: "failed" }), /no attribute stauts/);
    assert.throws(() => fakeVideo({ id: "x" }), /no attribute id/);
    assert.throws(() => error("no_such_kind"), /there is no kind of error no_such_kind/);
    assert.throws(() => error("io", { stauts: 5 }), /no attribute stauts/);
  });
});

describe("an error", () => {
  const codes = async () => [...(await readFile(join(root, "bindings-wasm/ts/errors.ts"), "utf8")).split("ErrorCode =")[1].split("(string")[0].matchAll(/"(\w+)"/g)].map(([, code]) => code);

  test("of every kind is a real one, with its number and advice", async () => {
    const numbers = new Set();
    for (const code of await codes()) {
      const made = error(code, { message: "this happened" });
      assert.ok(made instanceof JunFeiAIError && made instanceof Error, code);
      assert.equal(made.code, code);
      assert.match(made.message, /^this happened; \w/);
      assert.equal(made.name, code === "cancelled" ? "AbortError" : "JunFeiAIError");
      numbers.add(made.number);
    }
    assert.equal(numbers.size, (await codes()).length);
    assert.deepEqual(error("create_outcome_unknown").maybeExecuted, true);
    assert.match(error("untrusted_host").message, /add the host to trustedHosts/);
    const all = { phase: "wait", status: 500, serverCode: "c", serverMessage: "m", requestId: "r", taskId: "t", taskIds: ["t"], lastStatus: "queued", field: "f", retryAfterMs: 5, attempts: 3, maybeExecuted: true, transient: true };
    const made = error("io", { ...all, cause: "why" });
    for (const [name, value] of Object.entries(all)) assert.deepEqual(made[name], value, name);
    assert.equal(made.cause, "why");
  });

  test("says of itself what one of Python's junfeiai.testing says", async () => {
    const python = await readFile(join(root, "bindings-python/python/junfeiai/testing.py"), "utf8");
    const block = (name) => new RegExp(`^${name} = \\{(?:(.*)\\}|\\n([^]*?)^\\})$`, "m").exec(python).slice(1).find(Boolean);
    const pairs = (text) => Object.fromEntries([...text.matchAll(/"(\w+)": "?(\w+)"?/g)].map(([, name, value]) => [name, value]));
    const status = pairs(block("_STATUS_CODES"));
    const phases = pairs(block("_PHASES"));
    for (const [, names, phase] of block("_PHASES").matchAll(/fromkeys\(\(([^)]*)\), "(\w+)"\)/g)) for (const [, name] of names.matchAll(/"(\w+)"/g)) phases[name] = phase;
    const last = pairs(block("_LAST_STATUSES"));
    assert.ok(Object.keys(status).length > 5 && Object.keys(phases).length > 10 && Object.keys(last).length > 2);
    for (const code of await codes()) {
      const made = error(code);
      assert.deepEqual([made.status, made.phase, made.lastStatus], [status[code] ? Number(status[code]) : null, phases[code] ?? "create", last[code] ?? null], code);
      assert.deepEqual([made.transient, made.taskId !== null], [block("_TRANSIENT").includes(`"${code}"`), block("_OF_A_TASK").includes(`"${code}"`)], code);
    }
  });
});

test("who requires it gets the same classes", () => {
  const require = createRequire(import.meta.url);
  const testing = require("junfeiai/testing");
  assert.equal(testing.fakeClient, fakeClient);
  assert.ok(testing.fakeClient() instanceof require("junfeiai").Client);
  assert.deepEqual(Object.keys(testing).sort(), ["CONTENT", "InTurn", "error", "fakeClient", "fakeTask", "fakeVideo", "fakeVideos", "inTurn", "ready", "summary"]);
});
