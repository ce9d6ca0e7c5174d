// Hostile stores of a journal, and the proxy handler with hostile options, callbacks and requests: nothing is paid for that cannot be
// recorded, every request has its response, and the page learns the task that exists.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { Client } from "junfeiai";
import { createProxyHandler, toNodeHandler } from "junfeiai/server";
import { KEY } from "./emulator.mjs";
import { HOSTILE, Rows, judge, namesOf, trap } from "./hostile.mjs";

const { __options } = createRequire(import.meta.url)("junfeiai");
const home = process.cwd();
const { warn } = console;
const unhandled = [];
const unexpected = (error) => { unhandled.push(error); };
let folder;

before(async () => {
  process.on("unhandledRejection", unexpected);
  console.warn = () => undefined;
  folder = await mkdtemp(join(tmpdir(), "junfeiai-hostile-"));
  // A name may be one of a folder in the working folder.
  process.chdir(folder);
});
after(async () => {
  process.off("unhandledRejection", unexpected);
  console.warn = warn;
  process.chdir(home);
  await rm(folder, { recursive: true, force: true });
});

/** A service in the process. `sent` are the methods of its requests. */
let sent = [];
const service = async (url, { method }) => {
  sent.push(method);
  return Response.json(method === "POST" ? { id: "task_1", status: "queued" } : { code: "success", data: { task_id: "task_1", status: "IN_PROGRESS" } });
};
const given = { apiKey: KEY, baseURL: "http://127.0.0.1:1/v1", maxAttempts: 1, fetch: service };
const near = (options) => new Client({ ...given, ...options });
/** Made before: the module is the same to the end. */
const other = near();
afterEach(async () => {
  assert.equal((await other.videos.get("task_1")).id, "task_1");
  await new Promise((resolve) => { setImmediate(resolve); });
  assert.deepEqual(unhandled, []);
});

describe("hostile stores", () => {
  const ROW = (value, version, name) => ({ value, version, name });
  /** What a method of a store does with a value. */
  const WAYS = {
    "is it": (value) => value(), "gives it": (value) => () => value(), "gives it later": (value) => async () => value(), "throws it": (value) => () => { throw value(); },
    "gives a row of it": (value) => (name) => [ROW(value(), 1, `${name}x`)], "gives its version": (value) => (name) => [ROW("{}", value(), `${name}x`)], "gives its name": (value) => () => [ROW("{}", 1, value())],
  };
  const asks = { create: (options) => near(options).videos.create({ prompt: "a ball", key: "k" }), pending: (options) => near(options).videos.pending() };

  for (const method of ["load", "swap", "scan"]) {
    test(`${method}: nothing is paid for, or the task is given`, async () => {
      for (const [kind, value] of Object.entries(HOSTILE)) {
        for (const [way, does] of Object.entries(WAYS)) {
          const isRow = /row|its/.test(way);
          // The name is in the list alone.
          if (method !== "scan" && way.endsWith("name")) continue;
          const made = () => (method === "scan" || !isRow ? does(value) : (name) => does(value)(name)[0]);
          for (const [name, ask] of Object.entries(asks)) {
            sent = [];
            const error = await judge(`${name}, ${method} ${way}: ${kind}`, "journal", async () => ask({ journal: Object.assign(new Rows(), { [method]: made() }) }));
            if (error) assert.deepEqual(sent, [], `${name}, ${method} ${way}: ${kind}: ${error.message}`);
          }
        }
      }
    });
  }

  test("in place of a store, and of what it is made of", async () => {
    for (const [kind, value] of Object.entries(HOSTILE)) {
      await judge(`account: ${kind}`, "account", () => near({ journal: Object.assign(new Rows(), { account: value() }) }), { now: true });
      await judge(`file: ${kind}`, "file", async () => near({ journal: { file: value() } }).videos.pending());
    }
  });
});

describe("the proxy handler", () => {
  const order = (more = {}) => new Request("http://x/video/generations", { method: "POST", headers: { "content-type": "application/json" }, body: '{"prompt":"a ball"}', ...more });
  const make = (options = {}) => createProxyHandler({ ...given, allow: () => true, ...options });
  /** A response in any case: JSON, and with the task where there is one. */
  async function answered(what, handler, request = order()) {
    sent = [];
    const response = await handler(request);
    assert.ok(response instanceof Response, what);
    const { data, task_id: id } = await response.json();
    if (sent.includes("POST") && response.status !== 200) assert.ok(id === "task_1" && data === undefined, `${what} paid and lost the task`);
    return response.status;
  }

  test("judges every option", async () => {
    const names = await namesOf(async (options) => make(options));
    assert.deepEqual(names.sort(), ["allow", "basePath", "onCreated", "onError", ...__options.CLIENT].sort());
    for (const option of ["allow", "basePath", "onCreated", "onError", "fetch", "journal", "timeoutMs", "budget"]) {
      for (const [kind, value] of Object.entries(HOSTILE)) {
        let handler;
        const error = await judge(`${option}: ${kind}`, option, () => { handler = make({ [option]: value() }); }, { now: true });
        if (!error) await answered(`${option}: ${kind}`, handler);
      }
    }
    for (const [kind, value] of Object.entries(HOSTILE)) {
      await judge(`options: ${kind}`, /^(object|bare|endless|nothing)$/.test(kind) ? "allow" : "option", () => createProxyHandler(value()), { now: true });
      await judge(`toNodeHandler: ${kind}`, "handler", () => toNodeHandler(value()), { now: true });
    }
  });

  test("answers whatever its callbacks give or throw, and loses no task", async () => {
    for (const [kind, value] of Object.entries(HOSTILE)) {
      for (const does of [() => value(), () => { throw value(); }, async () => { throw value(); }]) {
        await answered(`allow, ${kind}`, make({ allow: does }));
        await answered(`onCreated, ${kind}`, make({ onCreated: does }));
        await answered(`onError, ${kind}`, make({ onCreated: trap, onError: does }));
      }
      await answered(`order, ${kind}`, make({ allow: (call) => { call.order = value(); return true; } }));
      await answered(`a field of the order, ${kind}`, make({ allow: (call) => { call.order.seconds = value(); return true; } }));
    }
  });

  test("answers whatever it is given in place of a request, and whatever its signal is", async () => {
    for (const [kind, value] of Object.entries(HOSTILE)) {
      assert.ok(await answered(`request, ${kind}`, make(), value()) >= 400, kind);
      const { url, method, headers, body } = order();
      await answered(`signal, ${kind}`, make({ onCreated: trap }), { url, method, headers, body, signal: value() });
    }
  });

  test("in Node: what a handler of the program's own gives or throws ends with its connection", async () => {
    for (const [kind, value] of Object.entries(HOSTILE)) {
      for (const does of [() => value(), () => { throw value(); }]) {
        let destroyed = 0;
        const outgoing = { writeHead() {}, write: () => true, end() {}, once() {}, destroy() { destroyed += 1; }, writableEnded: false, destroyed: false };
        await toNodeHandler(does)({ method: "GET", url: "/x", headers: {} }, outgoing);
        assert.equal(destroyed, 1, `${kind}: ${inspect(does)}`);
      }
    }
  });
});
