// Values that nobody means, and what a call may do with one: work, or end with one line that names what was wrong.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { Client } from "junfeiai";
import { KEY, root, startEmulator } from "./emulator.mjs";

export const trap = () => { throw new RangeError("a trap"); };
const traps = (target) => new Proxy(target, new Proxy({}, { get: () => trap }));
const revoked = (target) => { const { proxy, revoke } = Proxy.revocable(target, {}); revoke(); return proxy; };
const looped = () => { const loop = {}; loop.loop = loop; return loop; };
/** Made anew for each use: a promise that rejects must be looked at. */
export const HOSTILE = {
  minusOne: () => -1, zero: () => 0, minusZero: () => -0, NaN: () => NaN, infinity: () => Infinity, minusInfinity: () => -Infinity, half: () => 0.5, tiny: () => Number.MIN_VALUE,
  huge: () => 1e308, beyond: () => 2 ** 53, yes: () => true, no: () => false, nothing: () => null, empty: () => "", word: () => "x", nul: () => "a\0b", lone: () => "a\ud800", lines: () => "a\r\nb",
  long: () => "x".repeat(2 ** 16), array: () => [], object: () => ({}), symbol: () => Symbol("x"), bigint: () => 10n, date: () => new Date(), badDate: () => new Date(NaN),
  boxed: () => Object(5), boxedText: () => Object("xy"), function: () => () => 1, class: () => class {}, throwing: () => trap, rejecting: () => async () => trap(), frozen: () => Object.freeze({ a: 1 }),
  bare: () => Object.create(null), getter: () => ({ get a() { return trap(); } }), getterArray: () => Object.defineProperty([1], 0, { get: trap }), proxy: () => traps({}), arrayProxy: () => traps([]),
  functionProxy: () => traps(() => 1), revoked: () => revoked({}), revokedArray: () => revoked([]), revokedFunction: () => revoked(() => 1),
  valueOf: () => ({ valueOf: trap, toString: trap, toJSON: trap, [Symbol.toPrimitive]: trap }), loop: looped, map: () => new Map([[1, 2]]), bytes: () => new Uint8Array(3), error: () => new Error("x"),
  url: () => new URL("ftp://a.b/c"), endless: () => ({ *[Symbol.iterator]() { for (let at = 0; at < 1e5; at += 1) yield at; trap(); } }), thenable: () => ({ then: trap }),
  promise: () => { const lost = Promise.reject(new Error("lost")); lost.catch(() => undefined); return lost; },
  aborted: () => AbortSignal.abort("enough"), fake: () => ({ aborted: false, addEventListener: trap, removeEventListener: trap }), lying: () => ({ get aborted() { return trap(); } }),
};
/** Functions: what they throw when they are called is the caller's. */
const CALLABLE = ["function", "class", "throwing", "rejecting", "functionProxy", "revokedFunction"];

/** Every kind of error that is documented, but for `internal`. */
const CODES = [...readFileSync(join(root, "bindings-wasm/ts/errors.ts"), "utf8").split("ErrorCode =")[1].split("(string")[0].matchAll(/"(\w+)"/g)].map(([, code]) => code).filter((code) => code !== "internal");

/** The options of `core/options.toml` that JavaScript has, by the section. */
export function optionsOf(section) {
  const text = readFileSync(join(root, "core/options.toml"), "utf8");
  return text.split(`\n[[${section}]]\n`).slice(1).map((part) => part.split("\n[[")[0]).flatMap((part) => {
    const [name, type] = ["name", "type"].map((field) => new RegExp(`^${field} = "(.*)"$`, "m").exec(part)[1]);
    if (!/"js"/.test(/^in = (.*)$/m.exec(part)?.[1] ?? '"js"')) return [];
    const camel = name.replace(/_url$/, "URL").replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
    return [type === "seconds" ? `${camel}Ms` : camel];
  });
}

