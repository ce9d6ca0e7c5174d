/**
 * For unit tests without HTTP: a client that answers what the test says, results, and errors of every kind.
 *
 * ```ts
 * import { error, fakeClient } from "junfeiai/testing";
 *
 * const client = fakeClient({ wait: error("task_failed") });
 * const task = await client.videos.create({ prompt: "A small red ball", seconds: 6 });
 * await task.wait().catch((failed) => console.log(failed.code)); // task_failed
 * console.log(client.called("create")); // [[{ prompt: "A small red ball", seconds: 6 }]]
 * ```
 *
 * A fake is an instance of the class that it stands for, has its attributes and methods, and refuses options and requests that the
 * real one refuses. Nothing is sent, and nothing waits for a timer. To test against a service with its faults, use the package
 * `junfeiai-emulator`.
 *
 * @module junfeiai/testing
 */
import {
  Client, JunFeiAIError, Task, Video, Videos, __options, ready,
  type Balance, type ErrorCode, type Estimate, type KeyRecord, type Progress, type Summary, type TaskStatus, type VideoRequest, type WaitState,
} from "#main";
import { translate } from "../names.js";

/** What the video of a fake holds unless the test says otherwise: the head of an MP4, which no player can show. */
export const CONTENT: Uint8Array<ArrayBuffer> = new TextEncoder().encode("\0\0\0\x18ftypisom\0\0\x02\0isomiso2\0\0\0\x08mdat");

// --- Errors ---------------------------------------------------------------------------------------------------------------

/** What an error of a kind says of itself unless the test says otherwise; the same as in Python's `junfeiai.testing`. */
const STATUS: Record<string, number> = {
  bad_request: 400, authentication: 401, permission_denied: 403, insufficient_balance: 403, not_found: 404, rate_limited: 429, upstream: 502,
  model_unavailable: 503, unexpected_response: 200, not_offered: 404,
};
const TRANSIENT = ["rate_limited", "upstream", "connect", "connection", "timeout", "not_ready"];
const PHASES: Record<string, string> = {
  config: "config", untrusted_host: "config", internal: "config", task_failed: "wait", wait_timeout: "wait", cancelled: "wait", download: "content",
  not_ready: "content", integrity: "content", file_exists: "save", io: "save", file_locked: "save", no_space: "save", not_found: "query",
  not_offered: "check", journal: "journal",
};
const OF_A_TASK = ["not_found", "task_failed", "wait_timeout", "download", "not_ready", "integrity"];
const LAST_STATUS: Record<string, string> = { task_failed: "failed", wait_timeout: "in_progress", not_ready: "in_progress" };
const ATTRIBUTES: readonly string[] = [
  "phase", "status", "serverCode", "serverMessage", "requestId", "taskId", "taskIds", "lastStatus", "field", "retryAfterMs", "attempts", "maybeExecuted",
  "transient",
];

/** What an attribute is that is no string. */
const TYPES: Record<string, string> = {
  status: "number", retryAfterMs: "number", attempts: "number", maybeExecuted: "boolean", transient: "boolean", taskIds: "array",
};

/** What an object is; nothing where it cannot be looked at. */
function typeOf(value: unknown): string {
  try { return Object.prototype.toString.call(value).slice(8, -1); } catch { return ""; }
}

/** What a test gives by names. Anything else would be taken for nothing. */
function objectOf<T extends object>(given: T, what: string): T {
  if (/^(Object|Module)$/.test(typeOf(given))) return given;
  throw new TypeError(`${what} must be an object`);
}

function isList(value: unknown): boolean {
  try { return Array.isArray(value); } catch { return false; }
}

/** Attributes of an error: those of `JunFeiAIError` that a test may set. Default: what is usual for its kind, else `null`. */
export interface ErrorAttributes {
  /** What happened; the advice of the kind follows it in the error's `message`. Default: the words of the kind. */
  message?: string | undefined;
  cause?: unknown;
  phase?: string | undefined;
  status?: number | null | undefined;
  serverCode?: string | null | undefined;
  serverMessage?: string | null | undefined;
  requestId?: string | null | undefined;
  taskId?: string | null | undefined;
  taskIds?: readonly string[] | undefined;
  lastStatus?: string | null | undefined;
  field?: string | null | undefined;
  retryAfterMs?: number | null | undefined;
  attempts?: number | undefined;
  maybeExecuted?: boolean | undefined;
  transient?: boolean | undefined;
}

