// What pays: everything that can be refused is refused before anything is sent, and no way out of a call hides its task.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import { Client, JunFeiAIError } from "junfeiai";
import { createProxyHandler, toNodeHandler } from "junfeiai/server";
import { KEY, startEmulator } from "./emulator.mjs";

let emulator, client, folder;
const make = (options = {}) => new Client({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, ...options });
const postCount = async () => (await emulator.requests()).filter((r) => r.method === "POST").length;
const rejection = (promise) => promise.then((value) => assert.fail(`it gave ${inspect(value)}`), (error) => error);
const drain = async (items) => { for await (const item of items) if (item.error) throw item.error; };

before(async () => {
  emulator = await startEmulator();
  folder = await mkdtemp(join(tmpdir(), "junfeiai-paid-"));
});
after(async () => {
  emulator.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await emulator.reset();
  await emulator.forget();
  client = make();
});

/** The lines that `console.warn` got while `work` ran. */
async function warned(work) {
  const lines = [];
  const { warn } = console;
  console.warn = (...values) => { lines.push(values.map(String).join(" ")); };
  try {
    await work();
  } finally {
    console.warn = warn;
  }
  return lines;
}

const trap = () => { throw new RangeError("a trap"); };
const traps = (target) => new Proxy(target, new Proxy({}, { get: () => trap }));
const revoked = (target) => { const { proxy, revoke } = Proxy.revocable(target, {}); revoke(); return proxy; };
/** Made anew for each use: a promise that rejects must be looked at. */
const HOSTILE = {
  NaN: () => NaN, minusOne: () => -1, minusInfinity: () => -Infinity, infinity: () => Infinity, half: () => 0.5, huge: () => 1e300,
  text: () => "5", empty: () => "", object: () => ({}), array: () => [], nested: () => [[{}]], function: () => () => 1, symbol: () => Symbol("x"),
  bigint: () => 1n, yes: () => true, date: () => new Date(), map: () => new Map([[1, 2]]), bytes: () => new Uint8Array(3),
  proxy: () => traps({}), arrayProxy: () => traps([]), functionProxy: () => traps(() => 1), revoked: () => revoked({}), revokedArray: () => revoked([]),
  valueOf: () => ({ valueOf: trap, toString: trap, toJSON: trap, [Symbol.toPrimitive]: trap }), bare: () => Object.create(null),
  promise: () => { const lost = Promise.reject(new Error("lost")); lost.catch(() => undefined); return lost; },
  loop: () => { const loop = {}; loop.loop = loop; return loop; }, deep: () => { let deep = []; for (let i = 0; i < 20_000; i += 1) deep = [deep]; return deep; },
  notASignal: () => ({ aborted: false, addEventListener: trap, removeEventListener: trap }), lyingSignal: () => ({ get aborted() { throw new Error("no"); } }),
  blob: () => { const blob = new Blob(["x"]); blob.arrayBuffer = () => Promise.reject(new Error("the file is gone")); return blob; },
};
const getter = (name) => Object.defineProperty({}, name, { enumerable: true, get: trap });

const CALLS = {
  create: { options: ["signal", "stopSignal"], go: (videos, request, options) => videos.create(request, options) },
  generate: { options: ["signal", "stopSignal", "timeoutMs", "pollIntervalMs", "onProgress"], go: (videos, request, options) => videos.generate(request, options) },
  generateMany: { options: ["signal", "stopSignal", "concurrency", "timeoutMs", "pollIntervalMs", "onCreated", "onProgress"], go: (videos, request, options) => drain(videos.generateMany([request], options)) },
};
const FIELDS = ["model", "prompt", "seconds", "duration", "size", "image", "images", "extra", "validate", "unknown"];

