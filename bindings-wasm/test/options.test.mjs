// Every options object, by one table: what it has no name for is refused before anything is sent, and errors call an option
// what the caller wrote.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { inspect } from "node:util";
import { Client } from "junfeiai";
import { registerPlayback } from "junfeiai/playback";
import { createProxyHandler } from "junfeiai/server";
import { KEY } from "./emulator.mjs";

let sent = 0;
let answer = {};
const { fetch } = globalThis;
beforeEach(() => {
  sent = 0;
  answer = { code: "success", data: { task_id: "task_1", status: "IN_PROGRESS" } };
  globalThis.fetch = async () => { sent += 1; return Response.json(answer); };
});
afterEach(() => { globalThis.fetch = fetch; });

const client = new Client({ apiKey: KEY, baseURL: "http://127.0.0.1:1/v1", fetch: (...all) => globalThis.fetch(...all) });
const task = client.videos.task("task_1");
const video = await client.videos.video("task_1");
const state = task.waitState();
const first = (items) => items.next();

/** Each options object: its kind of error, its names, and a call with such options. */
const OBJECTS = {
  client: {
    code: "config", go: (options) => new Client({ apiKey: KEY, ...options }),
    names: ["apiKey", "baseURL", "endpoint", "endpoints", "videoBaseURL", "trustedHosts", "fetch", "timeoutMs", "createTimeoutMs",
      "connectTimeoutMs", "idleTimeoutMs", "waitTimeoutMs", "pollIntervalMs", "maxAttempts", "maxPollErrors", "requestRate",
      "requestBurst", "maxInFlightCreates", "maxCost", "maxCostStrict", "budget", "language", "headers", "userAgent", "journal", "journalPrompts", "proxy", "caFile", "log", "logLevel", "dangerouslyAllowBrowser"],
  },
  "server handler": {
    code: "config", go: (options) => createProxyHandler({ apiKey: KEY, allow: () => true, ...options }),
    names: ["allow", "basePath", "onCreated", "apiKey", "baseURL", "timeoutMs", "pollIntervalMs"],
  },
  playback: { code: "config", names: ["worker", "scope"], go: (options) => registerPlayback(client, options) },
  request: {
    names: ["model", "prompt", "seconds", "duration", "size", "image", "images", "extra", "validate", "key", "retryFailed"],
    go: (request) => client.videos.create({ prompt: "a ball", ...request }),
  },
  pending: { names: ["signal"], go: (options) => client.videos.pending(options) },
  reconcile: { names: ["signal", "accountToken", "accountUser"], go: (options) => client.videos.reconcile(options) },
  key: { names: ["signal"], go: (options) => client.videos.key("k", options) },
  forget: { names: ["signal"], go: (options) => client.videos.forget("task_1", options) },
  resolveUnknown: { names: ["signal"], go: (options) => client.videos.resolveUnknown("00", null, options) },
  resumePending: { names: ["signal"], go: (options) => first(client.videos.resumePending("/nowhere", options)) },
  estimate: { code: "invalid_request", names: ["signal"], go: (options) => client.videos.estimate("a ball", options) },
  create: { names: ["signal", "stopSignal", "timeoutMs"], go: (options) => client.videos.create("a ball", options) },
  generate: { names: ["signal", "stopSignal", "timeoutMs", "pollIntervalMs", "onProgress"], go: (options) => client.videos.generate("a ball", options) },
  generateMany: { names: ["signal", "stopSignal", "concurrency"], go: (options) => first(client.videos.generateMany(["a ball"], options)) },
  asCompleted: { names: ["signal"], go: (options) => first(client.videos.asCompleted(["task_1"], options)) },
  get: { names: ["signal", "timeoutMs"], go: (options) => client.videos.get("task_1", options) },
  refresh: { names: ["signal", "timeoutMs"], go: (options) => task.refresh(options) },
  wait: { names: ["signal", "timeoutMs", "pollIntervalMs", "onProgress"], go: (options) => task.wait(options) },
  watch: { names: ["signal", "timeoutMs", "pollIntervalMs"], go: (options) => first(task.watch(options)) },
  waitState: { names: ["timeoutMs", "pollIntervalMs"], go: (options) => task.waitState(options) },
  advance: { names: ["signal"], go: (options) => client.videos.advance(state, options) },
  bytes: { names: ["signal", "onProgress", "maxBytes"], go: (options) => video.bytes(options) },
  blob: { names: ["signal", "onProgress", "maxBytes"], go: (options) => video.blob(options) },
  arrayBuffer: { names: ["signal", "onProgress", "maxBytes"], go: (options) => video.arrayBuffer(options) },
  stream: { names: ["signal"], go: (options) => video.stream(options) },
  open: { names: ["signal"], go: (options) => video.open(options) },
  readRange: { names: ["signal"], go: (options) => video.readRange(0, 5, options) },
  response: { names: ["signal"], go: (options) => video.response("bytes=0-1", options) },
  playbackURL: { names: ["signal"], go: (options) => video.playbackURL(options) },
  save: {
    names: ["signal", "onProgress", "overwrite", "createParents", "verify", "connections"],
    go: (options) => video.save("/nowhere/ball.mp4", options),
  },
  checkSave: {
    names: ["signal", "onProgress", "overwrite", "createParents", "verify", "connections"],
    go: (options) => client.videos.checkSave("/nowhere/ball.mp4", options),
  },
  check: { names: ["signal", "account"], go: (options) => client.check(options) },
  models: { names: ["signal"], go: (options) => client.models(options) },
  balance: { names: ["signal"], go: (options) => client.balance(options) },
};