/**
 * An error of this kind, as a call of the library would throw it: `error("rate_limited", { retryAfterMs: 5000 })`.
 *
 * Throws a `TypeError` for a kind or an attribute that there is not.
 */
export function error(code: ErrorCode, given: ErrorAttributes = {}): JunFeiAIError {
  if (typeof code !== "string") throw new TypeError("the kind of an error must be a string: see ErrorCode");
  const { message: words, cause, ...attributes } = objectOf(given, "the attributes of an error");
  const wrong = Object.keys(attributes).find((name) => !ATTRIBUTES.includes(name));
  if (wrong !== undefined) throw new TypeError(`errors have no attribute ${wrong}; there are message, cause, ${ATTRIBUTES.join(", ")}`);
  for (const [name, value] of Object.entries({ message: words, ...attributes })) {
    const type = TYPES[name] ?? "string";
    if (value !== undefined && value !== null && !(type === "array" ? isList(value) : typeof value === type)) throw new TypeError(`${name} of an error must be ${type === "array" ? "an" : "a"} ${type}`);
  }
  const phase = attributes.phase ?? PHASES[code] ?? "create";
  const said = words ?? code.replaceAll("_", " ");
  const { number, message } = __options.own(code, phase, said);
  if (number === 70 && code !== "internal") throw new TypeError(`there is no kind of error ${code}: see ErrorCode`);
  const {
    status = STATUS[code], taskId = OF_A_TASK.includes(code) ? "task_1" : null, lastStatus = LAST_STATUS[code] ?? null, attempts = number < 20 ? 0 : 1,
    maybeExecuted = code === "create_outcome_unknown", transient = TRANSIENT.includes(code), retryAfterMs = null,
  } = attributes;
  const made = new JunFeiAIError({
    kind: code, number, phase, message: said, text: said + translate(message.slice(said.length)), status: status ?? null, code: attributes.serverCode ?? null,
    server_message: attributes.serverMessage ?? null, request_id: attributes.requestId ?? null, task_id: taskId, last_status: lastStatus,
    field: attributes.field ?? null, retry_after_s: retryAfterMs === null ? null : retryAfterMs / 1000, attempts, maybe_executed: maybeExecuted, transient,
  }, cause);
  return attributes.taskIds ? Object.assign(made, { taskIds: attributes.taskIds }) : made;
}

// --- What the test says ---------------------------------------------------------------------------------------------------

/** A call that a fake received: the name of the method, and the arguments as they were given. */
export interface Call {
  readonly name: string;
  readonly arguments: readonly unknown[];
}

/** Results of consecutive calls. */
export class InTurn {
  readonly #results: readonly unknown[];
  #count = 0;