describe("hostile values", () => {
  /** Nothing is sent, or what is paid for is known: the call succeeds, or its error carries the id. */
  async function judge(name, begin) {
    const posts = await postCount();
    let error;
    try {
      await begin();
    } catch (thrown) {
      error = thrown;
    }
    const sent = (await postCount()) - posts;
    const ofCallback = error instanceof RangeError && sent > 0;
    if (error !== undefined && !ofCallback) assert.ok(error instanceof JunFeiAIError, `${name}: ${inspect(error)}`);
    // What the server refuses costs nothing.
    if (error !== undefined && sent > 0 && (ofCallback || error.maybeExecuted || error.status === null)) assert.match(String(error.taskId), /^task_/, `${name} paid and lost the task: ${error.message}`);
    return { error, sent };
  }

  for (const [verb, { options, go }] of Object.entries(CALLS)) {
    test(`in every option of ${verb}`, async () => {
      for (const option of options) {
        for (const [kind, value] of Object.entries(HOSTILE)) {
          const { error, sent } = await judge(`${verb} ${option}: ${kind}`, () => go(client.videos, "a ball", { [option]: value() }));
          const fine = { timeoutMs: ["infinity", "half", "huge"], pollIntervalMs: ["half"], onProgress: ["function", "functionProxy"], onCreated: ["function", "functionProxy"] }[option] ?? [];
          if (!fine.includes(kind)) assert.equal(sent, 0, `${verb} ${option}: ${kind} paid`);
          if (error && sent === 0) assert.equal(error.field, option, `${verb} ${option}: ${kind}: ${error.message}`);
        }
        const { error, sent } = await judge(`${verb} ${option} getter`, () => go(client.videos, "a ball", getter(option)));
        assert.deepEqual([error.code, error.field, sent], ["invalid_request", option, 0]);
      }
    });

    test(`as options and requests of ${verb}`, async () => {
      for (const [kind, value] of Object.entries(HOSTILE)) {
        await judge(`${verb} options: ${kind}`, () => go(client.videos, "a ball", value()));
        const { sent } = await judge(`${verb} request: ${kind}`, () => go(client.videos, value(), {}));
        if (!["text"].includes(kind)) assert.equal(sent, 0, `${verb} request: ${kind} paid`);
        for (const field of FIELDS) {
          await judge(`${verb} ${field}: ${kind}`, () => go(client.videos, { prompt: "a ball", [field]: value() }, {}));
        }
        await judge(`${verb} extra: ${kind}`, () => go(client.videos, { prompt: "a ball", extra: { deep: [value()] } }, {}));
      }
      for (const field of FIELDS) {
        const { sent } = await judge(`${verb} ${field} getter`, () => go(client.videos, Object.assign(getter(field), field === "prompt" ? {} : { prompt: "x" }), {}));
        assert.equal(sent, 0, field);
      }
      const { error, sent } = await judge(`${verb} unknown option`, () => go(client.videos, "a ball", { timeout: 5 }));
      assert.deepEqual([error.code, error.field, sent], ["invalid_request", "timeout", 0]);
      assert.match(error.message, /timeout/);
      const aborted = await judge(`${verb} aborted`, () => go(client.videos, "a ball", { signal: AbortSignal.abort(new Error("enough")) }));
      assert.deepEqual([aborted.error.code, aborted.error.cause.message, aborted.error.maybeExecuted, aborted.sent], ["cancelled", "enough", false, 0]);
    });
  }

  test("several at once, by chance", async () => {
    const seed = Number(process.env.JUNFEIAI_SEED ?? Math.floor(Math.random() * 2 ** 31));
    let state = seed;
    const pick = (list) => { state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0; return list[(state >>> 8) % list.length]; };
    for (let round = 0; round < 300; round += 1) {
      const [verb, { options, go }] = pick(Object.entries(CALLS));
      const request = { prompt: "a ball", [pick(FIELDS)]: HOSTILE[pick(Object.keys(HOSTILE))](), [pick(FIELDS)]: HOSTILE[pick(Object.keys(HOSTILE))]() };
      const given = { timeoutMs: 300, [pick(options)]: HOSTILE[pick(Object.keys(HOSTILE))]() };
      if (verb === "create") delete given.timeoutMs;
      if (typeof given.pollIntervalMs === "number" && given.pollIntervalMs > 1e6) continue;
      await judge(`JUNFEIAI_SEED=${seed}, round ${round}, ${verb} ${inspect(request)} ${inspect(given)}`, () => go(client.videos, request, given));
    }
  });

  test("as the requests of generateMany", async () => {
    const lists = {
      text: "ball", number: 5, nothing: undefined, object: {}, map: new Map([["a", "b"]]), proxy: traps([]),
      async *async() { yield "a ball"; },
      *broken() { yield "a ball"; throw new Error("the list broke"); },
    };
    for (const [name, list] of Object.entries(lists)) {
      const { error, sent } = await judge(name, () => drain(client.videos.generateMany(typeof list === "function" ? list() : list)));
      assert.deepEqual([error?.code, sent], ["invalid_request", 0], name);
    }
  });

  test("Infinity waits as long as it takes", async () => {
    await client.videos.generate("a ball", { timeoutMs: Infinity });
    await make({ waitTimeoutMs: Infinity }).videos.generate("a ball");
    const task = await client.videos.create("a ball");
    await task.wait({ timeoutMs: Infinity });
  });

  test("in the options of the proxy handler", () => {
    const given = { apiKey: KEY, baseURL: emulator.baseURL, allow: () => true };
    for (const wrong of [{ onCreated: 5 }, { onCreated: null }, { basePath: /x/ }, { allow: "yes" }, { onCraeted: () => 1 }]) {
      assert.throws(() => createProxyHandler({ ...given, ...wrong }), inspect(wrong));
    }
  });
});

