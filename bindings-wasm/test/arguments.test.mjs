// Arguments that are none: refused by their name before anything is sent, and never handed to the module as something else.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import { Client, JunFeiAIError } from "junfeiai";
import { KEY } from "./emulator.mjs";
import { Rows } from "./hostile.mjs";

let folder;
before(async () => { folder = await mkdtemp(join(tmpdir(), "junfeiai-arguments-")); });
after(() => rm(folder, { recursive: true, force: true }));

let asked = [];
let answer;
const created = (url, { method }) => Response.json(method === "POST"
  ? { id: `task_${asked.length}`, status: "queued" } : { code: "success", data: { task_id: String(url).split("/").at(-1), status: "IN_PROGRESS" } });
beforeEach(() => {
  asked = [];
  answer = created;
});
const fetch = async (url, init) => {
  asked.push(init);
  return answer(url, init);
};
const make = (options = {}) => new Client({ apiKey: KEY, baseURL: "http://127.0.0.1:1/v1", pollIntervalMs: 5, maxAttempts: 1, fetch, ...options });
const rejection = async (work) => {
  try {
    const value = await work();
    return assert.fail(`it gave ${inspect(value, { depth: 0 })}`);
  } catch (error) {
    return error;
  }
};
/** The error of a call that sends nothing. */
async function refused(work, code, field) {
  const error = await rejection(work);
  assert.ok(error instanceof JunFeiAIError, inspect(error));
  assert.deepEqual([error.code, error.field, asked.length], [code, field, 0], error.message);
  return error;
}
/** A signal of another library. */
class OtherSignal {
  aborted = false;
  listeners = new Set();
  addEventListener(_, listener) { this.listeners.add(listener); }
  removeEventListener(_, listener) { this.listeners.delete(listener); }
  abort(reason) {
    this.aborted = true;
    this.reason = reason;
    for (const listener of this.listeners) listener();
  }
}

test("what is given in place of the options is refused: it would be taken for none", async () => {
  const { videos } = make();
  const others = {
    AbortSignal: () => new AbortController().signal, AbortController: () => new AbortController(), Promise: () => Promise.resolve({ timeoutMs: 5 }),
    Map: () => new Map([["timeoutMs", 5]]), Array: () => [], Date: () => new Date(), String: () => "timeoutMs", Function: () => () => 1,
  };
  for (const [type, value] of Object.entries(others)) {
    for (const call of [
      (options) => videos.create("a ball", options), (options) => videos.generate("a ball", options), (options) => videos.generateMany(["a ball"], options).next(),
      (options) => videos.get("task_1", options), (options) => videos.task("task_1").wait(options), (options) => videos.task("task_1").watch(options).next(),
    ]) {
      const { message } = await refused(() => call(value()), "invalid_request", null);
      assert.ok(message.startsWith(`the options must be an object, not ${type};`), message);
    }
    const { message } = await refused(() => new Client(value()), "config", null);
    assert.ok(message.startsWith(`the options must be an object, not ${type};`), message);
  }
  // Objects of every other kind are options: of another realm, without a prototype, of a class, a module.
  class Options { get timeoutMs() { return 5000; } }
  const module = await import("data:text/javascript,export const timeoutMs = 5000;");
  for (const options of [runInNewContext("({ timeoutMs: 5000 })"), Object.freeze(Object.assign(Object.create(null), { timeoutMs: 5000 })), new Options(), module, new Proxy({}, {}), null, undefined]) {
    await videos.create("a ball", options);
  }
  assert.equal(asked.length, 7);
});

test("null is an option that is not given, wherever it stands", async () => {
  const nothing = Object.fromEntries(["signal", "stopSignal", "timeoutMs", "pollIntervalMs", "concurrency", "onCreated", "onProgress"].map((name) => [name, null]));
  answer = (url, init) => (init.method === "POST" ? created(url, init) : Response.json({ code: "success", data: { task_id: "task_1", status: "FAILURE", fail_reason: "no" } }));
  const ended = [];
  for await (const one of make().videos.generateMany(["a", "b"], nothing)) ended.push(one.error.code);
  assert.deepEqual(ended, ["task_failed", "task_failed"]);
});