  /** @internal */
  constructor(results: readonly unknown[]) { this.#results = results; }

  /** @internal */
  next(name: string): unknown {
    if (this.#count === this.#results.length) throw new Error(`${name} was called once more: the test has ${this.#count} results for it`);
    return this.#results[this.#count++];
  }
}

/** Results of consecutive calls: `fakeClient({ create: inTurn(error("rate_limited"), fakeTask()) })`. A call after the last of them fails. */
export const inTurn = (...results: readonly unknown[]): InTurn => new InTurn(results);

type Method = (...values: never[]) => unknown;
type Gives<F> = F extends (...values: never[]) => infer R
  ? R extends AsyncGenerator<infer T> ? Iterable<T> | AsyncIterable<T> : R extends Promise<infer T> ? T | Promise<T> : R : never;
type Scripted<F> = Gives<F> | Error | InTurn | (F extends (...values: infer A) => unknown ? (...values: A) => Gives<F> : never);
type MethodsOf<T> = { [N in keyof T as T[N] extends Method ? Exclude<N, symbol | "toJSON"> : never]?: Scripted<T[N]> };

/** Results by the names of methods: a value, an error to throw, a function of the call's arguments, or `inTurn(…)`. */
export type Results = MethodsOf<Client> & MethodsOf<Videos> & MethodsOf<Omit<Task, "video">> & MethodsOf<Video>;

/** How a fake behaves where the test gives no result. */
export interface FakeOptions {
  /** The statuses that consecutive polls of a task see. Default: `["queued", "in_progress", "succeeded"]`. */
  statuses?: readonly TaskStatus[] | undefined;
  /** What each video holds. Default: `CONTENT`. */
  content?: Uint8Array<ArrayBuffer> | undefined;
}

const RAW: Record<string, string> = { queued: "QUEUED", in_progress: "IN_PROGRESS", succeeded: "SUCCESS", failed: "FAILURE", unknown: "" };
const isStatus = (value: unknown): value is TaskStatus => typeof value === "string" && Object.hasOwn(RAW, value);
const said = (value: unknown): string => (typeof value === "string" ? value : `a ${typeof value}`);
const PROGRESS: Record<string, number> = { in_progress: 50, succeeded: 100 };

/** What a test gives its fakes, and what they saw. */
class Script {
  readonly calls: Call[] = [];
  readonly polls = new Map<string, number>();
  readonly byKey = new Map<string, Task>();
  readonly statuses: readonly TaskStatus[];
  readonly content: Uint8Array<ArrayBuffer>;
  created = 0;
  #real: Client | undefined;

  constructor(readonly results: Readonly<Record<string, unknown>>, options: FakeOptions) {
    const { statuses = ["queued", "in_progress", "succeeded"], content = CONTENT } = checked(objectOf(options, "the options"), { statuses: undefined, content: undefined }, "fake", "option") as FakeOptions;
    const odd = !isList(statuses) || statuses.length === 0 ? "no status" : statuses.find((status) => !isStatus(status));
    if (odd !== undefined) throw new TypeError(`statuses must be an array of some of ${Object.keys(RAW).join(", ")}; not ${said(odd)}`);
    if (typeOf(content) !== "Uint8Array") throw new TypeError("content must be a Uint8Array");
    const known = [...new Set(REAL.flatMap(methodsOf))];
    const wrong = Object.keys(objectOf(results, "the results")).find((name) => !known.includes(name));
    if (wrong !== undefined) throw new TypeError(`there is no method ${wrong}; a result can be given for ${known.join(", ")}`);
    this.statuses = statuses;
    this.content = content;
  }

  /** A client that judges arguments: its answers are made here. */
  get real(): Client {
    return this.#real ??= new Client({
      apiKey: "sk-test", baseURL: "http://127.0.0.1:9/v1", dangerouslyAllowBrowser: true,
      fetch: () => Promise.resolve(Response.json({ id: "task_1", status: "queued" })),
    });
  }

  /** Refuses a request as `create` does. */
  async check(request: VideoRequest | string): Promise<void> {
    const { key: _, retryFailed: __, ...asked } = typeof request === "object" && request !== null ? request : { prompt: request };
    await this.real.videos.create(asked);
  }
}

// --- Fakes ----------------------------------------------------------------------------------------------------------------

const REAL = [Client, Videos, Task, Video] as const;
/** Methods that are no promises, and those that iterate. */
const NOW = ["Videos.task", "Task.video", "Task.waitState", "Video.stream"];
const EACH = ["watch", "asCompleted", "generateMany", "resumePending"];
const WAIT = ["timeoutMs", "pollIntervalMs", "signal"];
const CREATE = ["signal", "stopSignal"];
const READ = ["signal", "onProgress", "maxBytes"];
const SAVE = ["connections", "overwrite", "createParents", "sha256", "verify", "timeoutMs", "rateLimit", "maxBytes", "onProgress", "signal"];
/** Where a method has its options, their names, and the phase of an error about one. */
const OPTIONS: Record<string, [at: number, names: readonly string[], phase: string]> = {
  "Client.check": [0, ["account", "signal"], "check"], "Client.models": [0, ["signal"], "check"], "Client.balance": [0, ["signal"], "check"],
  "Videos.create": [1, [...CREATE, "timeoutMs"], "create"], "Videos.get": [1, ["signal", "timeoutMs"], "query"], "Videos.advance": [1, ["signal"], "wait"],
  "Videos.generate": [1, [...WAIT, "stopSignal", "onProgress"], "create"], "Videos.asCompleted": [1, ["signal"], "wait"],
  "Videos.generateMany": [1, [...WAIT, "stopSignal", "concurrency", "onCreated", "onProgress"], "create"],
  "Videos.key": [1, ["signal"], "journal"], "Videos.pending": [0, ["signal"], "journal"], "Videos.forget": [1, ["signal"], "journal"],
  "Videos.resolveUnknown": [2, ["signal"], "journal"], "Videos.reconcile": [0, ["signal", "accountToken", "accountUser"], "journal"],
  "Videos.spending": [1, ["signal"], "journal"], "Videos.estimate": [1, ["signal"], "journal"], "Videos.resumePending": [1, ["signal"], "journal"],
  "Videos.checkSave": [1, SAVE, "save"],
  "Task.refresh": [0, ["signal", "timeoutMs"], "query"], "Task.wait": [0, [...WAIT, "onProgress"], "wait"], "Task.watch": [0, WAIT, "wait"],
  "Task.waitState": [0, ["timeoutMs", "pollIntervalMs"], "wait"],
  "Video.bytes": [0, READ, "content"], "Video.blob": [0, READ, "content"], "Video.arrayBuffer": [0, READ, "content"],
  "Video.stream": [0, ["signal"], "content"], "Video.readRange": [2, ["signal"], "content"], "Video.response": [1, ["signal"], "content"],
  "Video.playbackURL": [0, ["signal"], "content"], "Video.open": [0, ["signal"], "content"],
  "Video.save": [1, SAVE, "save"],
};

