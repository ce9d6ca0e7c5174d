// The JunFeiAI video API on this machine, faults included, for the tests of programs that call it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { clearTimeout, setTimeout } from "node:timers";
import { FAULTS, SHAPES } from "./names.mjs";

/**
 * What a request is for: making a task, asking for it, reading its video, anything else, or all of these.
 * @typedef {"create" | "query" | "content" | "other" | "any"} Operation
 */
/**
 * A fault. What each does, and its fields: the emulator's README, "Faults".
 * @typedef {(typeof FAULTS)[number]} FaultKind
 */
/**
 * An error of the service itself, or of a proxy in front of it.
 * @typedef {(typeof SHAPES)[number]} ErrorShape
 */
/**
 * How to start an emulator.
 * @typedef {object} EmulatorOptions
 * @property {string} [apiKey] The key that works. Default `sk-test`.
 * @property {number} [timeScale] The service's seconds per real second: at the default, 600, a task of about 53 s takes a tenth of a second.
 * @property {number} [port] The port; 0, the default, is a free one.
 * @property {boolean} [secondHost] Opens a second host for the same files, which must never see the key.
 * @property {number} [videoBytes] Size of every video in bytes. By default it follows from the request.
 * @property {Record<string, unknown>} [scenario] How the service behaves: the emulator's README, "Scenario".
 * @property {string} [program] The path of the emulator's program. By default that of `program()`.
 */
/**
 * Which requests a fault strikes. Further fields are those of the fault, such as `after_bytes` of `cut_body`.
 * @typedef {{ on?: Operation, times?: number, match?: Record<string, unknown>, [field: string]: unknown }} FaultOptions
 */
/**
 * A request as the emulator saw it, without the key.
 * @typedef {object} SeenRequest
 * @property {number} seq Counts from 1; keeps counting after `clearRequests`.
 * @property {number} atMs Real milliseconds since the emulator started.
 * @property {Exclude<Operation, "any">} op What it was for.
 * @property {string} method The HTTP method.
 * @property {string} path The path, without the query.
 * @property {string} query The query without `?`, empty if there is none.
 * @property {"first" | "second"} host Which of the two hosts it came to.
 * @property {Record<string, string>} headers Headers by lower-case name; instead of the key, `authorization` has what `key` says.
 * @property {"valid" | "other" | "none"} key What kind of key came with it.
 * @property {number} bodyBytes Size of its body in bytes.
 * @property {any} bodyJson Its body, if that was JSON: `bodyJson.prompt`. Otherwise null.
 * @property {string | null} range The `Range` header.
 * @property {string | null} fault The fault that struck it.
 * @property {number | null} status The HTTP status of the answer; null if none was given.
 * @property {number} sentBytes Bytes of the answer's body that were sent so far.
 * @property {boolean} complete True when the answer's body came to its regular end.
 * @property {number} connection The TCP connection, counted from 1.
 */
/**
 * The hooks of a test runner: those of vitest and jest, or of node:test.
 * @typedef {object} Hooks
 * @property {(hook: () => Promise<void>) => unknown} [beforeAll]
 * @property {(hook: () => Promise<void>) => unknown} [before]
 * @property {(hook: () => Promise<void>) => unknown} beforeEach
 * @property {(hook: () => Promise<void>) => unknown} [afterAll]
 * @property {(hook: () => Promise<void>) => unknown} [after]
 */

// It starts in milliseconds. This bounds a machine that hangs.
const START_MS = 60_000;

/** The emulator could not be started, has ended, or refused what it was asked for. */
export class EmulatorError extends Error {
  name = "EmulatorError";
}

/**
 * The platforms that a release has a package with the program for, as Node calls them: those that `make dist` builds it for.
 * @type {readonly string[]}
 */
export const PLATFORMS = Object.freeze(["linux-arm64", "linux-x64", "win32-x64"]);

/**
 * The path of the emulator's program: that of `JUNFEIAI_EMULATOR`, else the one in the package for this platform.
 * @returns {string}
 * @throws {EmulatorError} If there is none.
 */
