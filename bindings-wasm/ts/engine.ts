/**
 * The WebAssembly module: loaded at first use, and started over after a panic.
 *
 * A panic stops the module in whatever it was doing, so every call that waits for it is rejected, the module gets fresh
 * memory, and clients are made anew in it: the next call works.
 *
 * A page loads it in parts: what creates and waits at once, what reads a video with the first read, and the rest with the first call
 * that needs it. All work on one memory, so they are one module with one state.
 *
 * A page whose client keeps a journal has another module, in one part: it takes the place of this one. What was begun before continues
 * in the one that it was begun in.
 */
import {
  RawClient, RawTracker, __wbg_has, __wbg_more, __wbg_reset_state, imageOf, default as init, initSync, onPanic, ownError,
} from "#glue";
import { JunFeiAIError, internal, ofTask, toError } from "./errors.js";
import { setMicrotask } from "./microtask.js";
import type { RawRecord } from "./raw.js";

/** A `WebAssembly.Module`, where the program's types know it: `lib: ["ES2022"]` does not. */
type Compiled = typeof globalThis extends { WebAssembly: { Module: { prototype: infer M } } } ? M : object;

/** What a loader may give: compiled or raw WebAssembly, or the response that brings it. */
export type WasmSource = Compiled | ArrayBuffer | ArrayBufferView | Response | Promise<Response>;

/** A part that is loaded when it is needed. `more` needs `read`. */
export type WasmPart = "read" | "more";

const first = { RawClient, RawTracker, __wbg_reset_state, imageOf, init, onPanic, ownError };
/** What is called of a module. @internal */
export type Glue = typeof first;
/** The module that new work begins in. @internal */
export let glue: Glue = first;
/** Whether a file may come from the browser's cache. */
type Cache = "default" | "reload";
/** Brings the module that takes its place before the next call. */
let next: (() => Promise<readonly [Glue, (cache: Cache) => Promise<WasmSource>]>) | undefined;

let load: ((cache: Cache) => Promise<WasmSource>) | undefined;
let loadNow: (() => Compiled | ArrayBufferView | undefined) | undefined;
let loadPart: ((part: WasmPart, cache: Cache) => Promise<WasmSource>) | undefined;
const loadingParts = new Map<WasmPart, Promise<void>>();
let loading: Promise<void> | undefined;
let replacing: Promise<void> | undefined;
let loaded = false;
let generation = 0;
let lastWords: string | undefined;

/** What is known of a call, for the error that ends it: the task or tasks, and whether a create may have been carried out. */
export type About = () => Pick<RawRecord, "task_id" | "maybe_executed"> & { task_ids?: string[] };
const waiting = new Map<(error: Error) => void, About | undefined>();

/** Each entry point sets how the wasm file is loaded. */
export function setLoader(how: { later?: typeof load; now?: typeof loadNow; part?: typeof loadPart }): void {
  load = how.later;
  loadNow = how.now;
  loadPart = how.part;
}

/** Sets what takes the first module's place before the next call. @internal */
export function setNext(how: NonNullable<typeof next>): void {
  if (glue === first) next = how;
}

/** Loads the module unless it is loaded. */
export function ready(source?: WasmSource | URL | string): Promise<void> {
  if (next) return replacing ??= replace(next).finally(() => { replacing = undefined; });
  if (loaded) return Promise.resolve();
  loading ??= start(source).catch((error: unknown) => {
    // The next call tries again: the network may be back.
    loading = undefined;
    throw error;
  });
  return loading;
}

/** Loads it for a client. One without a journal continues in the module that there is, where that of a journal cannot be loaded. */
export function readyFor(journal: boolean): Promise<void> {
  const loading = ready();
  return journal || !loaded || !next ? loading : loading.catch(() => undefined);
}

async function start(source?: WasmSource | URL | string): Promise<void> {
  const given = source ?? undefined;
  if (given === undefined && tryNow()) return;
  if (given === undefined && !load) {
    throw noWasm("the wasm file is not loaded; with junfeiai/slim, call await ready(source) first");
  }
  try {
    await (given === undefined ? ofThisBuild(async (cache) => compile(glue, await load?.(cache))) : compile(glue, given));
  } catch (error) {
    throw notReady(error);
  }
  begin();
}

async function replace(how: NonNullable<typeof next>): Promise<void> {
  // One that is being loaded would take the place back.
  await loading?.catch(() => undefined);
  try {
    const [other, later] = await how();
    await ofThisBuild(async (cache) => compile(other, await later(cache)));
    [glue, load, next] = [other, later, undefined];
  } catch (error) {
    throw notReady(error);
  }
  begin();
}

const compile = ({ init }: Glue, from: unknown): Promise<unknown> => init({ module_or_path: from as never });

/** A server or a cache may give the file of another build: it is asked for once more, past the cache. */
async function ofThisBuild(bring: (cache: Cache) => Promise<unknown>): Promise<void> {
  try {
    await bring("default");
  } catch (error) {
    if (!isOther(error)) throw error;
    await bring("reload");
  }
}

const isOther = (error: unknown): boolean => typeof WebAssembly !== "undefined" && error instanceof WebAssembly.LinkError;

const noWasm = (message: string, cause?: unknown, task_id: string | null = null): JunFeiAIError =>
  new JunFeiAIError({ kind: "config", number: 10, phase: "config", field: "wasm", message, text: message, task_id }, cause);