type Type = (typeof REAL)[number];
type Values = Record<string, unknown>;
const methodsOf = (type: Type): string[] =>
  Object.entries(Object.getOwnPropertyDescriptors(type.prototype)).filter(([name, { value }]) => typeof value === "function" && name !== "constructor" && name !== "toJSON")
    .map(([name]) => name);

interface State {
  type: Type;
  script: Script;
  values: Values;
  /** Results of this object alone. */
  own: Readonly<Record<string, unknown>>;
}
const states = new WeakMap<object, State>();

/** An object of a real class whose attributes are these values, and whose methods give what the test says. */
function make<T extends object>(type: Type, script: Script, values: Values, own: Readonly<Record<string, unknown>> = {}): T {
  const fake = Object.create(type.prototype) as T;
  const state = { type, script, values, own };
  states.set(fake, state);
  for (const [name, value] of Object.entries(values)) Object.defineProperty(fake, name, { value, enumerable: name !== "url", configurable: true });
  for (const name of methodsOf(type)) {
    const method = (...given: unknown[]): unknown => {
      const begun = async (): Promise<unknown> => {
        const options = noted(state, name, given);
        await judged(state, name, given, options);
        return answered(fake, state, name, given, options);
      };
      if (EACH.includes(name)) return each(begun);
      return NOW.includes(`${type.name}.${name}`) ? answered(fake, state, name, given, noted(state, name, given)) : begun();
    };
    Object.defineProperty(fake, name, { value: method, writable: true, configurable: true });
  }
  Object.defineProperty(fake, Symbol.dispose, { value: () => undefined, configurable: true });
  return fake;
}

async function* each(begun: () => unknown): AsyncGenerator<unknown, void, undefined> {
  yield* await begun() as Iterable<unknown> | AsyncIterable<unknown>;
}

/** The task that a call is about. */
function taskOf(values: Values, name: string, first: unknown): string | null {
  const id = name === "advance" ? (first as Partial<WaitState> | null | undefined)?.task_id : ["get", "forget"].includes(name) ? first : values["id"] ?? values["taskId"];
  return typeof id === "string" ? id : null;
}

/** Notes a call, unless its options are refused. Gives these. */
function noted({ type, script, values }: State, name: string, given: unknown[]): Values {
  const [at, names, phase] = OPTIONS[`${type.name}.${name}`] ?? [0, [], ""];
  const options = phase === "" ? {} : __options.take(given[at] as Values | undefined, names as never[], phase, taskOf(values, name, given[0])) as Values;
  if (name === "waitState") {
    let real: Task | undefined;
    try { real = script.real.videos.task(values["id"] as string); } catch { /* a fake may have any id */ }
    try { real?.waitState(options); } catch (refused) { if (isRefusal(refused)) throw refused; }
  }
  script.calls.push({ name, arguments: given });
  return options;
}

/** What stands for an argument that may be read once only, and for the name of a file: a folder, which nothing is saved as. */
const STANDS: Record<string, (given: unknown) => unknown> = {
  create: () => "x", generate: () => "x", estimate: () => "x", generateMany: () => [], asCompleted: () => [],
  save: (path) => (typeof path === "string" || path instanceof URL && path.protocol === "file:" ? "" : path),
};
/** Fakes of their own states, and those that call the real one. */
const NOT_JUDGED = ["advance", "checkSave", "video", "videoAt"];
/** How often other promises have their turn before a call counts as one that is not refused. A refusal waits for no timer. */
const TURNS = 50;
const isRefusal = (thrown: unknown): boolean => thrown instanceof JunFeiAIError && thrown.code === "invalid_request";