/** The names that a call takes, as it says itself. */
export async function namesOf(call) {
  try {
    await call({ zzz: 1 });
  } catch (error) {
    const names = /there are ([^)]*)\)/.exec(error.message)?.[1];
    if (names) return names.split(", ");
    throw error;
  }
  return assert.fail("it took an option that there is not");
}

/** A store in memory. Its rows are to be iterated over, too. */
export class Rows extends Map {
  latest = 0;
  load(name) { return this.get(name); }
  swap(name, expected, value) {
    if ((this.get(name)?.version ?? null) !== expected) return null;
    this.latest += 1;
    if (value === null) this.delete(name); else this.set(name, { value, version: this.latest });
    return this.latest;
  }
  scan(prefix) { return [...this].filter(([name]) => name.startsWith(prefix)).map(([name, row]) => ({ name, ...row })); }
}

/** What a promise came to; an error where it comes to nothing, so that the test says which it was. */
async function settled(what, promise) {
  let timer;
  const hang = new Promise((_, reject) => { timer = setTimeout(() => { reject(new assert.AssertionError({ message: `${what} hangs` })); }, 30_000); });
  try { return await Promise.race([promise, hang]); } finally { clearTimeout(timer); }
}

/**
 * Makes a call with a value that nobody means. `field` is what its error is about; `now`: it returns no promise; `isOurs`: errors of
 * other classes are the caller's own. Gives the error, if there is one.
 */
export async function judge(what, field, call, { now = false, isOurs = () => false } = {}) {
  let returned = false;
  try {
    const result = call();
    returned = true;
    await settled(what, result);
    return undefined;
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    const about = `${what}: ${inspect(error, { depth: 0 })}`;
    assert.ok(returned || now, `thrown, not rejected: ${about}`);
    if (isOurs(error)) return error;
    // Each build of the package has a class of its own.
    assert.ok(["JunFeiAIError", "AbortError"].includes(error?.name) && CODES.includes(error.code), about);
    assert.ok(error.field === field || error.message.includes(field) || (error.code === "cancelled" && what.endsWith("aborted")), `it does not name ${field}: ${about}`);
    assert.doesNotMatch(error.message, /[\0-\x1f\x7f]|\p{Surrogate}/u, about);
    assert.ok(error.message.length < 2500, about);
    assert.doesNotMatch(inspect(error, { depth: 5 }), /f00dcafe/);
    assert.equal(error.maybeExecuted, false, about);
    return error;
  }
}

/** Methods that take no options. */
const PLAIN = ["constructor", "toJSON", "task", "video", "videoAt", "close"];
/** The methods of a class that take options. */
export const methodsOf = (prototype) => Object.entries(Object.getOwnPropertyDescriptors(prototype)).filter(([name, { value }]) => typeof value === "function" && !PLAIN.includes(name)).map(([name]) => name);
/** They return at once; `stream` is one, though its pieces come later. */
export const NOW = ["waitState", "stream"];
export const drain = async (items) => { for await (const item of items) void item; };
export const closed = async (response) => { await (await response).body?.cancel(); };
let files = 0;