/** How a name is missed: what is written, for the name that is meant. */
const MISSES = [
  (name) => name.toUpperCase(),
  (name) => `${name}s`,
  (name) => `${name.slice(0, 2)}${name.slice(3)}`,
  (name) => `${name[0]}${name[2]}${name[1]}${name.slice(3)}`,
  (name) => name.replace(/Ms$/, ""),
  (name) => name.replace(/Ms$/, "").replace(/URL|[A-Z]/g, (part) => `_${part.toLowerCase()}`),
];

/** The error of a call that sends nothing. */
async function refused(go) {
  try {
    const value = await go();
    assert.fail(`it gave ${inspect(value, { depth: 0 })}`);
  } catch (error) {
    // What `junfeiai/playback` throws is of the module for pages.
    assert.equal(error.name, "JunFeiAIError", inspect(error));
    assert.equal(sent, 0, `something was sent: ${error.message}`);
    return error;
  }
}

/** Names as the core writes them, which nobody wrote here. */
const foreign = (text) => text.match(/\b[a-z]+(?:_[a-z]+)+\b/g);

test("a number that is none is refused by its name: no limit would be left of it", async () => {
  for (const name of ["maxCost", "budget", "maxAttempts", "maxPollErrors", "requestRate", "requestBurst", "maxInFlightCreates"]) {
    for (const value of [NaN, Infinity, -Infinity]) {
      const error = await refused(() => new Client({ apiKey: KEY, journal: "/nowhere", [name]: value }));
      assert.deepEqual([error.code, error.field], ["config", name], error.message);
      assert.ok(error.message.startsWith(`${name} must be a finite number, not ${value}`), error.message);
    }
  }
});

test("half of a letter is refused: it would be paid for as another one", async () => {
  for (const request of ["a \ud800 ball", { prompt: "\udc00" }, { prompt: "x", extra: { a: ["\ud83d"] } }]) {
    const error = await refused(() => client.videos.create(request));
    assert.equal(error.code, "invalid_request", error.message);
    assert.match(error.message, /not a lone surrogate/);
  }
  await client.videos.create({ prompt: "a \ud83d\ude00 ball", extra: Object.assign(Object.create(null), { a: 1 }) });
  assert.equal(sent, 1);
});

describe("an option that there is not", () => {
  for (const [object, { code = "invalid_request", names, go }] of Object.entries(OBJECTS)) {
    test(`of ${object} is refused by its name`, async () => {
      const error = await refused(() => go({ zzz: 1 }));
      assert.deepEqual([error.code, error.field], [code, "zzz"], error.message);
      assert.match(error.message, /zzz/);
      for (const name of names) assert.ok(error.message.includes(name), `${name} is not named: ${error.message}`);
    });

    test(`of ${object} is recognised where it is nearly one that there is`, async () => {
      for (const name of names) {
        for (const miss of new Set(MISSES.map((make) => make(name)))) {
          if (names.includes(miss)) continue;
          const error = await refused(() => go({ [miss]: 1 }));
          assert.deepEqual([error.code, error.field], [code, miss], error.message);
          const shown = /did you mean (\w+)\?/.exec(error.message)?.[1];
          // Two letters are like too many names.
          assert.ok(names.includes(shown) || object === "server handler" || miss.length < 3, `${miss} for ${name}: ${error.message}`);
          if (miss.length > 4) assert.equal(shown, name, error.message);
        }
      }
    });
  }

  test("is not counted where it is not given", async () => {
    assert.equal((await client.videos.get("task_1", { timeout: undefined })).id, "task_1");
    assert.equal(sent, 1);
  });
});

