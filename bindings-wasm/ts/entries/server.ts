/**
 * Keeps the key off the page: a handler for your backend that takes the calls of a client without a key, asks you
 * whether they are allowed, and carries them out with the key.
 *
 * @module junfeiai/server
 */
import { Client, __options, type ClientOptions, type Task, type Video } from "#main";
import { Creates, journalKey, type Carried } from "../server/answer-once.js";
import { answering } from "../server/node-adapter.js";
import { NOT_ALLOWED, created, failure, isLibraryError, notSent, outcomeUnknown, queried, refusal } from "../server/responses.js";
import { readRequest, routeOf, type ProxyCall } from "../server/routing.js";

export { toNodeHandler } from "../server/node-adapter.js";
export type { ProxyCall } from "../server/routing.js";

/** Where something went wrong. */
export interface ProxyFailure {
  /** The page's HTTP request. Its body is read already. */
  request: Request;
  /** The task that it was about, where there is one: after `onCreated` failed, the one that was created. */
  taskId: string | null;
}

export interface ProxyOptions extends ClientOptions {
  /**
   * Whether this call may be made: `true`, `false` (403), or a custom `Response`. Every create request costs money, so
   * check who asks. `() => true` allows everybody. In place of a create request the page receives a `Response` that it could take for
   * an unknown outcome (2xx, 3xx, 408, 5xx) as a refusal in JSON, with its text, its headers and its status; 403 for one below 400.
   */
  allow: (call: ProxyCall) => boolean | Response | Promise<boolean | Response>;
  /**
   * The path that the handler is mounted at, as the page sees it. Default: whatever comes before `/video/generations` and
   * `/videos/…`.
   */
  basePath?: string | undefined;
  /**
   * Called with each task that was created, to note whose it is. When it throws, the page receives a 500 that names the task. With a
   * journal it may be called again for a task that a repeated request found (`task.reused`).
   */
  onCreated?: ((task: Task, call: ProxyCall) => void | Promise<void>) | undefined;
  /**
   * Called with everything that goes wrong: errors of the service, what `allow` and `onCreated` throw, a video that breaks off. The page
   * is told no more than it may know. Default: `console.warn` for what is not an error of the service, and for what may have been paid for.
   */
  onError?: ((error: unknown, failure: ProxyFailure) => void | Promise<void>) | undefined;
}

/** What a platform gives beside a request. */
export interface ProxyContext {
  /** Keeps the platform from ending what the request has begun when its page goes away: Cloudflare Workers, and others like it. */
  waitUntil?(promise: Promise<unknown>): void;
}

/** `context`: on Cloudflare Workers the third argument of `fetch`. Whatever else a framework gives beside a request is passed over. */
export type ProxyHandler = (request: Request, context?: ProxyContext | object | null) => Promise<Response>;

const KNOWN_VIDEOS = 256;
const OWN = ["allow", "basePath", "onCreated", "onError"] as const;

/** Whether the page has gone away. A request of another library may have no signal. */
function isGone(request: Request): boolean {
  try {
    return request.signal.aborted;
  } catch {
    return false;
  }
}

/** Says to the platform that something is to be ended although the page goes away. */
function keep(context: ProxyContext | null | undefined, work: Promise<unknown>): void {
  // It may be anything, and a request is not refused for it.
  try { context?.waitUntil?.(work.catch(() => undefined)); } catch { /* see above */ }
}