/** Each method with options: a call with these. Those that pay are those of `near()`, a client whose service is in the process. */
export function callsOf({ client, task, video, reader, state, id, near, folder }) {
  const { videos } = client;
  return {
    Client: { check: (options) => client.check(options), models: (options) => client.models(options), balance: (options) => client.balance(options) },
    Videos: {
      create: (options) => near().videos.create("a ball", options), generateMany: (options) => drain(near().videos.generateMany(["a ball"], options)),
      // The task fails, which the options are not to blame for.
      generate: (options) => near().videos.generate("a ball", options).catch((error) => { if (error.code !== "task_failed") throw error; }),
      checkSave: (options) => videos.checkSave("none.mp4", options), get: (options) => videos.get(id, options), advance: (options) => videos.advance(state, options),
      asCompleted: (options) => drain(videos.asCompleted([id], options)), key: (options) => videos.key("k", options), pending: (options) => videos.pending(options),
      forget: (options) => videos.forget("task_x", options), resolveUnknown: (options) => videos.resolveUnknown("00", null, options), reconcile: (options) => videos.reconcile(options),
      spending: (options) => videos.spending(null, options), estimate: (options) => videos.estimate("a ball", options), resumePending: (options) => drain(videos.resumePending(folder, options)),
    },
    Task: { refresh: (options) => task.refresh(options), wait: (options) => task.wait(options), waitState: (options) => task.waitState(options), watch: (options) => drain(task.watch(options)) },
    Video: {
      bytes: (options) => video.bytes(options), blob: (options) => video.blob(options), arrayBuffer: (options) => video.arrayBuffer(options), stream: (options) => drain(video.stream(options)),
      readRange: (options) => video.readRange(0, 4, options), open: async (options) => (await video.open(options)).close(), response: (options) => closed(video.response("bytes=0-3", options)),
      save: (options) => video.save(`${files += 1}.mp4`, options), playbackURL: (options) => video.playbackURL(options),
    },
    VideoReader: { read: (options) => reader.read(0, 4, options), stream: (options) => drain(reader.stream(options)) },
  };
}

/** What is no error of the options: a callback's own error, and a timeout that was asked for. */
export const isMeant = (option, kind) => (error) =>
  (/^on[A-Z]/.test(option) && CALLABLE.includes(kind) && (error instanceof RangeError || error instanceof TypeError) && typeof (error.taskId ?? error.taskIds?.[0]) === "string")
  || (option === "timeoutMs" && ["zero", "minusZero", "half", "tiny"].includes(kind) && ["timeout", "wait_timeout", "create_outcome_unknown", "rate_limited"].includes(error.code) && error.field === null);

/** What tests of hostile values have in common: a task that is done, two clients, and a service in the process for calls that pay. */
export async function stage() {
  const { warn } = console;
  const home = process.cwd();
  const unhandled = [];
  const unexpected = (error) => { unhandled.push(error); };
  process.on("unhandledRejection", unexpected);
  console.warn = () => undefined;
  const emulator = await startEmulator();
  const folder = await mkdtemp(join(tmpdir(), "junfeiai-hostile-"));
  // A name may be one of a file in the working folder.
  process.chdir(folder);
  const [client, other] = [{ journal: new Rows() }, {}].map((options) => new Client({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, maxAttempts: 1, ...options }));
  const paid = await other.videos.create("a ball");
  await paid.wait();
  const task = client.videos.task(paid.id);
  const video = await client.videos.video(paid.id);
  const [reader, state] = [await video.open(), task.waitState()];
  await emulator.forget();
  /** The methods of the requests that the service in the process was sent. */
  const sent = [];
  const fetch = async (url, { method }) => {
    sent.push(method);
    return Response.json(method === "POST" ? { id: `task_${sent.length}`, status: "queued" } : { code: "success", data: { task_id: String(url).split("/").at(-1), status: "FAILURE", fail_reason: "no" } });
  };
  const near = (options = {}) => new Client({ apiKey: KEY, baseURL: "http://127.0.0.1:1/v1", pollIntervalMs: 1, maxAttempts: 1, fetch, ...options });
  return {
    client, videos: client.videos, task, video, reader, state, sent, near,
    calls: callsOf({ client, task, video, reader, state, id: task.id, near, folder: "pending" }),
    /** Both clients work as before, and nothing was paid for. */
    async well() {
      for (const { videos } of [client, other]) assert.equal((await videos.get(task.id)).status, "succeeded");
      assert.deepEqual((await emulator.requests()).filter(({ method }) => method === "POST"), []);
      await new Promise((resolve) => { setImmediate(resolve); });
      assert.deepEqual(unhandled, []);
    },
    async end() {
      process.off("unhandledRejection", unexpected);
      console.warn = warn;
      process.chdir(home);
      emulator.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