/** Refuses what the real method refuses before it sends anything; that is called with a signal which was raised before. In Node. */
async function judged({ type, script, values }: State, name: string, given: readonly unknown[], options: Values): Promise<void> {
  const [at, names] = OPTIONS[`${type.name}.${name}`] ?? [0, []];
  if (!__options.rangeOf || names.length === 0 || NOT_JUDGED.includes(name)) return;
  const { videos } = script.real;
  const asked = [...given];
  if (STANDS[name]) asked[0] = STANDS[name](given[0]);
  const kept = Object.entries(options).filter(([option]) => !/^on[A-Z]|ignal$/.test(option));
  asked[at] = { ...Object.fromEntries(kept), signal: AbortSignal.abort() };
  let ended: { error?: unknown } | undefined;
  const call = async (): Promise<unknown> => {
    let real: object = type === Client ? script.real : videos;
    try {
      if (type === Task) real = videos.task(values["id"] as string);
      if (type === Video) real = await (values["taskId"] === null ? videos.videoAt("https://media.example/") : videos.video(values["taskId"] as string));
    } catch {
      // A fake may have any id.
      return undefined;
    }
    const result = calling<unknown>(real, name, ...asked);
    return EACH.includes(name) ? (result as AsyncGenerator).next() : result;
  };
  void call().then(() => { ended = {}; }, (error: unknown) => { ended = { error }; });
  for (let turn = 0; turn < TURNS && !ended; turn += 1) await null;
  if (!isRefusal(ended?.error)) return;
  script.calls.splice(script.calls.findIndex((call) => call.arguments === given), 1);
  throw ended?.error;
}

/** The result of a call. */
function answered(fake: object, { type, script, values, own }: State, name: string, given: unknown[], options: Values): unknown {
  const phase = OPTIONS[`${type.name}.${name}`]?.[2];
  const taskId = taskOf(values, name, given[0]);
  const signal = options["signal"] as AbortSignal | undefined;
  if (signal?.aborted || phase === "create" && (options["stopSignal"] as AbortSignal | undefined)?.aborted) {
    throw error("cancelled", { phase, taskId, cause: signal?.reason });
  }
  const scripted = Object.hasOwn(own, name) ? own : script.results;
  if (!Object.hasOwn(scripted, name)) return (DEFAULTS[type.name]![name] as (self: object, script: Script, ...given: unknown[]) => unknown)(fake, script, ...given);
  let result = scripted[name];
  if (result instanceof InTurn) result = result.next(name);
  if (result instanceof Error) throw result;
  const value: unknown = typeof result === "function" ? (result as (...given: unknown[]) => unknown)(...given) : result;
  return value instanceof Promise ? value.then((one: unknown) => adopted(one, script)) : adopted(value, script);
}

/** What a test gave, as a part of this client: it notes its calls there. */
function adopted(value: unknown, script: Script): unknown {
  if (Array.isArray(value)) return value.map((one) => adopted(one, script));
  if (typeof value !== "object" || value === null) return value;
  const state = states.get(value);
  if (state) return make(state.type, script, state.values, state.own);
  const { video } = value as { video?: unknown };
  return video instanceof Video ? { ...value, video: adopted(video, script) } : value;
}

/** A call of another method of a fake. */
const calling = <T>(fake: object, name: string, ...given: unknown[]): T => (fake as Record<string, (...given: unknown[]) => T>)[name]!(...given);
const statusOf = (id: string, status: TaskStatus): Values => ({
  status, rawStatus: RAW[status], progress: PROGRESS[status] ?? null, videoURL: status === "succeeded" ? `https://media.example/${id}.mp4` : null,
  failReason: status === "failed" ? "the task failed" : null,
});
const taskValues = (id: string, status: TaskStatus, more: Values = {}): Values => ({
  id, ...statusOf(id, status), model: null, billedSeconds: null, chargedUnits: null, createdAt: null, startedAt: null, finishedAt: null, warnings: [],
  raw: null, reused: false, savedPath: null, ...more,
});
const videoValues = (taskId: string | null, url: string | null): Values => ({ taskId, url });
const isDone = ({ status }: Task): boolean => status === "succeeded" || status === "failed";

