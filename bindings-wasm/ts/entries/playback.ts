/**
 * Playing and seeking in a `<video>` element: a service worker answers addresses of the page's own origin with the bytes
 * of the service, and adds the key for trusted hosts. The key lives in the worker's memory; when the worker was stopped, it
 * asks the page for it again.
 *
 * @module junfeiai/playback
 */
import type { Client } from "./browser.js";
import { JunFeiAIError, Video, __options, playbackOf } from "#main";
import type { PlaybackMode } from "../playback-of.js";

export type { PlaybackMode };

export interface PlaybackOptions {
  /** Where the page's server has `junfeiai/playback-worker.js`. Default `/junfeiai-playback-worker.js`. */
  worker?: string | URL | undefined;
  /** The part of the site that the worker is for. It holds the page. Default: the worker's folder. */
  scope?: string | undefined;
}

export interface Playback {
  /** `worker`: plays and seeks through the service worker. `direct`: plays from your server. `blob`: loads it first. */
  readonly mode: PlaybackMode;
  /** Why it is not the worker. */
  readonly reason: string | null;
  /** A URL for `<video src>`; the same as `video.playbackURL()`. */
  url(video: Video, options?: { signal?: AbortSignal | null }): Promise<string>;
  /** Frees a URL of the mode `blob`, and makes the worker forget the video. */
  release(url: string): void;
}

interface Known {
  client: Record<string, unknown>;
  taskId: string | null;
  url: string | null;
}

/**
 * Makes `video.playbackURL()` of this client's videos play and seek. Fails for wrong options only, with the code `config`: a worker of
 * another origin, or one whose scope does not hold the page. Where there is no worker, `mode` and `reason` say so.
 */