test("a signal that takes no listener off, or fails to, does not hide the task", async () => {
  const { videos } = make();
  for (const name of ["signal", "stopSignal"]) {
    const { message } = await refused(() => videos.create("a ball", { [name]: { aborted: false, addEventListener() {} } }), "invalid_request", name);
    assert.match(message, /must be an AbortSignal/);
    await refused(() => videos.create("a ball", { [name]: { ...new OtherSignal(), addEventListener() { throw new Error("no"); }, removeEventListener() {} } }), "invalid_request", name);
  }
  const raised = { aborted: true, get reason() { throw new Error("no"); }, addEventListener() {}, removeEventListener() {} };
  await refused(() => videos.create("a ball", { signal: raised }), "invalid_request", "signal");
  const video = await videos.video("task_1");
  await refused(() => video.stream({ signal: { aborted: false, addEventListener() { throw new Error("no"); }, removeEventListener() {} } }), "invalid_request", "signal");
  for (const name of ["signal", "stopSignal"]) {
    const failing = { aborted: false, addEventListener() {}, removeEventListener() { throw new Error("no"); } };
    assert.match((await videos.create("a ball", { [name]: failing })).id, /^task_/);
  }
});

test("whatever is refused of a call about a task, the error carries its id", async () => {
  const { videos } = make({ journal: new Rows() });
  const task = videos.task("task_7");
  const video = await videos.video("task_7");
  const state = task.waitState();
  const path = join(folder, "never.mp4");
  const calls = {
    refresh: (options) => task.refresh(options), wait: (options) => task.wait(options), watch: (options) => task.watch(options).next(), waitState: (options) => task.waitState(options),
    get: (options) => videos.get("task_7", options), advance: (options) => videos.advance(state, options), forget: (options) => videos.forget("task_7", options),
    bytes: (options) => video.bytes(options), blob: (options) => video.blob(options), arrayBuffer: (options) => video.arrayBuffer(options), stream: (options) => video.stream(options),
    readRange: (options) => video.readRange(0, 5, options), response: (options) => video.response(null, options), playbackURL: (options) => video.playbackURL(options),
    open: (options) => video.open(options), save: (options) => video.save(path, options),
  };
  const failing = { aborted: false, addEventListener() { throw new Error("no"); }, removeEventListener() {} };
  const trapped = { get signal() { throw new Error("no"); } };
  const named = async (name, call) => {
    const error = await rejection(call);
    assert.ok(error instanceof JunFeiAIError, inspect(error));
    assert.deepEqual([error.code, error.taskId, asked.length], ["invalid_request", "task_7", 0], `${name}: ${error.message}`);
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const options of [5, new Map(), { zzz: 1 }, { signal: 5 }, { signal: failing }, trapped]) {
      if (name !== "waitState" || typeof options !== "object" || !("signal" in options)) await named(`${name} ${inspect(options)}`, () => call(options));
    }
  }
  const values = {
    refresh: () => task.refresh({ timeoutMs: 0 }), get: () => videos.get("task_7", { timeoutMs: -1 }), wait: () => task.wait({ pollIntervalMs: 0 }), "wait for so long": () => task.wait({ pollIntervalMs: Infinity }),
    onProgress: () => task.wait({ onProgress: 5 }), watch: () => task.watch({ pollIntervalMs: 0 }).next(), waitState: () => task.waitState({ pollIntervalMs: 0 }), advance: () => videos.advance({ ...state, junfeiai_wait: 2 }),
    bytes: () => video.bytes({ maxBytes: -1 }), start: () => video.readRange(-1, 5), end: () => video.readRange(0, 1.5), "nothing to read": () => video.readRange(5, 5), range: () => video.response(5),
    connections: () => video.save(path, { connections: 17 }), path: () => video.save(5), url: () => videos.video("task_7", "ftp://media.example/"), "no url": () => videos.video("task_7", 5),
  };
  for (const [name, call] of Object.entries(values)) await named(name, call);
  // What is no id is none of a task.
  assert.equal((await rejection(() => videos.get(".."))).taskId, null);
  assert.equal((await rejection(() => videos.create("a ball", { signal: 5 }))).taskId, null);
});