/** The task as its next poll sees it; a final status stays. */
function polled(task: Task, script: Script): Task {
  if (isDone(task)) return task;
  const count = script.polls.get(task.id) ?? 0;
  script.polls.set(task.id, count + 1);
  const { values, own } = states.get(task)!;
  return make<Task>(Task, script, { ...values, ...statusOf(task.id, script.statuses[Math.min(count, script.statuses.length - 1)]!) }, own);
}

function* toTheEnd(begun: Task, script: Script): Generator<Task, void, undefined> {
  for (let task = begun; ;) {
    task = polled(task, script);
    yield task;
    if (isDone(task)) return;
    if ((script.polls.get(task.id) ?? 0) >= script.statuses.length) throw error("wait_timeout", { taskId: task.id, lastStatus: task.status });
  }
}

function videoOf(task: Task, script: Script): Video {
  if (task.status === "failed") throw error("task_failed", { message: task.failReason ?? undefined, taskId: task.id });
  if (task.status !== "succeeded") throw error("not_ready", { taskId: task.id, lastStatus: task.status, transient: false });
  return make<Video>(Video, script, videoValues(task.id, task.videoURL));
}

/** An outcome of several. */
async function outcome<K>(key: K, script: Script, made: () => Promise<Task>, waiting: unknown): Promise<unknown> {
  try {
    return { ...key, video: await calling<Promise<Video>>(await made(), "wait", waiting), error: null };
  } catch (failed) {
    if (failed instanceof JunFeiAIError) return { ...key, video: null, error: failed };
    throw failed;
  }
}

/** Those of these options that are given. */
const only = (options: Values | null | undefined, ...names: string[]): Values =>
  Object.fromEntries(names.flatMap((name) => (options?.[name] === undefined || options[name] === null ? [] : [[name, options[name]]])));

type Tell = ((value: never) => unknown) | null | undefined;
type Default<F, T> = F extends (...values: infer A) => unknown ? (self: T, script: Script, ...given: A) => unknown : never;
type DefaultsOf<T> = { [N in keyof T as T[N] extends Method ? Exclude<N, symbol | "toJSON"> : never]-?: Default<T[N], T> };

const CLIENT: DefaultsOf<Client> = {
  check: () => ({ ok: true, version: "0.0.0", entries: [], steps: [], models: null, balance: null }),
  models: () => ["grok-image-video", "grok-video-1.5"],
  balance: (): Balance => ({ name: null, unlimited: false, availableUSD: 100, usedUSD: 0, expiresAt: null }),
};

const VIDEOS: DefaultsOf<Videos> = {
  async create(_, script, request) {
    await script.check(request);
    const { key, model } = typeof request === "object" ? request : {} as VideoRequest;
    const known = key === undefined ? undefined : script.byKey.get(key);
    if (known) {
      const { values, own } = states.get(known)!;
      return make<Task>(Task, script, { ...values, reused: true }, own);
    }
    script.created += 1;
    const task = make<Task>(Task, script, taskValues(`task_${script.created}`, "queued", { model: model ?? "grok-image-video" }));
    if (key !== undefined) script.byKey.set(key, task);
    return task;
  },
  checkSave: (_, script, path, options) => script.real.videos.checkSave(path, options),
  get: (self, script, id) => polled(self.task(id), script),
  // The real one refuses what cannot be an id.
  task: (_, script, id) => make<Task>(Task, script, taskValues(script.real.videos.task(id).id, "unknown")),
  advance: async (self, _, state) => ({ done: true, video: await self.task(state.task_id).wait(), state: null, retryAfterMs: null }),
  async generate(self, _, request, options) {
    const task = await self.create(request, only(options as Values, ...CREATE));
    await (options?.onProgress as Tell)?.(task as never);
    return task.wait(only(options as Values, ...WAIT, "onProgress"));
  },
  async *asCompleted(self, script, ids) {
    if (typeof ids === "string" || typeof (ids as Iterable<string> | undefined)?.[Symbol.iterator] !== "function") {
      throw __options.own("invalid_request", "wait", "the ids must be an array, or something else to iterate over", { field: "ids" });
    }
    for (const id of ids) yield outcome({ id }, script, () => Promise.resolve(self.task(id)), {});
  },
  async *generateMany(self, script, requests, options) {
    if (typeof requests === "string") throw __options.own("invalid_request", "create", "the requests must be an array, or something else to iterate over", { field: "requests" });
    const asked = [...requests];
    for (const request of asked) await script.check(request);
    for (const [index, request] of asked.entries()) {
      const tell = options?.onProgress;
      const made = async (): Promise<Task> => {
        const task = await self.create(request, only(options as Values, ...CREATE));
        await options?.onCreated?.({ index, taskId: task.id });
        await tell?.({ index, task });
        return task;
      };
      yield outcome({ index }, script, made, { ...only(options as Values, ...WAIT), ...(tell && { onProgress: (task: Task) => tell({ index, task }) }) });
    }
  },
  key(_, script, key): KeyRecord | null {
    const task = script.byKey.get(key);
    return task
      ? { key, attempt: 1, state: "created", taskId: task.id, intent: "intent-1", model: task.model ?? "", createdAt: new Date(0), path: null, bytes: null, chargedUnits: null }
      : null;
  },
  pending: () => [],
  forget: () => true,
  resolveUnknown: () => true,
  reconcile: () => ({ entries: [], retryAfterMs: null }),
  spending: () => [],
  async estimate(_, script, request): Promise<Estimate> {
    await script.check(request);
    return {
      units: null, usd: null, certainty: "unknown", unitsAtMost: null, billedSeconds: 4, pricePerSecond: null, sizeRatio: 1, group: null, groupRatio: null,
      notes: [],
    };
  },
  resumePending: () => [],
  async video(_, script, id, url) {
    const real = await script.real.videos.video(id, url);
    return make<Video>(Video, script, videoValues(real.taskId, real.url));
  },
  async videoAt(_, script, url) {
    const real = await script.real.videos.videoAt(url);
    return make<Video>(Video, script, videoValues(real.taskId, real.url));
  },
};