export async function registerPlayback(client: Client, options: PlaybackOptions = {}): Promise<Playback> {
  const { worker, scope } = __options.take(options, ["worker", "scope"], "config");
  const given = { worker: placeOf("worker", worker), scope: placeOf("scope", scope) };
  const inner = playbackOf(client);
  await inner.ready();
  let playback: Playback;
  if (inner.keyless) {
    // A video that is known by its address alone is none of the server's paths.
    playback = simple("direct", "the client has no key: what stands in front of the service plays as it is", (video, signal) =>
      (video.taskId ? inner.direct(video) : inMemory(video, signal)));
  } else {
    try {
      playback = await start(given, inner.options);
    } catch (error) {
      if (error instanceof JunFeiAIError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      playback = simple("blob", reason, inMemory);
    }
  }
  inner.set({ mode: playback.mode, url: (video, signal) => playback.url(video as Video, signal === undefined ? {} : { signal }) });
  return playback;
}

const inMemory = async (video: Video, signal?: AbortSignal | null): Promise<string> => URL.createObjectURL(await video.blob({ signal }));

function simple(
  mode: PlaybackMode, reason: string, url: (video: Video, signal?: AbortSignal | null) => Promise<string>,
): Playback {
  return {
    mode,
    reason,
    url: async (video, options) => url(videoOf(video), signalOf(options)),
    release: (address) => { if (textOf(address).startsWith("blob:")) URL.revokeObjectURL(address); },
  };
}

const refuse = (field: string, message: string): Error => __options.own("invalid_request", "content", message, { field });

/** What is no video would be an address that never plays. */
function videoOf(given: unknown): Video {
  try {
    if (given instanceof Video) return given;
  } catch { /* what cannot be looked at is none */ }
  throw refuse("video", "video must be a Video, such as wait() gives");
}

function textOf(url: unknown): string {
  if (typeof url === "string") return url;
  throw refuse("url", "url must be a string that url() gave");
}

const signalOf = (options: { signal?: AbortSignal | null } | undefined): AbortSignal | null | undefined =>
  __options.take(options, ["signal"], "content").signal;

async function start(options: Places, client: Record<string, unknown>): Promise<Playback> {
  const container = (globalThis.navigator as Navigator | undefined)?.serviceWorker;
  if (!container) {
    throw new Error(globalThis.isSecureContext === false
      ? "service workers need https (or this machine)" : "this browser has no service workers here");
  }
  const { script, scope, folder } = placesOf(options);
  const registration = await container.register(script, { updateViaCache: "none", scope }).catch((error: unknown) => {
    // Browsers say it in their own words, the same as for a page that may keep nothing.
    if (scope.startsWith(folder) || (error as Partial<Error>).name !== "SecurityError") throw error;
    const { pathname } = new URL(scope);
    throw wrong("scope", `a service worker at ${script} may serve ${folder} only: put it higher, or send it with the header Service-Worker-Allowed: ${pathname}`, error);
  });
  const known = new Map<string, Known>();
  container.addEventListener("message", (event: MessageEvent) => {
    const data = event.data as { junfeiai?: string; id?: string } | null;
    // Only the page's worker may ask: messages of this container come from no other sender.
    if (data?.junfeiai === "awake") container.controller?.postMessage({ junfeiai: "awake" });
    if (data?.junfeiai !== "who" || !data.id) return;
    const found = known.get(data.id);
    if (found) event.ports[0]?.postMessage(found);
  });
  container.startMessages();
  const worker = await active(registration, script);
  // Another worker of the site would answer in its place.
  const nearest = await container.getRegistration();
  if (nearest && nearest.scope !== registration.scope) {
    throw new Error(`this page belongs to the service worker of ${nearest.scope}: set scope to a folder that holds the page and is nearer to it`);
  }
  // A page that was loaded before the worker (or with shift-reload) is not controlled by it until it is claimed, nor is one whose worker
  // was another one until now.
  const controls = (): boolean => container.controller?.scriptURL === worker?.scriptURL;
  if (!controls()) {
    let heard = (): void => undefined;
    const claimed = new Promise<void>((resolve) => { heard = () => { if (controls()) resolve(); }; });
    container.addEventListener("controllerchange", heard);
    registration.active?.postMessage({ junfeiai: "claim" });
    await Promise.race([claimed, late(5000, "the worker did not take over this page")]).finally(() => { container.removeEventListener("controllerchange", heard); });
  }
  return {
    mode: "worker",
    reason: null,
    async url(video, options) {
      const { taskId, url } = videoOf(video);
      signalOf(options);
      const id = crypto.randomUUID();
      known.set(id, { client, taskId, url });
      const name = encodeURIComponent(taskId ?? "video");
      return new URL(`junfeiai-playback/${id}/${name}.mp4`, registration.scope).href;
    },
    release(address) {
      const id = textOf(address).split("/junfeiai-playback/")[1]?.split("/")[0];
      if (id && known.delete(id)) container.controller?.postMessage({ junfeiai: "forget", id });
    },
  };
}

/** The options as texts. */
interface Places { worker: string | undefined; scope: string | undefined }

function placeOf(field: string, given: unknown): string | undefined {
  if (given === undefined || given === null || typeof given === "string") return given ?? undefined;
  try {
    if (given instanceof URL) return given.href;
  } catch { /* what cannot be looked at is none */ }
  throw wrong(field, `${field} must be a string or a URL`);
}

/** The worker's file and its part of the site, where the browser would take them, or the page would get nothing of them. */
function placesOf({ worker = "/junfeiai-playback-worker.js", scope: given }: Places): { script: string; scope: string; folder: string } {
  const { href, origin, protocol } = location;
  if (!protocol.startsWith("http")) throw new Error("service workers need a page of http or https");
  const absolute = (field: string, value: string): URL => {
    try {
      return new URL(value, href);
    } catch (error) {
      throw wrong(field, `${field} is not a URL`, error);
    }
  };
  const script = absolute("worker", worker);
  if (script.origin !== origin) throw wrong("worker", `the service worker's file must be on the page's own origin ${origin}, not ${script.origin}`);
  const folder = new URL(".", script).href;
  const scope = given === undefined ? folder : absolute("scope", given).href;
  if (!href.startsWith(scope)) {
    const next = given === undefined ? "put its file higher, for example at the root of the site" : "set scope to a folder that holds the page";
    throw wrong(given === undefined ? "worker" : "scope", `the service worker's scope ${scope} does not hold this page: ${next}`);
  }
  return { script: script.href, scope, folder };
}

function wrong(field: string, message: string, cause?: unknown): JunFeiAIError {
  return new JunFeiAIError({ kind: "config", number: 10, phase: "config", field, message, text: message }, cause);
}

async function active({ active, waiting, installing }: ServiceWorkerRegistration, script: string): Promise<ServiceWorker | null> {
  // What is active may be the worker in whose place it comes.
  const worker = [active, waiting, installing].find((each) => each?.scriptURL === script) ?? active ?? waiting ?? installing;
  if (!worker || worker.state === "activated") return worker;
  const done = new Promise<void>((resolve, reject) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("the worker could not be installed"));
    });
  });
  await Promise.race([done, late(15_000, "the worker was not ready in time")]);
  return worker;
}

function late(ms: number, text: string): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => { reject(new Error(text)); }, ms));
}