test("that the module is not there is an error of each call's own task", async () => {
  const { Client: Slim } = await import("junfeiai/slim");
  const { videos } = new Slim({ apiKey: KEY, fetch });
  const errors = await Promise.all(["task_7", "task_8"].map((id) => rejection(() => videos.task(id).wait())).concat(rejection(() => videos.create("a ball"))));
  assert.deepEqual(errors.map(({ code, field, taskId }) => [code, field, taskId]), [["config", "wasm", "task_7"], ["config", "wasm", "task_8"], ["config", "wasm", null]]);
  for (const { message } of errors) assert.match(message, /call await ready\(source\) first$/);
  const client = new Slim({ apiKey: KEY, fetch });
  const task = client.videos.task("task_7");
  for (const [look, taskId] of [[() => client.endpoint, null], [() => task.raw, "task_7"], [() => task.video(), "task_7"]]) {
    assert.throws(look, (error) => {
      assert.deepEqual([error.code, error.field, error.taskId, error.message], ["config", "wasm", taskId, "the module is not loaded yet: call await ready() first"]);
      return true;
    });
  }
});

const NONE = [undefined, null, 5, NaN, true, {}, [], ["task_1"], Symbol("x"), Object.create(null), () => "task_1", 5n];

test("what is no text is no id, no key and no address, and a create request in flight is not disturbed", async () => {
  let open;
  answer = (url, init) => (init.method === "POST" ? new Promise((resolve) => { open = () => { resolve(created(url, init)); }; }) : created(url, init));
  const journal = new Rows();
  const { videos } = make({ journal });
  const paid = videos.create("a ball");
  while (!open) await new Promise((resolve) => { setImmediate(resolve); });
  asked = [];
  const task = videos.task("task_7");
  const video = await videos.video("task_7");
  for (const value of [...NONE, task]) {
    const calls = {
      taskId: [() => videos.get(value), () => videos.task(value), () => videos.video(value), () => videos.forget(value)],
      ids: [() => videos.asCompleted([value]).next()],
      url: [() => videos.videoAt(value)],
      key: [() => videos.key(value)],
      intent: [() => videos.resolveUnknown(value)],
    };
    if (value !== undefined && value !== null) {
      calls.taskId.push(() => videos.resolveUnknown("00", value));
      calls.url.push(() => videos.video("task_7", value));
      calls.range = [() => video.response(value)];
      calls.since = [() => videos.spending(value)];
    }
    for (const [field, all] of Object.entries(calls)) {
      for (const call of all) assert.match((await refused(call, "invalid_request", field)).message, new RegExp(`^${field} must be a string`));
    }
  }
  for (const ids of [undefined, null, 5, {}, "task_1"]) {
    assert.match((await refused(() => videos.asCompleted(ids).next(), "invalid_request", "ids")).message, /^the ids must be an array/);
  }
  const state = new Proxy({}, { get() { throw new Error("no"); } });
  assert.ok((await rejection(() => videos.advance(state))) instanceof JunFeiAIError);
  // An address may be a URL, or null where there is none.
  assert.equal((await videos.video("task_7", new URL("https://media.example/a.mp4"))).url, "https://media.example/a.mp4");
  assert.equal((await videos.videoAt(new URL("https://media.example/a.mp4"))).url, "https://media.example/a.mp4");
  assert.equal((await videos.video("task_7", null)).url, null);
  open();
  assert.match((await paid).id, /^task_/);
});