const TASK: DefaultsOf<Task> = {
  refresh: (self, script) => polled(self, script),
  async wait(self, script, options) {
    let last = self;
    for (last of toTheEnd(self, script)) await options?.onProgress?.(last);
    return videoOf(last, script);
  },
  waitState: (self) => ({ task_id: self.id }),
  watch: (self, script) => toTheEnd(self, script),
  video: (self, script) => videoOf(self, script),
};

const VIDEO: DefaultsOf<Video> = {
  async bytes(_, { content }, options) {
    await options?.onProgress?.({ bytes: content.length, total: content.length });
    return content.slice();
  },
  blob: async (self, _, options) => new Blob([await self.bytes(options)], { type: "video/mp4" }),
  arrayBuffer: async (self, _, options) => (await self.bytes(options)).buffer,
  stream: (_, { content }) => new ReadableStream<Uint8Array>({ start(controller) { controller.enqueue(content.slice()); controller.close(); } }),
  readRange: (_, { content }, start, end) => content.slice(start, end),
  open({ taskId }, { content }) {
    if (!__options.readerOf) throw __options.own("config", "content", "there is no seekable reader here: give a result for open, or run the test in Node", { taskId });
    return __options.readerOf(content.slice(), taskId);
  },
  // Whoever asks for a range may be given everything.
  response: (_, { content }) => new Response(content.slice(), { status: 200, headers: { "Content-Type": "video/mp4", "Content-Length": String(content.length) } }),
  async save(self, { content }, path, options) {
    const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
    if (!process?.getBuiltinModule) throw __options.own("io", "save", "there are no files here: give a result for save, or run the test in Node 20.16 or later", { taskId: self.taskId });
    const fs = process.getBuiltinModule("node:fs") as typeof import("node:fs");
    const { dirname } = process.getBuiltinModule("node:path") as typeof import("node:path");
    const { fileURLToPath } = process.getBuiltinModule("node:url") as typeof import("node:url");
    const file = typeof path === "string" ? path : fileURLToPath(path);
    try {
      if (options?.createParents) fs.mkdirSync(dirname(file), { recursive: true });
      fs.writeFileSync(file, content, { flag: options?.overwrite ? "w" : "wx" });
    } catch (cause) {
      throw error((cause as { code?: unknown }).code === "EEXIST" ? "file_exists" : "io", { message: (cause as Error).message, taskId: self.taskId, cause });
    }
    await options?.onProgress?.({ bytes: content.length, total: content.length } satisfies Progress);
    const { createHash } = process.getBuiltinModule("node:crypto") as typeof import("node:crypto");
    return summary({ path: file, bytes: content.length, sha256: options?.sha256 ? createHash("sha256").update(content).digest("hex") : null });
  },
  playbackURL: (self) => self.url ?? `https://media.example/${self.taskId ?? "video"}.mp4`,
};