/** What compiling ended with, or what to do where that is forbidden: by a policy, in a browser's lockdown mode, by Node's `--jitless`. */
function allowed(error: unknown): unknown {
  if (typeof WebAssembly !== "undefined" && !/Content.Security.Policy|unsafe-eval|CSP|by embedder/.test(String(error))) return error;
  return noWasm("WebAssembly is forbidden here: leave lockdown mode (--jitless), or add 'wasm-unsafe-eval' to script-src of the Content-Security-Policy", error);
}

const OTHER_BUILD = "is of another build than the page's: load the page again, and serve the files of one version of the package";

/** What loading the module ended with, as an error of this library. */
function notReady(cause: unknown): unknown {
  const known = allowed(cause);
  if (known instanceof JunFeiAIError) return known;
  return noWasm(isOther(cause)
    ? `the wasm file ${OTHER_BUILD}`
    : `the wasm file could not be loaded (${wordsOf(cause)}): call again or load the page again, and serve the package's files as they are`, cause);
}

/** What an error says, in one line. */
const wordsOf = (error: unknown): string => String((error as Partial<Error> | null | undefined)?.message ?? error).replaceAll(/\s+/g, " ");

/** Loads the module at once where that is possible; true when it is loaded, and no other is to take its place. */
export function tryNow(): boolean {
  if (!loaded && loadNow) {
    const module = loadNow();
    if (module === undefined) return false;
    try {
      initSync({ module: module as never });
    } catch (error) {
      throw notReady(error);
    }
    begin();
  }
  return loaded && !next;
}

/** Refuses what returns at once in a page that has not loaded the module yet. */
export function needLoaded(): void {
  if (!loaded && !tryNow()) throw noWasm("the module is not loaded yet: call await ready() first");
}

function begin(): void {
  loaded = true;
  glue.onPanic((text: string) => { lastWords = text; });
}

/** Whether the module is there, with this part of it. */
export const has = (part?: WasmPart): boolean => tryNow() && (part === undefined || __wbg_has(part));

/** Loads the module, and this part of it unless it is there. `about` is what an error says beside. */
export async function having(part: WasmPart, about?: About, journal = true): Promise<void> {
  await (part === "more" ? having("read", about, journal) : readyFor(journal));
  // The module that takes its place has all, but what was begun in the first one may be read.
  if (__wbg_has(part)) return;
  let loading = loadingParts.get(part);
  if (!loading) {
    // The next call tries again.
    loading = add(part).finally(() => loadingParts.delete(part));
    loadingParts.set(part, loading);
  }
  try {
    await loading;
  } catch (error) {
    throw error instanceof JunFeiAIError ? error : notLoaded(part, error, about?.().task_id);
  }
}

const add = (part: WasmPart): Promise<void> => ofThisBuild(async (cache) => __wbg_more(await loadPart?.(part, cache)));

function notLoaded(part: WasmPart, cause: unknown, taskId: string | null | undefined): unknown {
  if (allowed(cause) !== cause) return allowed(cause);
  const file = `junfeiai-page-${part}.wasm, a part of the library,`;
  const message = !loadPart
    ? `${file} is not loaded: give ready() the whole junfeiai.wasm`
    : isOther(cause)
      ? `${file} ${OTHER_BUILD}`
      : `${file} could not be loaded (${wordsOf(cause)}): call again, and serve it beside junfeiai-page.wasm`;
  return noWasm(message, cause, taskId);
}

/** Counts the restarts of the module: what was made before the last one is gone. */
export function life(): number {
  return generation;
}

/** Are called when a panic has stopped the module. @internal */
export const stopped = new Set<() => void>();

function crashed(thrown: unknown): Error {
  const text = lastWords ?? String(thrown);
  lastWords = undefined;
  generation += 1;
  const message = `a defect of the library stopped it (${text}); it starts over with the next call`;
  for (const [refuse, about] of waiting) refuse(internal(message, about?.()));
  waiting.clear();
  for (const tell of stopped) tell();
  try {
    glue.__wbg_reset_state();
    begin();
  } catch {
    loaded = false;
    loading = undefined;
  }
  return internal(message);
}

const isCrash = (thrown: unknown): boolean => lastWords !== undefined || thrown instanceof WebAssembly.RuntimeError;

/** A call into the loaded module that returns at once. */
export function call<T>(work: () => T, about?: About): T {
  try {
    return work();
  } catch (thrown) {
    // What was made before the module was started over: the glue says so.
    const stale = (thrown as Partial<Error> | null | undefined)?.message === "a stale object";
    const error = isCrash(thrown) ? crashed(thrown) : stale ? internal("a defect of the library stopped what this belongs to", about?.()) : toError(thrown);
    throw ofTask(error, about?.().task_id);
  }
}

/** A call into the module that ends later. */
export async function run<T>(work: () => Promise<T>, signal?: AbortSignal | null, about?: About): Promise<T> {
  // What was begun continues, although another module is to come.
  if (!loaded) await ready();
  let end = (): void => undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      end = () => { waiting.delete(reject); };
      waiting.set(reject, about);
      call(work).then(resolve, reject);
    });
  } catch (thrown) {
    const aborted = signal?.aborted && (thrown as RawRecord | null | undefined)?.kind === "cancelled";
    throw ofTask(toError(thrown, aborted ? signal.reason : undefined), about?.().task_id);
  } finally {
    end();
  }
}

/** In place of `queueMicrotask` in the glue: a panic in there would end a Node process. */
setMicrotask((work) => {
  const life = generation;
  queueMicrotask(() => {
    // Work from before a restart is dropped.
    if (life !== generation) return;
    try {
      work();
    } catch (thrown) {
      crashed(thrown);
    }
  });
});