test("a player's request may be of another library, or of Node's http", async () => {
  const bytes = new Uint8Array(64);
  bytes.set(new TextEncoder().encode("\0\0\0\x20ftypisom"));
  answer = (url) => (String(url).endsWith("/content")
    ? new Response(bytes, { headers: { "Content-Type": "video/mp4", "Content-Length": "64" } })
    : Response.json({ code: "success", data: { task_id: "task_1", status: "SUCCESS" } }));
  const video = await make().videos.video("task_1");
  const headers = new Map([["range", "bytes=2-3"]]);
  for (const request of ["bytes=2-3", new Request("http://x/", { headers: { range: "bytes=2-3" } }), { headers }, { headers: { range: "bytes=2-3" } }]) {
    const response = await video.response(request);
    assert.deepEqual([response.status, response.headers.get("content-range")], [206, "bytes 2-3/64"], inspect(request));
    await response.body.cancel();
  }
  const whole = await video.response({ headers: {} });
  assert.equal(whole.status, 200);
  await whole.body.cancel();
});

test("what is no number and no truth value is not made one", async () => {
  const video = await make().videos.video("task_1");
  for (const value of ["5", 5n, Symbol("x"), true, [5], { valueOf: () => 5 }]) {
    assert.match((await refused(() => video.bytes({ maxBytes: value }), "invalid_request", "maxBytes")).message, /must be a whole number/);
    assert.match((await refused(() => video.readRange(value, 9), "invalid_request", "start")).message, /must be a whole number/);
    assert.match((await refused(() => video.readRange(0, value), "invalid_request", "end")).message, /must be a whole number/);
  }
  const path = join(folder, "never.mp4");
  for (const connections of ["2", 1.5, 2 ** 32 + 1, 2 ** 31, NaN, -1, 0, 17, true, {}, 2n, Symbol("x")]) {
    const { message, taskId } = await refused(() => video.save(path, { connections }), "invalid_request", "connections");
    assert.match(message, /^connections must be from 1 to 16/);
    assert.equal(taskId, "task_1");
  }
  for (const name of ["overwrite", "createParents", "verify"]) {
    for (const value of ["false", 0, 1, {}]) {
      assert.match((await refused(() => video.save(path, { [name]: value }), "invalid_request", name)).message, new RegExp(`^${name} must be true or false`));
    }
  }
  await refused(() => make().check({ account: "no" }), "invalid_request", "account");
  assert.deepEqual(await readdir(folder), []);
});

test("a refused wait or read of a task names the task", async () => {
  const client = make();
  const [task, video] = [client.videos.task("task_1"), await client.videos.video("task_1")];
  for (const work of [
    () => task.wait({ pollIntervalMs: 0 }), () => task.watch({ pollIntervalMs: 0 }).next(),
    () => task.waitState({ pollIntervalMs: 0 }), () => video.bytes({ maxBytes: -1 }), () => video.readRange(-1, 5), () => video.readRange(0, 0.5),
  ]) {
    const error = await rejection(work);
    assert.deepEqual([error.code, error.taskId, asked.length], ["invalid_request", "task_1", 0], `${work}: ${error.message}`);
  }
});

test("what is no path is refused with the task, and a folder may be a URL", async () => {
  const video = await make().videos.video("task_1");
  for (const path of [...NONE, Buffer.from("/tmp/x"), new URL("https://media.example/x.mp4")]) {
    const { message, taskId } = await refused(() => video.save(path), "invalid_request", "path");
    assert.match(message, /^path must be a string or a file: URL/);
    assert.equal(taskId, "task_1");
  }
  const { videos } = make({ journal: new Rows() });
  const { id } = await videos.create("a ball");
  asked = [];
  for (const path of [...NONE, new URL("https://media.example/")]) {
    await refused(() => videos.resumePending(path).next(), "invalid_request", "folder");
  }
  answer = (url) => (String(url).endsWith("/content")
    ? new Response("no", { status: 404 }) : Response.json({ code: "success", data: { task_id: id, status: "FAILURE", fail_reason: "no" } }));
  const { value } = await videos.resumePending(pathToFileURL(join(folder, "videos"))).next();
  assert.deepEqual([value.taskId, value.error.code], [id, "task_failed"]);
  assert.deepEqual((await readdir(process.cwd())).filter((name) => name.startsWith("file:")), []);
});