/** What the core or this package refuses: the options, the names of the error and a piece of its text. */
const VALUES = [
  ["client", { apiKey: 5 }, "apiKey", "apiKey must be a string"],
  ["client", { apiKey: "" }, "apiKey", "API key"],
  ["client", { apiKey: undefined, endpoint: "standard" }, "apiKey", "pass apiKey"],
  ["client", { baseURL: "ftp://a.b" }, "baseURL", "base URL"],
  ["client", { baseURL: 5 }, "baseURL", "baseURL must be a string"],
  ["client", { endpoint: "not a URL" }, "endpoint", "base URL"],
  ["client", { endpoints: ["not a URL"] }, "endpoints", "base URL"],
  ["client", { endpoints: "china" }, "endpoints", "endpoints must be a list"],
  ["client", { endpoint: "china", baseURL: "https://a.b/v1" }, "endpoints", "endpoint, baseURL and endpoints"],
  ["client", { videoBaseURL: "https://a.b/c" }, "videoBaseURL", "video base URL"],
  ["client", { videoBaseURL: 5 }, "videoBaseURL", "videoBaseURL must be a string"],
  ["client", { trustedHosts: ["*.a.b"] }, "trustedHosts", "trusted host"],
  ["client", { trustedHosts: 5 }, "trustedHosts", "trustedHosts must be a list"],
  ["client", { fetch: 5 }, "fetch", "fetch must be a function"],
  ["client", { log: console }, "log", "log must be a function"],
  ["client", { log: () => undefined, logLevel: "loud" }, "logLevel", "logLevel must be \"error\", \"warn\""],
  ["client", { log: () => undefined, logLevel: 5 }, "logLevel", "logLevel must be \"error\", \"warn\""],
  ["client", { logLevel: "warn" }, "logLevel", "logLevel needs log"],
  ["client", { maxAttempts: 0 }, "maxAttempts", "maxAttempts must be at least 1"],
  ["client", { maxAttempts: "2" }, "maxAttempts", "maxAttempts must be a whole number"],
  ["client", { headers: 5 }, "headers", "headers must be an object"],
  ["client", { headers: [["X-A", "b"]] }, "headers", "headers must be an object"],
  ["client", { headers: { "X-A": 5 } }, "headers", "headers must be an object of strings"],
  ["client", { headers: { authorization: "x" } }, "headers", "the header authorization cannot be set, this library sends its own: use the option apiKey"],
  ["client", { headers: new Headers({ Range: "bytes=0-1" }) }, "headers", "the header range cannot be set"],
  ["client", { headers: { "X-A": "a\r\nX-B: c" } }, "headers", "the value of the header X-A holds a line break"],
  ["client", { headers: { "X-A": "b", "x-a": "c" } }, "headers", "is given twice"],
  ["client", { userAgent: "" }, "userAgent", "userAgent is a name such as"],
  ["client", { userAgent: 5 }, "userAgent", "userAgent must be a string"],
  ["client", { language: "\n" }, "language", "language is an Accept-Language value"],
  ...["timeoutMs", "createTimeoutMs", "connectTimeoutMs", "idleTimeoutMs", "pollIntervalMs"].map((name) => ["client", { [name]: 0 }, name, `${name} must be more than zero`]),
  ...["timeoutMs", "createTimeoutMs", "connectTimeoutMs", "idleTimeoutMs", "waitTimeoutMs", "pollIntervalMs"].flatMap((name) =>
    [-1, NaN, "5", 5n, {}].map((value) => ["client", { [name]: value }, name, `${name} must be a number of milliseconds`])),
  ...["generate", "wait", "watch", "waitState"].flatMap((object) => [
    ...["timeoutMs", "pollIntervalMs"].map((name) => [object, { [name]: -1 }, name, `${name} must be a number of milliseconds`]),
    [object, { pollIntervalMs: 0 }, "pollIntervalMs", "pollIntervalMs must be more than zero"],
  ]),
  ...["client", "generate", "wait", "watch", "waitState"].flatMap((object) => [86_400_001, Infinity].map((value) =>
    [object, { pollIntervalMs: value }, "pollIntervalMs", "pollIntervalMs must be at most 24 hours"])),
  ...["create", "get", "refresh"].flatMap((object) => [
    [object, { timeoutMs: -1 }, "timeoutMs", "timeoutMs must be a number of milliseconds"],
    [object, { timeoutMs: 0 }, "timeoutMs", "timeoutMs must be more than zero"],
  ]),
  ...["generate", "wait", "bytes", "save", "checkSave"].map((object) => [object, { onProgress: 5 }, "onProgress", "onProgress must be a function"]),
  ...["create", "get", "wait", "watch", "bytes", "stream", "open", "readRange", "response", "playbackURL", "save", "checkSave", "check", "models", "balance", "advance"]
    .map((object) => [object, { signal: {} }, "signal", "signal must be an AbortSignal"]),
  ...["create", "generate", "generateMany"].map((object) => [object, { stopSignal: {} }, "stopSignal", "stopSignal must be an AbortSignal"]),
  ["reconcile", { accountToken: 5 }, "accountToken", "accountToken must be a string"],
  ["reconcile", { accountToken: "" }, "accountToken", "the account token is empty"],
  ["reconcile", { accountToken: "two words" }, "accountToken", "give the token alone"],
  ["reconcile", { accountToken: KEY }, "accountToken", "is the API key"],
  ["reconcile", { accountToken: "account-token", accountUser: -1 }, "accountUser", "digits only"],
  ["reconcile", { accountToken: "account-token", accountUser: {} }, "accountUser", "accountUser must be a string or a number"],
  ["reconcile", { accountUser: 7 }, "accountUser", "accountUser is of no use without accountToken"],
  ["generateMany", { concurrency: 0 }, "concurrency", "concurrency must be"],
  ["bytes", { maxBytes: -1 }, "maxBytes", "maxBytes must be a whole number"],
  ["server handler", { onCreated: 5 }, "onCreated", "onCreated must be a function"],
  ["server handler", { timeoutMs: 0 }, "timeoutMs", "timeoutMs must be more than zero"],
  ["request", { seconds: "6s" }, "seconds", "seconds"],
  ["request", { size: 5 }, "size", "size must be a string"],
];