export function program() {
  if (process.env.JUNFEIAI_EMULATOR) return process.env.JUNFEIAI_EMULATOR;
  const platform = `${process.platform}-${process.arch}`;
  const file = `@junfeiai/emulator-${platform}/bin/junfeiai-emulator${process.platform === "win32" ? ".exe" : ""}`;
  try {
    return createRequire(typeof __filename === "string" ? __filename : import.meta.url).resolve(file);
  } catch {
    throw new EmulatorError(PLATFORMS.includes(platform)
      ? `the program for ${platform} is not installed: install the file junfeiai-emulator-${platform}-VERSION.tgz, which belongs to this package, or set JUNFEIAI_EMULATOR to the program's path`
      : `there is no program for ${platform}, but for ${PLATFORMS.join(", ")}: build it in a clone of the repository (make testkit), or set JUNFEIAI_EMULATOR to the program's path`);
  }
}

/**
 * An emulator. It listens on a free port of this machine, and ends with `stop` and with this process, however that ends.
 * A process that has nothing else to do does not wait for it.
 */
export class Emulator {
  /** @type {EmulatorOptions} */
  #options;
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  #ended = Promise.resolve();
  #origin = "";
  /** @type {string | undefined} */
  #second;

  /**
   * Starts nothing yet: `start` does.
   * @param {EmulatorOptions} [options]
   */
  constructor(options = {}) {
    this.#options = options;
  }

  /**
   * Starts an emulator.
   * @param {EmulatorOptions} [options]
   * @returns {Promise<Emulator>}
   * @throws {EmulatorError} If it cannot start.
   */
  static async start(options) {
    const emulator = new Emulator(options);
    await emulator.start();
    return emulator;
  }