test("a signal of another library ends resumePending", async () => {
  const { videos } = make({ journal: new Rows() });
  const { id } = await videos.create("a ball");
  const signal = new OtherSignal();
  asked = [];
  answer = (url, init) => {
    setImmediate(() => { signal.abort("enough"); });
    return created(url, init);
  };
  const items = videos.resumePending(folder, { signal });
  const { value } = await items.next();
  assert.deepEqual([value.taskId, value.error.code, value.error.cause], [id, "cancelled", "enough"]);
  assert.equal((await items.next()).done, true);
  assert.equal(signal.listeners.size, 0);
  // Nor does a journal that fails leave one.
  const unheard = new OtherSignal();
  const failing = make({ journal: Object.assign(new Rows(), { scan() { throw new Error("no"); } }) }).videos;
  assert.equal((await rejection(() => failing.resumePending(folder, { signal: unheard }).next())).code, "journal");
  assert.equal(unheard.listeners.size, 0);
});

test("an image may be of another realm, and whatever gives its bytes", async () => {
  const bytes = "[0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 0]";
  const array = Uint8Array.from(JSON.parse(bytes.replace("0x89, 0x50, 0x4e, 0x47", "137, 80, 78, 71")));
  const images = [
    array, array.buffer, new DataView(array.buffer), new Blob([array]), runInNewContext(`Uint8Array.from(${bytes})`), runInNewContext(`Uint8Array.from(${bytes}).buffer`),
    { arrayBuffer: async () => array.buffer }, new Response(array),
  ];
  const bodies = [];
  answer = (url, init) => {
    bodies.push(JSON.parse(new TextDecoder().decode(init.body)));
    return created(url, init);
  };
  for (const image of images) await make().videos.create({ prompt: "a ball", image });
  assert.deepEqual(bodies.map(({ image }) => image), images.map(() => `data:image/png;base64,${Buffer.from(array).toString("base64")}`));
  asked = [];
  await refused(() => make().videos.create({ prompt: "a ball", image: { arrayBuffer: () => Promise.reject(new Error("gone")) } }), "invalid_request", "image");
});

test("an image that does not come holds no call up whose signal is raised", async () => {
  const { getEventListeners } = await import("node:events");
  const { videos } = make({ journal: new Rows() });
  const never = { arrayBuffer: () => new Promise(() => undefined) };
  const calls = {
    create: (options) => videos.create({ prompt: "a ball", image: never }, options), generate: (options) => videos.generate({ prompt: "a ball", images: [never] }, options),
    generateMany: (options) => videos.generateMany(["a ball", { prompt: "a ball", image: never }], options).next(), estimate: (options) => videos.estimate({ prompt: "a ball", image: never }, options),
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const option of name === "estimate" ? ["signal"] : ["signal", "stopSignal"]) {
      const stop = new AbortController();
      for (const signal of [stop.signal, AbortSignal.abort("enough")]) {
        setImmediate(() => { stop.abort("enough"); });
        const error = await rejection(() => call({ [option]: signal }));
        assert.deepEqual([error.code, error.name, error.cause, error.maybeExecuted, asked.length], ["cancelled", "AbortError", "enough", false, 0], `${name} ${option}: ${inspect(error)}`);
        assert.equal(getEventListeners(signal, "abort").length, 0);
      }
    }
  }
});