describe("a value that cannot be used", () => {
  for (const [object, options, field, piece] of VALUES) {
    test(`${object} ${inspect(options)}`, async () => {
      const error = await refused(() => OBJECTS[object].go(options));
      assert.equal(error.field, field, error.message);
      assert.ok(error.message.includes(piece), error.message);
      assert.equal(foreign(error.message), null, error.message);
    });
  }

  test("of a later call is named likewise", async () => {
    answer = { code: "success", data: { task_id: "task_1", status: "SUCCESS", result_url: "https://elsewhere.example/a.mp4" } };
    const mp4 = new Uint8Array(64);
    mp4.set(new TextEncoder().encode("\0\0\0\x20ftypisom"));
    globalThis.fetch = async (url) => (String(url).endsWith("/content")
      ? new Response(mp4, { headers: { "Content-Type": "video/mp4", "Content-Length": "64" } }) : Response.json(answer));
    const large = await video.bytes({ maxBytes: 3 }).then(() => assert.fail("it fitted"), (error) => error);
    assert.equal(large.field, "maxBytes", inspect(large));
    assert.match(large.message, /raise maxBytes/);
    assert.equal(foreign(large.message), null);
    globalThis.fetch = async () => new Response(null, { status: 302, headers: { Location: "https://elsewhere.example/login" } });
    const untrusted = await client.videos.get("task_1").then(() => assert.fail("it was followed"), (error) => error);
    assert.equal(untrusted.code, "untrusted_host", inspect(untrusted));
    assert.match(untrusted.message, /trustedHosts/);
    assert.throws(() => client.videos.task(".."), ({ field, message }) => field === "taskId" && foreign(message) === null);
  });

  test("is not looked for in what a server says", async () => {
    globalThis.fetch = async () => Response.json({ error: { message: "the api_key and base_url are wrong", type: "x" } }, { status: 401 });
    const error = await client.videos.get("task_1").then(() => assert.fail("it was accepted"), (thrown) => thrown);
    assert.match(error.message, /the api_key and base_url are wrong/);
  });
});

test("an option that only Node has is refused by its name where a page would give it", async () => {
  const { Client: Page, ready } = await import("junfeiai/inline");
  await ready();
  for (const [name, value] of Object.entries({ journal: "x", journalPrompts: true, maxCost: 1, maxCostStrict: true, budget: 1, proxy: "", caFile: "x", log: () => undefined, logLevel: "warn" })) {
    assert.throws(() => new Page({ apiKey: KEY, [name]: value }), (error) => {
      assert.deepEqual([error.code, error.field], ["config", name], error.message);
      const inPages = ["proxy", "caFile", "log", "logLevel"].includes(name) ? "" : ', and for "junfeiai" with a journal in a page';
      assert.ok(error.message.startsWith(`${name} is for Node, Bun and Deno${inPages}: leave it out here; `), error.message);
      return true;
    });
  }
  // Whose requests carry no key is not told that they would show one.
  assert.throws(() => new Page({ baseURL: "http://films.example/api" }), /base URL "http:\/\/films\.example\/api" cannot be used: plain http shows what is sent, an API key with it/);
});

test("the advice of a check names options as they are written", async () => {
  globalThis.fetch = async () => Response.json({ error: { message: "no key", type: "new_api_error" } }, { status: 401 });
  const report = await new Client({ baseURL: "http://127.0.0.1:1/v1", fetch: (...all) => globalThis.fetch(...all) }).check();
  const advice = report.entries.flatMap(({ steps }) => steps).map((step) => step.advice).filter(Boolean);
  assert.ok(advice.some((text) => text.includes("pass apiKey")), inspect(report, { depth: 5 }));
  for (const text of advice) assert.equal(foreign(text), null, text);
});