const DEFAULTS: Record<string, Record<string, unknown>> = { Client: CLIENT, Videos: VIDEOS, Task: TASK, Video: VIDEO };

// --- What tests make ------------------------------------------------------------------------------------------------------

/** What a fake client has besides what a client has. */
export interface Recorded {
  /** Every call of the client and of the tasks and videos that came from it, in order. */
  readonly calls: readonly Call[];
  /** The arguments of each call of this method. */
  called(name: keyof Results): (readonly unknown[])[];
}

/** A client that sends nothing: each method gives its result of `results`, or behaves as if everything succeeds. */
export function fakeClient(results: Results = {}, options: FakeOptions = {}): Client & Recorded {
  const script = new Script(results as Record<string, unknown>, options);
  const videos = make<Videos>(Videos, script, {});
  const client = make<Client>(Client, script, { endpoint: "https://api.example/v1", videos });
  Object.defineProperty(client, "toJSON", { value: () => ({ endpoint: "https://api.example/v1" }), configurable: true });
  return recorded(client, script);
}

/** The `videos` of a fake client, for code that takes these: `fakeVideos({ wait: error("task_failed") })`. */
export function fakeVideos(results: Results = {}, options: FakeOptions = {}): Videos & Recorded {
  const script = new Script(results as Record<string, unknown>, options);
  return recorded(make<Videos>(Videos, script, {}), script);
}

function recorded<T extends object>(fake: T, script: Script): T & Recorded {
  const called = (name: string): (readonly unknown[])[] => script.calls.filter((call) => call.name === name).map((call) => call.arguments);
  return Object.defineProperties(fake, { calls: { value: script.calls }, called: { value: called } }) as T & Recorded;
}

/** Attributes of a fake task. */
export type TaskValues = { -readonly [N in keyof Task as Task[N] extends Method ? never : Exclude<N, symbol>]?: Task[N] | undefined };
/** Attributes of a fake video. */
export type VideoValues = { -readonly [N in keyof Video as Video[N] extends Method ? never : Exclude<N, symbol>]?: Video[N] | undefined };

function checked(values: object, known: Values, what: string, of = "attribute"): Values {
  const wrong = Object.keys(values).find((name) => !Object.hasOwn(known, name));
  if (wrong !== undefined) throw new TypeError(`a ${what} has no ${of} ${wrong}; there are ${Object.keys(known).join(", ")}`);
  return { ...known, ...Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) };
}

/** A task: `fakeTask({ status: "failed", failReason: "no such thing" })`, with results for its methods. */
export function fakeTask(values: TaskValues = {}, results: Results = {}, options: FakeOptions = {}): Task {
  const own = results as Record<string, unknown>;
  const { id = "task_1", status = "queued" } = objectOf(values, "the attributes of a task");
  if (typeof id !== "string") throw new TypeError("id of a task must be a string");
  if (!isStatus(status)) throw new TypeError(`status of a task must be one of ${Object.keys(RAW).join(", ")}; not ${said(status)}`);
  return make<Task>(Task, new Script(own, options), checked(values, taskValues(id, status), "task"), own);
}

/** A video: `fakeVideo({ taskId: "task_7" }, { save: error("no_space") })`. */
export function fakeVideo(values: VideoValues = {}, results: Results = {}, options: FakeOptions = {}): Video {
  const own = results as Record<string, unknown>;
  const { taskId: id = "task_1", url } = objectOf(values, "the attributes of a video");
  for (const [name, value] of [["taskId", id], ["url", url]] as const) {
    if (value !== undefined && value !== null && typeof value !== "string") throw new TypeError(`${name} of a video must be a string or null`);
  }
  return make<Video>(Video, new Script(own, options), checked(values, videoValues(id, `https://media.example/${id ?? "video"}.mp4`), "video"), own);
}

/** The result of `save`: `summary({ path: "ball.mp4", bytes: 1000 })`. */
export const summary = (values: Partial<Summary> = {}): Summary => checked(objectOf(values, "the attributes of a summary"), {
  path: "video.mp4", bytes: CONTENT.length, durationMs: 6000, width: 1280, height: 720, resumed: false, attempts: 1, elapsedMs: 0, sha256: null, chargedUnits: null,
}, "summary") as unknown as Summary;

export { ready };