  /**
   * Starts it, unless it runs.
   * @returns {Promise<void>}
   * @throws {EmulatorError} If it cannot start.
   */
  async start() {
    if (this.#process) return;
    const { timeScale = 600, port = 0, secondHost = false, videoBytes, scenario } = this.#options;
    const path = this.#options.program ?? program();
    const args = ["--port", String(port), "--api-key", this.apiKey, "--time-scale", String(timeScale), "--quiet", "--exit-with-stdin"];
    if (secondHost) args.push("--second-port", "0");
    if (videoBytes !== undefined) args.push("--video-bytes", String(videoBytes));
    if (!existsSync(path)) throw new EmulatorError(`${path} does not exist: set JUNFEIAI_EMULATOR to the emulator's program`);
    // In a session of its own, so that Ctrl-C in a debugger is not meant for it. Windows would open a window.
    const child = spawn(path, args, { stdio: ["pipe", "pipe", "pipe"], detached: process.platform !== "win32" });
    // Nothing of it keeps this process alive; the end of this process closes its input, which ends it.
    const pipes = /** @type {import("node:net").Socket[]} */ (/** @type {unknown} */ ([child.stdin, child.stdout, child.stderr]));
    this.#process = child;
    this.#ended = new Promise((resolve) => child.once("close", () => resolve(undefined)));
    const guard = setTimeout(() => child.kill("SIGKILL"), START_MS);
    let said = "";
    child.stderr.on("data", (data) => { said += data; });
    try {
      /** @type {string[]} */
      const lines = [];
      await new Promise((resolve, reject) => {
        child.once("error", reject);
        child.once("close", (code) => reject(new EmulatorError(`the emulator did not start: ${said.trim() || `it ended with ${code}`}`)));
        createInterface({ input: child.stdout }).on("line", (line) => {
          if (lines.push(line) === (secondHost ? 2 : 1)) resolve(undefined);
        });
      });
      const [first = "", second] = lines.map((line) => line.split(" ").at(-1) ?? "");
      this.#origin = first;
      this.#second = second;
    } catch (error) {
      this.#process = undefined;
      throw error;
    } finally {
      clearTimeout(guard);
    }
    child.unref();
    // Not all pipes of Bun can be told so.
    for (const pipe of pipes) pipe.unref?.();
    child.stdin.on("error", () => undefined);
    if (scenario) await this.setScenario(scenario).catch(async (error) => { await this.stop(); throw error; });
  }

  /** The key that works. */
  get apiKey() {
    return this.#options.apiKey ?? "sk-test";
  }

  /** `http://127.0.0.1:PORT`. */
  get origin() {
    if (!this.#process) throw new EmulatorError("the emulator does not run: use it inside of a test or a hook, or call start first");
    return this.#origin;
  }

  /** The base URL for clients: `http://127.0.0.1:PORT/v1`. */
  get baseURL() {
    return `${this.origin}/v1`;
  }

  /** The port. */
  get port() {
    return Number(new URL(this.origin).port);
  }

  /** The second host, if it was asked for. */
  get secondOrigin() {
    return this.origin && this.#second;
  }

  /** The variables that send a program to this emulator: `JUNFEIAI_API_KEY`, `JUNFEIAI_BASE_URL`, `NO_PROXY`. */
  get env() {
    const bypassed = [process.env.NO_PROXY ?? process.env.no_proxy, "127.0.0.1"].filter(Boolean).join(",");
    return { JUNFEIAI_API_KEY: this.apiKey, JUNFEIAI_BASE_URL: this.baseURL, NO_PROXY: bypassed, no_proxy: bypassed };
  }

  /**
   * Options for `new Client(…)`: key, base URL, no proxy, and polls every 20 ms. What is given here comes on top.
   * @template {object} [T={}]
   * @param {T} [options]
   * @returns {{ apiKey: string, baseURL: string, pollIntervalMs: number, proxy: string } & T}
   */
  options(options) {
    return { apiKey: this.apiKey, baseURL: this.baseURL, pollIntervalMs: 20, proxy: "", .../** @type {T} */ (options) };
  }

  /**
   * Lets a fault strike the next requests: a kind of fault (`drop_after_accept`), or an error of the service
   * (`insufficient_user_quota`). `times` is how many of them it strikes, by default one, `Infinity` for all; `match` has further
   * conditions of a rule, such as `{ nth: [3] }`. Faults that were asked for before come first.
   * @param {FaultKind | ErrorShape} name
   * @param {FaultOptions} [options]
   * @returns {Promise<void>}
   */
  async fault(name, { on = "any", times = 1, match, ...fields } = {}) {
    const fault = SHAPES.some((shape) => shape === name) ? { kind: "error_shape", shape: name, ...fields } : { kind: name, ...fields };
    await this.call("POST", "rules", { match: { op: on, ...match }, fault, ...(times === Infinity ? {} : { times }) });
  }

  /**
   * Sets how the service behaves from now on, in place of the scenario before and of all faults; `{}` is a healthy service.
   * Tasks stay. The fields: the emulator's README, "Scenario".
   * @param {Record<string, unknown>} scenario
   * @returns {Promise<void>}
   */
  async setScenario(scenario) {
    await this.call("PUT", "scenario", scenario);
  }

  /**
   * Changes fields of the scenario and leaves the others as they are: `change({ task: { outcome: "failure" } })`.
   * @param {Record<string, unknown>} fields
   * @returns {Promise<void>}
   */
  async change(fields) {
    await this.call("PATCH", "scenario", fields);
  }

  /**
   * Sets the number of the service's seconds per real second from now on.
   * @param {number} scale
   * @returns {Promise<void>}
   */
  async setTimeScale(scale) {
    await this.change({ time_scale: scale });
  }

  /**
   * Puts a task into this state, without a create request and without a charge; gives its id. Further fields are `id`,
   * `model`, `prompt`, `seconds`, and those of `task` in the scenario.
   * @param {"queued" | "running" | "finished" | "failed"} [state]
   * @param {Record<string, unknown>} [fields]
   * @returns {Promise<string>}
   */
  async addTask(state = "finished", fields = {}) {
    return JSON.parse(String(await this.call("POST", "tasks", { state, ...fields }))).id;
  }

  /**
   * The requests that arrived, oldest first; those for `op` alone, if it is given.
   * @param {Operation} [op]
   * @returns {Promise<SeenRequest[]>}
   */
  async requests(op = "any") {
    const seen = /** @type {Record<string, unknown>[]} */ (JSON.parse(String(await this.call("GET", "requests"))));
    const camel = (/** @type {string} */ name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
    return seen.filter((entry) => op === "any" || entry.op === op)
      .map((entry) => /** @type {SeenRequest} */ (/** @type {unknown} */ (Object.fromEntries(Object.entries(entry).map(([name, value]) => [camel(name), value])))));
  }

  /**
   * Forgets the requests that arrived.
   * @returns {Promise<void>}
   */
  async clearRequests() {
    await this.call("DELETE", "requests");
  }

  /**
   * Counters: `created_tasks`, `posts`, `quota_charged`, `quota_refunded`, `max_concurrent_requests`, …
   * @returns {Promise<Record<string, number>>}
   */
  async stats() {
    return JSON.parse(String(await this.call("GET", "stats")));
  }

  /**
   * How many tasks create requests have made: each of them would have cost money.
   * @returns {Promise<number>}
   */
  async createdTasks() {
    return (await this.stats()).created_tasks ?? 0;
  }

  /**
   * The exact bytes of a task's video, to compare them with what was saved.
   * @param {string} taskId
   * @returns {Promise<Uint8Array>}
   */
  async video(taskId) {
    return new Uint8Array(await this.call("GET", `video/${encodeURIComponent(taskId)}`));
  }

  /**
   * Forgets tasks, requests and counters, and behaves healthily again. The time scale stays.
   * @returns {Promise<void>}
   */
  async reset() {
    await this.call("POST", "reset");
  }

  /**
   * Ends it and waits for its end. May be called again.
   * @returns {Promise<void>}
   */
  async stop() {
    const child = this.#process;
    this.#process = undefined;
    if (!child) return;
    child.ref();
    child.stdin?.end();
    await this.#ended;
  }

  /** @returns {Promise<void>} */
  async [Symbol.asyncDispose]() {
    await this.stop();
  }

  /**
   * Asks one of the emulator's own paths: the README, "What it serves". Gives the body of the answer.
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<Uint8Array>}
   */
  async call(method, path, body) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    // Not by `fetch`: tests replace it.
    const { status, bytes } = await new Promise((resolve, reject) => {
      const sent = request(`${this.origin}/__emulator/${path}`, { method, headers: text === undefined ? {} : { "content-type": "application/json" }, agent: false }, (response) => {
        /** @type {Buffer[]} */
        const pieces = [];
        response.on("data", (piece) => pieces.push(piece));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(pieces) }));
      });
      sent.on("error", (error) => reject(new EmulatorError(`the emulator does not answer: ${error.message}`, { cause: error })));
      sent.end(text);
    });
    if (status >= 300) {
      let said = String(bytes);
      try {
        said = JSON.parse(said).error ?? said;
      } catch { /* It is no JSON: shown as it is. */ }
      throw new EmulatorError(`the emulator refused ${method} ${path}: ${said}`);
    }
    return bytes;
  }
}