describe("callbacks", () => {
  const own = new RangeError("mine");
  let files = 0;

  test("what onProgress throws or rejects with ends the call and carries the id", async () => {
    const { id } = await client.videos.create("a ball");
    const task = () => client.videos.task(id);
    await task().wait();
    const video = await client.videos.video(id);
    const calls = {
      generate: (onProgress) => client.videos.generate("a ball", { onProgress }),
      wait: (onProgress) => task().wait({ onProgress }),
      bytes: (onProgress) => video.bytes({ onProgress }),
      blob: (onProgress) => video.blob({ onProgress }),
      save: (onProgress) => video.save(join(folder, `never-${files += 1}.mp4`), { onProgress }),
    };
    for (const [name, begin] of Object.entries(calls)) {
      for (const callback of [() => { throw new RangeError("mine"); }, () => Promise.reject(new RangeError("mine")), async () => { await null; throw new RangeError("mine"); }]) {
        const error = await rejection(begin(callback));
        assert.ok(error instanceof RangeError, `${name}: ${inspect(error)}`);
        assert.match(error.taskId, /^task_/, name);
        if (name !== "generate") assert.equal(error.taskId, id);
      }
      const odd = [5, undefined, null, "text", Symbol("x"), Object.freeze(new Error("frozen")), revoked({}), traps({}), Object.assign(new Error("of another"), { taskId: "task_other" })];
      for (const thrown of odd) {
        const error = await rejection(begin(() => { throw thrown; }));
        assert.ok(error instanceof JunFeiAIError, name);
        assert.equal(error.code, "cancelled");
        assert.match(error.taskId, /^task_/, name);
        if (thrown !== undefined && thrown !== null) assert.equal(error.cause, thrown);
      }
    }
    // One error for two tasks: each call reports its own.
    const [first, second] = [await rejection(client.videos.generate("a", { onProgress() { throw own; } })), await rejection(client.videos.generate("b", { onProgress() { throw own; } }))];
    assert.equal(first, own);
    assert.notEqual(second.taskId, first.taskId);
    assert.equal(second.cause, own);
  });

  test("a thenable that is none, and a rejection after the end", async () => {
    await client.videos.generate("a ball", { onProgress: () => ({ then: 5 }) });
    const error = await rejection(client.videos.generate("a ball", { onProgress: () => ({ get then() { throw new RangeError("mine"); } }) }));
    assert.ok(error instanceof RangeError && /^task_/.test(error.taskId));
    // A function may be one, too: builders of queries are.
    const builder = Object.assign(() => 1, { then: (_, reject) => { reject(new RangeError("mine")); } });
    const ofBuilder = await rejection(client.videos.generate("a ball", { onProgress: () => builder }));
    assert.ok(ofBuilder instanceof RangeError && /^task_/.test(ofBuilder.taskId), inspect(ofBuilder));
    await client.videos.generate("a ball", { onProgress: () => () => 1 });
    let late;
    const lines = await warned(async () => {
      const gate = new Promise((_, reject) => { late = reject; });
      await client.videos.generate("a ball", { onProgress: () => gate });
      late(new Error("too late"));
      await new Promise((resolve) => setTimeout(resolve, 5));
    });
    assert.match(lines.join("\n"), /task task_.*too late/);
  });

  test("a fetch of one's own that throws or gives anything", async () => {
    const body = (part) => ({ status: 200, headers: new Headers(), ...part });
    const locked = () => { const response = new Response("{}"); response.body.getReader(); return response; };
    const odd = [
      trap, () => 5, () => null, () => Promise.reject(undefined), () => Promise.reject(revoked({})), () => Promise.reject(traps({})), () => Promise.reject(Symbol("x")),
      () => traps({}), () => revoked({}), () => body({ get body() { throw new Error("no"); } }), () => body({ body: { getReader: 5 } }), () => body({ body: { getReader: trap } }),
      () => body({ body: { getReader: () => ({ read: trap }) } }), () => body({ body: { getReader: () => ({ read: () => 5 }) } }), () => body({ body: { getReader: () => null } }),
      () => body({ body: { getReader: () => ({ read: async () => ({ value: 7 }) }) } }), () => body({ arrayBuffer: trap }), () => body({ arrayBuffer: () => "text" }),
      () => body({ headers: traps({}) }), () => body({ headers: [[1], 2, null] }), () => body({ get status() { return 200; }, body: 5 }), locked,
      // No status: the mode of the request hides it, or there is none.
      () => Response.error(), () => body({ status: 0, type: "opaque" }), ...[NaN, 0.5, -200, 1e9, "200"].map((status) => () => body({ status })),
      () => ({ then: trap }), () => ({ then: (_, reject) => { reject(7); } }),
      // What merely passes for bytes, or for a promise.
      ...[new Proxy(new Uint8Array(3), {}), Object.create(Uint8Array.prototype), Object.setPrototypeOf(new DataView(new ArrayBuffer(3)), Uint8Array.prototype)]
        .flatMap((value) => [() => body({ body: { getReader: () => ({ read: async () => ({ value }) }) } }), () => body({ arrayBuffer: async () => value })]),
      () => Object.assign(Promise.resolve(5), { then: trap }), () => body({ body: { getReader: () => ({ read: () => Object.assign(Promise.resolve(5), { then: trap }) }) } }),
    ];
    for (const fetch of odd) {
      for (const call of [(videos) => videos.create("x"), (videos) => videos.generate("x")]) {
        const error = await rejection(call(make({ fetch, maxAttempts: 1 }).videos));
        assert.ok(error instanceof JunFeiAIError, `${fetch}: ${inspect(error)}`);
        assert.notEqual(error.code, "internal", `${fetch}: ${error.message}`);
        assert.equal(error.maybeExecuted, true, `${fetch}: ${error.message}`);
      }
    }
  });

  test("a fetch of one's own gives bytes of every form", async () => {
    const bytes = new TextEncoder().encode(' {"id":"task_1","status":"queued"}  ');
    const { buffer } = bytes;
    const foreign = runInNewContext("Uint8Array").from(bytes);
    for (const value of [bytes, Buffer.from(bytes), bytes.subarray(1, -1), buffer, new DataView(buffer, 1), new Uint16Array(buffer), foreign, [...bytes]]) {
      for (const part of [{ body: { getReader: () => { const left = [{ value }]; return { read: async () => left.pop() ?? { done: true } }; } } }, { arrayBuffer: async () => value }]) {
        const task = await make({ fetch: async () => ({ status: 200, headers: new Headers(), ...part }) }).videos.create("x");
        assert.equal(task.id, "task_1");
      }
    }
  });

  test("what a fetch of one's own fails with counts as not sent only where nothing can have left", async () => {
    const failed = (code, more) => Object.assign(new Error(`it failed: ${code}`), { code, ...more });
    /** Several addresses were tried. */
    const each = (code, ...calls) => Object.assign(new AggregateError(calls.map((syscall) => failed(code, { syscall }))), { code });
    const notSent = [
      failed("ENOTFOUND", { syscall: "getaddrinfo" }), failed("EAI_AGAIN", { syscall: "getaddrinfo" }), failed("ENOTFOUND", { syscall: "queryA" }), failed("ENOTFOUND"),
      ...["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL", "ETIMEDOUT"].flatMap((code) =>
        [failed(code, { syscall: "connect" }), failed(code, { erroredSysCall: "connect" }), each(code, "connect", "connect")]),
      failed("ECONNREFUSED"), failed("UND_ERR_CONNECT_TIMEOUT"), failed("ConnectionRefused"), failed("CERT_HAS_EXPIRED"), failed("ERR_TLS_CERT_ALTNAME_INVALID"),
    ];
    const lost = [
      ...["ENOTFOUND", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL", "ETIMEDOUT", "ECONNRESET"].flatMap((code) =>
        [failed(code, { syscall: "read" }), failed(code, { syscall: "write" }), failed(code, { erroredSysCall: "read" })]),
      ...["EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL", "ETIMEDOUT"].flatMap((code) => [failed(code), each(code), each(code, "connect", "read")]),
      failed("ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), failed("ERR_SSL_WRONG_VERSION_NUMBER"), failed("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"), failed("ERR_TLS_HANDSHAKE_TIMEOUT"),
      failed("EPROTO", { syscall: "write" }), failed("UND_ERR_SOCKET"), failed("UND_ERR_HEADERS_TIMEOUT"), new Error("no code"),
    ];
    const created = (fetch) => rejection(make({ fetch, maxAttempts: 1 }).videos.create("x"));
    // As undici hands it on, and as it is.
    for (const [code, errors] of Object.entries({ connect: notSent, create_outcome_unknown: lost })) {
      for (const error of errors) {
        for (const thrown of [new TypeError("fetch failed", { cause: error }), error]) {
          const found = await created(() => Promise.reject(thrown));
          assert.deepEqual([found.code, found.maybeExecuted], [code, code !== "connect"], inspect(thrown));
        }
      }
    }
    // Once there is a head everything has left, whatever a body ends with.
    for (const error of notSent) {
      const fail = () => Promise.reject(error);
      for (const part of [{ arrayBuffer: fail }, { body: { getReader: () => { throw error; } } }, { body: { getReader: () => ({ read: fail }) } }]) {
        let sent = 0;
        const { videos } = make({ fetch: async () => { sent += 1; return { status: 200, headers: new Headers(), ...part }; } });
        const found = await rejection(videos.create("x"));
        assert.deepEqual([found.code, found.maybeExecuted, sent], ["create_outcome_unknown", true, 1], inspect(error));
      }
    }
  });

  test("no error of a fetch of one's own shows what it was given, nor one of its body", async () => {
    const secret = "a-secret-of-the-gateway";
    const leak = () => Promise.reject(new Error(`it failed with ${KEY} and ${secret}`));
    const part = { status: 200, headers: new Headers() };
    for (const fetch of [leak, async () => ({ ...part, arrayBuffer: leak }), async () => ({ ...part, body: { getReader: () => ({ read: leak }) } })]) {
      const entries = [];
      const log = (entry) => { entries.push(inspect(entry, { depth: 9 })); };
      const { videos } = make({ fetch, log, logLevel: "debug", headers: { "X-Gateway": secret }, maxAttempts: 1 });
      for (const call of [videos.create("x"), videos.get("task_1")]) entries.push(inspect(await rejection(call), { depth: 9 }));
      const text = entries.join("\n");
      assert.match(text, /it failed with \*\*\* and \*\*\*/);
      assert.doesNotMatch(text, new RegExp(`${KEY}|${secret}`));
    }
  });

  test("onCreated of the proxy handler: the page learns the task, and so does the log", async () => {
    const handler = createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, allow: () => true, onCreated: () => { throw new Error("the database is gone"); } });
    const server = createServer(toNodeHandler(handler)).listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      let error;
      const page = new Client({ baseURL: `http://127.0.0.1:${server.address().port}`, pollIntervalMs: 20 });
      const lines = await warned(async () => { error = await rejection(page.videos.create("a ball")); });
      assert.deepEqual([error.code, error.maybeExecuted], ["create_outcome_unknown", true]);
      const [id] = /task_\w+/.exec(error.message) ?? [];
      assert.ok((await emulator.video(id)).length > 0);
      assert.ok(lines.join("\n").includes(id), lines.join("\n"));
      assert.equal(await postCount(), 1);
      // A lost answer stays one on the page: it must not read as an error that cost nothing.
      await emulator.scenario({ rules: [{ match: { op: "create" }, fault: { kind: "drop_after_accept" } }] });
      const lost = await rejection(page.videos.create("a ball"));
      assert.deepEqual([lost.code, lost.maybeExecuted], ["create_outcome_unknown", true]);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

describe("left early", () => {
  /** Waits until so many creates stand at the emulator. */
  async function arrived(count) {
    while ((await postCount()) < count) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  /** Longer than a create request that was dropped keeps its place: another one would have left by then. */
  const kept = () => new Promise((resolve) => setTimeout(resolve, 1300));

  test("of many create requests with one signal those that left say so, and no other leaves", async () => {
    await emulator.scenario({ api: { create_latency_ms: 60_000 } });
    const stop = new AbortController();
    const warnings = [];
    const heard = (warning) => { warnings.push(warning); };
    process.on("warning", heard);
    const all = Array.from({ length: 30 }, (_, at) => rejection(client.videos.create(`ball ${at}`, { signal: stop.signal })));
    await arrived(4);
    stop.abort();
    const errors = await Promise.all(all);
    assert.ok(errors.every((error) => error.code === "cancelled"));
    assert.equal(errors.filter((error) => error.maybeExecuted).length, 4);
    await kept();
    assert.equal(await postCount(), 4);
    process.off("warning", heard);
    assert.deepEqual(warnings, []);
    assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  });

  test("nor where each has a signal of its own, one raised after the other", async () => {
    await emulator.scenario({ api: { create_latency_ms: 60_000 } });
    // The place of a create that was given up is kept free for a second: a round that takes longer shows nothing.
    let errors;
    for (let took = Infinity, rounds = 0; took > 900; rounds += 1) {
      assert.ok(rounds < 10, "the machine stands still");
      await emulator.forget();
      const stops = Array.from({ length: 30 }, () => new AbortController());
      const all = stops.map(({ signal }, at) => rejection(client.videos.create(`ball ${at}`, { signal })));
      await arrived(4);
      const begun = performance.now();
      for (const stop of stops) {
        stop.abort();
        await new Promise((resolve) => setImmediate(resolve));
      }
      took = performance.now() - begun;
      errors = await Promise.all(all);
    }
    assert.equal(errors.filter((error) => error.maybeExecuted).length, 4);
    await kept();
    assert.equal(await postCount(), 4);
  });

  test("a defect of the library says of a create request under way that it may have been carried out", async () => {
    await emulator.scenario({ api: { create_latency_ms: 60_000 } });
    const { __panicForTests } = createRequire(import.meta.url)("junfeiai");
    const calls = [client.videos.create("a"), client.videos.generate("b")].map(rejection);
    const [many] = [rejection((async () => { for await (const _ of client.videos.generateMany(["c"])) assert.fail(); })())];
    await arrived(3);
    await __panicForTests(true).catch(() => undefined);
    for (const error of await Promise.all([...calls, many])) assert.deepEqual([error.code, error.maybeExecuted], ["internal", true], error.message);
  });

  test("what was begun before a defect of the library ends with an error of its task", async () => {
    await emulator.scenario({ task: { outcome: "stuck" } });
    const { __panicForTests } = createRequire(import.meta.url)("junfeiai");
    const task = await client.videos.create("a");
    const states = task.watch();
    await states.next();
    await __panicForTests(true).catch(() => undefined);
    const error = await rejection(states.next());
    assert.deepEqual([error.code, error.taskId], ["internal", task.id], error.message);
    // The task itself is as good as before.
    assert.equal((await task.refresh()).id, task.id);
  });

  test("with a fetch, too, the requests under way end with a module that a defect stops", async () => {
    await emulator.scenario({ api: { create_latency_ms: 60_000 } });
    const { __panicForTests } = createRequire(import.meta.url)("junfeiai");
    const signals = [];
    const { videos } = make({ fetch: (url, init) => { signals.push(init.signal); return fetch(url, init); } });
    const call = rejection(videos.create("a ball"));
    await arrived(1);
    assert.deepEqual(signals.map(({ aborted }) => aborted), [false]);
    await __panicForTests(true).catch(() => undefined);
    assert.deepEqual(signals.map(({ aborted }) => aborted), [true]);
    const error = await call;
    assert.deepEqual([error.code, error.maybeExecuted], ["internal", true], error.message);
    // In the module that was started over it works as before, and so does a signal of the caller's.
    const id = await emulator.add({});
    assert.equal((await videos.get(id)).id, id);
    const stop = new AbortController();
    const later = rejection(videos.create("a ball", { signal: stop.signal }));
    await arrived(2);
    stop.abort();
    assert.deepEqual([(await later).code, signals.map(({ aborted }) => aborted)], ["cancelled", [true, false, true]]);
  });

  test("with a fetch, too, a program can end after a defect: neither requests nor timers of the stopped module keep it", async () => {
    await emulator.scenario({ api: { create_latency_ms: 60_000 } });
    const script = `import { createRequire } from "node:module";
      const { Client, __panicForTests } = createRequire(import.meta.url)("junfeiai");
      let sent = 0;
      const { videos } = new Client({ ...${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL })}, fetch: (url, init) => { sent += 1; return fetch(url, init); } });
      const call = videos.create("a ball").catch((error) => error);
      while (sent === 0) await new Promise((resolve) => { setImmediate(resolve); });
      await __panicForTests(true).catch(() => undefined);
      console.log((await call).code);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (data) => { out += data; });
    // As long as the create request may take, which is longer than this test.
    const [code] = await once(child, "close");
    assert.deepEqual([code, out.trim()], [0, "internal"]);
  });

  test("a signal ends the program as ever, and what was paid for is named before", { skip: process.platform === "win32" && "no signals" }, async () => {
    /** A program that waits for a task, or is behind that wait, and gets a signal. */
    const program = (signal, body) => {
      const script = `import { Client } from "junfeiai";
        const listeners = () => ["SIGINT", "SIGTERM", "SIGHUP"].map((name) => process.listenerCount(name)).join("");
        const answer = (data) => new Response(JSON.stringify(data), { headers: { "content-type": "application/json" } });
        const { videos } = new Client({ apiKey: "sk-of-nobody", baseURL: "http://127.0.0.1:9/v1", pollIntervalMs: 20, fetch: async (url, { method }) =>
          answer(method === "POST" ? { id: "task_1", status: "queued" } : { code: "success", data: { task_id: "task_1", status: "IN_PROGRESS" } }) });
        const asked = () => new Promise((resolve, reject) => {
          const stop = new AbortController();
          videos.generate("x", { signal: stop.signal, onProgress: () => resolve(() => stop.abort()) }).catch(() => undefined);
        });
        setInterval(() => undefined, 1000);
        ${body}`;
      const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "pipe"] });
      let [out, err] = ["", ""];
      child.stdout.on("data", (data) => { out += data; if (out.includes("now")) { out = ""; child.kill(signal); } });
      child.stderr.on("data", (data) => { err += data; });
      return once(child, "close").then(([code, by]) => ({ by: code ?? by, out: out.trim(), err }));
    };
    const named = /the program ends while a paid call runs; these tasks exist and are still running: task_1/;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      const { by, err } = await program(signal, `await asked(); console.log("now");`);
      assert.equal(by, signal);
      assert.match(err, named);
    }
    // Where the program listens, what it does is done, and nothing else: `process.exit` names the task.
    const kept = await program("SIGINT", `await asked(); process.on("SIGINT", () => { console.log("kept", listeners()); process.exit(5); }); console.log("now");`);
    assert.deepEqual([kept.by, kept.out], [5, "kept 111"]);
    assert.match(kept.err, named);
    assert.equal(kept.err.match(/task_1/g).length, 1, kept.err);
    // As packages do that end the process only where nobody else listens.
    const polite = await program("SIGTERM", `await asked(); const end = () => { if (listeners()[1] === "1") { process.off("SIGTERM", end); process.kill(process.pid, "SIGTERM"); } }; process.on("SIGTERM", end); console.log("now");`);
    assert.equal(polite.by, "SIGTERM");
    // Behind the call it is as if there had been none.
    const behind = await program("SIGTERM", `const end = await asked(); const during = listeners(); end(); while (listeners() !== "000") await new Promise(setImmediate); console.error(during); console.log("now");`);
    assert.deepEqual([behind.by, behind.err.match(/^\d+$/m)?.[0]], ["SIGTERM", "111"], behind.err);
  });

  test("an engine that cannot be kept from sending a create request again is named once", () => {
    const script = `globalThis.Deno = {};
      const { Client } = require("junfeiai");
      new Client({ apiKey: "k", fetch: () => undefined });
      console.warn("a custom one");
      for (const _ of [1, 2]) new Client({ apiKey: "k" });`;
    const { stderr } = spawnSync(process.execPath, ["-e", script], { cwd: import.meta.dirname, encoding: "utf8" });
    assert.match(stderr, /^a custom one\njunfeiai: this version of Deno has no Deno\.createHttpClient: .*charged twice\. Use a newer Deno or Node, or give the option fetch .*\n$/);
  });

  test("a generate that is aborted says what it knows", async () => {
    await emulator.scenario({ task: { outcome: "stuck" } });
    const stop = new AbortController();
    const error = await rejection(client.videos.generate("a ball", { signal: stop.signal, onProgress: () => { stop.abort("enough"); } }));
    assert.deepEqual([error.code, error.cause, error.maybeExecuted], ["cancelled", "enough", false]);
    assert.match(error.taskId, /^task_/);
    await emulator.scenario({ api: { create_latency_ms: 60_000 } });
    await emulator.forget();
    const lost = new AbortController();
    const call = rejection(client.videos.generate("a ball", { signal: lost.signal }));
    await arrived(1);
    lost.abort();
    assert.deepEqual([(await call).maybeExecuted, (await call).taskId], [true, null]);
  });

  test("generateMany that is left or aborted reports the tasks it leaves", async () => {
    const answer = (data) => new Response(JSON.stringify(data), { headers: { "content-type": "application/json" } });
    /** Answers in the process: the second task fails, the others keep running. `asked` is called with each query. */
    const service = (asked = () => undefined) => {
      let created = 0;
      return make({
        fetch: async (url, { method }) => {
          if (method === "POST") return answer({ id: `task_${created += 1}`, status: "queued" });
          const id = url.split("/").at(-1);
          asked(id);
          return answer({ code: "success", data: { task_id: id, status: id === "task_2" ? "FAILURE" : "IN_PROGRESS" } });
        },
      }).videos;
    };
    let lines = await warned(async () => {
      for await (const { error } of service().generateMany(["a", "b", "c"])) {
        assert.equal(error.taskId, "task_2");
        break;
      }
    });
    assert.equal(lines.length, 1);
    assert.match(lines[0], /generateMany was left before its end; these tasks exist and are still running: task_1, task_3$/);
    const stop = new AbortController();
    const asked = new Set();
    let error;
    lines = await warned(async () => {
      const videos = service((id) => { asked.add(id); if (asked.has("task_1") && asked.has("task_3")) stop.abort(); });
      error = await rejection((async () => { for await (const _ of videos.generateMany(["a", "b", "c"], { signal: stop.signal })); })());
    });
    assert.equal(error.code, "cancelled");
    assert.match(lines.join(), /task_1, (task_2, )?task_3$/);
    assert.deepEqual(error.taskIds.filter((id) => id !== "task_2"), ["task_1", "task_3"]);
    assert.equal(error.taskId, null);
    // To its end it leaves nothing.
    assert.deepEqual(await warned(() => drain(client.videos.generateMany(["a", "b"]))), []);
  });

  test("a program that ends in the middle says which tasks are still running", async () => {
    const script = `import { Client } from "junfeiai";
      const { videos } = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL })});
      videos.generate("a ball", { onProgress: (task) => { console.log(task.id); setTimeout(() => { throw new Error("elsewhere"); }); } });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stdout.on("data", (data) => { out += data; });
    child.stderr.on("data", (data) => { err += data; });
    const [code] = await once(child, "close");
    assert.equal(code, 1);
    assert.ok(err.includes(`these tasks exist and are still running: ${out.trim()}`), err);
  });
});