describe("a client that was disposed", () => {
  const PNG = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 0]);

  test("sends no create request that was called for before, or is called for later", async () => {
    let read;
    const image = Object.assign(new Blob(["x"]), { arrayBuffer: () => new Promise((resolve) => { read = () => { resolve(PNG.buffer); }; }) });
    const begin = {
      create: ({ videos }) => videos.create("a ball"),
      generate: ({ videos }) => videos.generate("a ball"),
      generateMany: ({ videos }) => videos.generateMany(["a ball"]).next().then(({ value }) => { throw value.error; }),
      "create with an image that is still read": ({ videos }) => videos.create({ prompt: "a ball", image }),
    };
    for (const [name, call] of Object.entries(begin)) {
      for (const order of ["before", "later"]) {
        const client = make();
        const before = order === "before" ? rejection(() => call(client)) : undefined;
        if (image.arrayBuffer && name.includes("image") && before) while (!read) await new Promise((resolve) => { setImmediate(resolve); });
        client[Symbol.dispose]();
        const ended = before ?? rejection(() => call(client));
        if (name.includes("image")) {
          while (!read) await new Promise((resolve) => { setImmediate(resolve); });
          read();
          read = undefined;
        }
        const error = await ended;
        assert.deepEqual([error.code, error.maybeExecuted, error.taskId, asked.length], ["cancelled", false, null, 0], `${name} ${order}: ${inspect(error)}`);
        assert.match(error.message, /the client was closed/);
      }
    }
  });

  test("looks up what there is", async () => {
    const client = make();
    const task = await client.videos.create("a ball");
    client[Symbol.dispose]();
    assert.equal((await task.refresh()).status, "in_progress");
    assert.equal((await client.videos.get(task.id)).id, task.id);
  });
});