/**
 * An emulator for the tests of this file: it starts before the first of them, is healthy and empty before each, and ends after
 * the last. Meanwhile `JUNFEIAI_API_KEY` and `JUNFEIAI_BASE_URL` name it, so that no client that takes its options from the
 * environment reaches the paid service.
 *
 * `hooks` are those of the test runner: `useEmulator(await import("vitest"))`, `useEmulator(await import("node:test"))`; jest
 * and vitest with `globals` need none.
 * @param {Hooks} [hooks]
 * @param {EmulatorOptions} [options]
 * @returns {Emulator}
 */
export function useEmulator(hooks = /** @type {Hooks} */ (/** @type {unknown} */ (globalThis)), options = {}) {
  const first = hooks.beforeAll ?? hooks.before;
  const last = hooks.afterAll ?? hooks.after;
  if (!first || !last || !hooks.beforeEach) {
    throw new EmulatorError("pass the hooks of your test runner: useEmulator({ beforeAll, beforeEach, afterAll }), or those of node:test: { before, beforeEach, after }");
  }
  const emulator = new Emulator(options);
  /** @type {Record<string, string | undefined>} */
  let before = {};
  const set = (/** @type {Record<string, string | undefined>} */ values) => {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  first(async () => {
    await emulator.start();
    const wanted = { ...emulator.env, JUNFEIAI_VIDEO_BASE_URL: undefined };
    before = Object.fromEntries(Object.keys(wanted).map((name) => [name, process.env[name]]));
    set(wanted);
  });
  hooks.beforeEach(async () => {
    await emulator.reset();
    await emulator.setTimeScale(options.timeScale ?? 600);
    if (options.scenario) await emulator.setScenario(options.scenario);
  });
  last(async () => {
    set(before);
    await emulator.stop();
  });
  return emulator;
}