test("the example of a page that keeps its tasks pays for none where it cannot keep one, and loses no id", async () => {
  const { create, ids } = await import("../examples/page-tasks.mjs");
  const items = {};
  let room = Infinity;
  const put = (name, value) => {
    if (Object.keys(items).length >= room) throw new DOMException("full", "QuotaExceededError");
    items[name] = value;
  };
  globalThis.localStorage = Object.defineProperties(items, { setItem: { value: put } });
  const said = [];
  const { error: log } = console;
  console.error = (...words) => { said.push(words.join(" ")); };
  try {
    let sent = 0;
    const client = (answer) => ({ videos: { create: async () => { sent += 1; return answer(); } } });
    assert.equal((await create(client(() => ({ id: "task_1" })), "a ball")).id, "task_1");
    // A broken answer that names the task.
    await assert.rejects(create(client(() => { throw Object.assign(new Error("broken"), { taskId: "task_2" }); }), "a ball"), /broken/);
    assert.deepEqual(ids(), ["task_1", "task_2"]);
    // It became full meanwhile: the caller has the task.
    const full = client(() => { room = 0; return { id: "task_3" }; });
    assert.equal((await create(full, "a ball")).id, "task_3");
    assert.match(said.join("\n"), /^the id of the task task_3 could not be kept/);
    await assert.rejects(create(full, "a ball"), { name: "QuotaExceededError" });
    assert.equal(sent, 3, "nothing is sent where nothing can be kept");
  } finally {
    console.error = log;
    delete globalThis.localStorage;
  }
});