/** A standard `Request → Response` handler. Mount it at a path, and give pages that path as `baseURL`. */
export function createProxyHandler(options: ProxyOptions): ProxyHandler {
  const { allow, basePath, onCreated, onError, ...clientOptions } = __options.take(options, [...OWN, ...__options.CLIENT], "config");
  const refuse = (field: string, message: string): Error => __options.own("config", "config", message, { field });
  if (typeof allow !== "function") throw refuse("allow", "createProxyHandler needs allow: a function that says who may spend your money");
  for (const [name, callback] of Object.entries({ onCreated, onError })) {
    if (callback !== undefined && typeof callback !== "function") throw refuse(name, `${name} must be a function`);
  }
  if (basePath !== undefined && (typeof basePath !== "string" || !/^(\/|$)/.test(basePath))) {
    throw refuse("basePath", "basePath must be a path that begins with a slash, such as \"/api/junfeiai\"");
  }
  // As requests have it: without what a browser escapes or leaves out.
  const base = basePath === undefined ? undefined : new URL(`http://x${basePath}`).pathname;
  const client = new Client(clientOptions as ClientOptions);
  const keepsJournal = ((clientOptions as ClientOptions).journal ?? null) !== null;
  // A video remembers its address and length: a player comes back for the next part at once.
  const videos = new Map<string, Promise<Video>>();
  const videoOf = (id: string): Promise<Video> => {
    let video = videos.get(id);
    if (!video) {
      video = client.videos.video(id);
      videos.set(id, video);
      video.catch(() => videos.delete(id));
      const oldest = videos.keys().next();
      if (videos.size > KNOWN_VIDEOS && !oldest.done) videos.delete(oldest.value);
    }
    return video;
  };
  /** Whatever the callback does, the page gets its response. */
  const report = (error: unknown, request: Request, taskId: string | null, mayBePaid = false): void => {
    // A page that goes away ends what was carried out for it: nothing went wrong. What may be paid for is told in any case.
    if (!mayBePaid && isGone(request)) return;
    if (!onError) {
      if (mayBePaid || !isLibraryError(error)) console.warn(`junfeiai: the proxy failed${taskId === null ? "" : ` with the task ${taskId}`}:`, error);
      return;
    }
    void (async () => { await onError(error, { request, taskId }); })().catch((failed: unknown) => { console.warn("junfeiai: onError failed:", failed); });
  };
  /** What `allow` throws is no error of the call, whatever it is: nothing was asked of the service. */
  const refusedBy = async (call: ProxyCall): Promise<Response | null> => {
    try {
      const verdict = await allow(call);
      // A program may give the same one each time, whose body can be sent once.
      if (verdict instanceof Response) return call.kind === "create" ? await notSent(verdict.clone()) : verdict.clone();
      return verdict === true ? null : refusal(403, "forbidden", NOT_ALLOWED);
    } catch (error) {
      report(error, call.request, call.taskId);
      return failure(undefined);
    }
  };
  const creates = new Creates((clientOptions as ClientOptions).createTimeoutMs ?? undefined);
  const create = async (call: ProxyCall): Promise<Carried> => {
    let task: Task | undefined;
    try {
      const refused = await refusedBy(call);
      if (refused) return { response: refused, mayExist: false };
      const order = call.order ?? { prompt: "" };
      const name = call.request.headers.get("Idempotency-Key");
      // The journal knows the request of before in whichever process it was made.
      if (keepsJournal && name !== null && order.key === undefined) order.key = await journalKey(name);
      // Not with the page's signal: the service finishes, and charges, although the page is closed.
      task = await client.videos.create(order);
      await onCreated?.(task, call);
      return { response: created(task), mayExist: true };
    } catch (error) {
      // Another process has claimed the name, and is sending or has died of it: nothing was sent here, but a task may exist. A later request
      // asks the journal again.
      if (!task && isLibraryError(error) && error.code === "timeout" && error.field === "key") {
        report(error, call.request, null, true);
        return { response: outcomeUnknown("another process has not ended this create request"), mayExist: false };
      }
      const id = task?.id ?? (isLibraryError(error) ? error.taskId : null);
      // Another request has the name, and its task: of this one there is nothing.
      const isTaken = !task && isLibraryError(error) && error.code === "idempotency_conflict";
      const mayExist = !isTaken && (id !== null || (isLibraryError(error) && error.maybeExecuted));
      report(error, call.request, id, mayExist);
      return { response: failure(error, mayExist ? { task_id: id } : undefined), mayExist };
    }
  };
  const handler: ProxyHandler = async (request, context) => {
    let id: string | null = null;
    try {
      const route = routeOf(new URL(request.url).pathname, base);
      if (!route) return refusal(404, "not_found", "this path is not one of the proxy's");
      id = route.taskId;
      const method = route.kind === "create" ? "POST" : "GET";
      if (request.method !== method) return refusal(405, "method_not_allowed", `${method} only`, { Allow: method });
      if (route.kind === "create") {
        const order = await readRequest(request);
        if (order instanceof Response) return order;
        return await creates.once(request.headers.get("Idempotency-Key"), order, () => {
          const carried = create({ ...route, order, request });
          keep(context, carried);
          return carried;
        });
      }
      const call: ProxyCall = { ...route, order: null, request };
      const refused = await refusedBy(call);
      if (refused) return refused;
      if (call.kind === "query") return queried(await client.videos.get(id ?? "", { signal: request.signal }));
      return await (await videoOf(id ?? "")).response(request, { signal: request.signal });
    } catch (error) {
      report(error, request, id);
      return failure(error);
    }
  };
  answering.set(handler, report);
  return handler;
}