describe("options of a client", () => {
  test("that cannot be read are named", () => {
    const trap = () => { throw new RangeError("a trap"); };
    const trapped = () => new Proxy({}, new Proxy({}, { get: () => trap }));
    const revoked = () => { const { proxy, revoke } = Proxy.revocable([], {}); revoke(); return proxy; };
    for (const name of ["apiKey", "endpoint", "baseURL", "endpoints", "videoBaseURL", "trustedHosts", "fetch", "timeoutMs", "maxAttempts", "headers", "userAgent", "language", "journal", "proxy", "caFile", "log", "logLevel"]) {
      for (const value of [trapped(), revoked()]) {
        assert.throws(() => new Client({ apiKey: KEY, [name]: value }), (error) => {
          assert.ok(error instanceof JunFeiAIError, `${name}: ${inspect(error)}`);
          assert.equal(error.code, "config", error.message);
          return true;
        });
      }
    }
  });

  test("of a kind that no option can be are named", () => {
    const loop = {};
    loop.loop = loop;
    const names = ["apiKey", "endpoint", "baseURL", "endpoints", "videoBaseURL", "trustedHosts", "maxAttempts", "requestRate", "maxInFlightCreates", "maxCost", "budget", "language", "headers", "userAgent", "proxy", "caFile", "logLevel"];
    for (const name of names) {
      for (const value of [() => "x", Symbol("x"), 5n, [() => "x"], { a: () => "x" }, { a: 5n }, loop]) {
        assert.throws(() => new Client({ apiKey: KEY, [name]: value }), (error) => {
          assert.deepEqual([error.code, error.field], ["config", name], `${inspect(value)}: ${error.message}`);
          assert.match(error.message, new RegExp(`^(the option )?${name} (cannot be|must be)`));
          return true;
        });
      }
    }
  });

  test("headers may be a Map, or of another library", async () => {
    class OtherHeaders {
      #all = new Map([["x-gateway", "films"]]);
      entries() { return this.#all.entries(); }
    }
    for (const headers of [new Map([["X-Gateway", "films"]]), new OtherHeaders(), new Headers({ "X-Gateway": "films" }), { "X-Gateway": "films" }, Object.assign(Object.create(null), { "X-Gateway": "films" })]) {
      asked = [];
      await make({ headers }).videos.get("task_1");
      assert.equal(new Headers(asked[0].headers).get("x-gateway"), "films", inspect(headers));
    }
  });

  test("what a store says when it fails shows no key", async () => {
    for (const thrown of [new Error(`GET /rows, key ${KEY}`), `no rows for ${KEY}`]) {
      for (const method of ["load", "swap", "scan"]) {
        for (const fail of [() => { throw thrown; }, () => Promise.reject(thrown)]) {
          const { videos } = make({ journal: Object.assign(new Rows(), { [method]: fail }) });
          const error = await refused(() => (method === "scan" ? videos.pending() : videos.create({ prompt: "a ball", key: "k" })), "journal", method === "swap" ? null : "journal");
          assert.doesNotMatch(inspect(error), /f00dcafe/);
          assert.match(error.message, /\*\*\*/);
        }
      }
    }
  });

  test("nor the key in another form, while a stand-in for one tears nothing apart", async () => {
    const said = async (apiKey, message) => {
      const { videos } = make({ apiKey, journal: Object.assign(new Rows(), { scan() { throw new Error(message); } }) });
      return (await refused(() => videos.pending(), "journal", "journal")).message;
    };
    const key = 'sk/"f00dcafe';
    for (const text of [key, JSON.stringify(key), encodeURIComponent(key), encodeURIComponent(key).toLowerCase()]) {
      for (const apiKey of [key, ` ${key}\n`]) assert.match(await said(apiKey, `no rows for ${text}!`), /no rows for "?\*\*\*"?!/);
    }
    assert.match(await said("none", "none of the rows"), /failed: none of the rows/);
  });

  test("a store that forgets to give the new version is an error that says so, and stops neither the program nor pays", async () => {
    class Forgetful extends Rows {
      swap(...row) { super.swap(...row); }
    }
    class Unwilling extends Rows {
      swap() { return undefined; }
    }
    for (const Store of [Forgetful, Unwilling]) {
      for (const key of [undefined, "film/1"]) {
        let turns = 0;
        const timer = setInterval(() => { turns += 1; }, 1);
        const error = await refused(() => make({ journal: new Store() }).videos.create({ prompt: "a ball", key }), "journal", null);
        clearInterval(timer);
        assert.match(error.message, /swap\(\) of the journal's store failed: .*it must give the new version of a row that it has written/);
        assert.ok(Store === Forgetful || turns > 0, "nothing else had a turn");
      }
    }
    // One that fails like that behind the request costs the journal's record, and not the task.
    const journal = new Rows();
    const { swap } = Rows.prototype;
    journal.swap = (...row) => (asked.length > 0 ? null : swap.apply(journal, row));
    assert.match((await make({ journal }).videos.create("a ball")).id, /^task_/);
  });

  test("a journal may be a store that can be iterated over", async () => {
    const journal = new Rows();
    const task = await make({ journal }).videos.create({ prompt: "a ball", key: "film/1" });
    assert.equal((await make({ journal }).videos.key("film/1")).taskId, task.id);
  });
});

test("builds without a journal say so, and do not ask for an option that they refuse", async () => {
  const slim = await import("junfeiai/slim");
  await slim.ready(await readFile(new URL("../node_modules/junfeiai/dist/junfeiai.wasm", import.meta.url)));
  for (const { Client: Page, ready } of [slim, await import("junfeiai/inline")]) {
    await ready();
    const { videos } = new Page({ apiKey: KEY, fetch });
    const calls = [
      () => videos.pending(), () => videos.key("k"), () => videos.forget("task_1"), () => videos.resolveUnknown("00"), () => videos.reconcile(), () => videos.spending(),
      () => videos.estimate("a ball"), () => videos.resumePending().next(),
    ];
    const { code, message } = await rejection(() => videos.checkSave("ball.mp4"));
    assert.equal(code, "io");
    assert.match(message, /^a page has no files: /);
    const opening = await rejection(async () => (await videos.video("task_7")).open());
    assert.deepEqual([opening.code, opening.phase, opening.taskId], ["config", "content", "task_7"]);
    assert.match(opening.message, /^a page has no seekable reader: use readRange\(\) or stream\(\), or run this in Node, Bun or Deno/);
    for (const call of calls) {
      const error = await rejection(call);
      assert.deepEqual([error.code, error.field], ["config", "journal"]);
      assert.match(error.message, /^this build keeps no journal: import "junfeiai", in Node, Bun, Deno or a page; /);
    }
  }
});

test("without WebAssembly one error says why", () => {
  const script = `try { new (require("junfeiai").Client)({ apiKey: "k" }); } catch (error) { console.log(error.name, error.code, error.message); }`;
  const { stdout } = spawnSync(process.execPath, ["--jitless", "-e", script], { cwd: import.meta.dirname, encoding: "utf8" });
  assert.match(stdout, /^JunFeiAIError config WebAssembly is forbidden here: .*--jitless/);
});
