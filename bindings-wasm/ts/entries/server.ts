/**
 * Keeps the key off the page: a handler for your backend that takes the calls of a client without a key, asks you
 * whether they are allowed, and carries them out with the key.
 */
import { Client, JunFeiAIError, __options, type ClientOptions, type Task, type Video, type VideoRequest } from "#main";

/** What a page asks for. */
export interface ProxyCall {
  kind: "create" | "query" | "content";
  /** The task that is meant; `null` for a create. */
  taskId: string | null;
  /** The request of a create. Change it to narrow it, for example to one model or fewer seconds. */
  order: VideoRequest | null;
  /** The page's HTTP request, with its cookies. Its body is read already. */
  request: Request;
}

export interface ProxyOptions extends ClientOptions {
  /**
   * Whether this call may be made: `true`, `false` (403), or a custom `Response`. Every create request costs money, so
   * check who asks. `() => true` allows everybody.
   */
  allow: (call: ProxyCall) => boolean | Response | Promise<boolean | Response>;
  /** The path that the handler is mounted at. Default: whatever comes before `/video/generations` and `/videos/…`. */
  basePath?: string | undefined;
  /** Called with each task that was created, to note whose it is. When it throws, the page receives a 500 that names the task. */
  onCreated?: ((task: Task, call: ProxyCall) => void | Promise<void>) | undefined;
}

export type ProxyHandler = (request: Request) => Promise<Response>;

/** Images are sent inside the request, a third larger than they are. */
const LARGEST_REQUEST = 32 * 1024 * 1024;
const KNOWN_VIDEOS = 256;
const KNOWN_CREATES = 1024;
const FIELDS = ["model", "prompt", "seconds", "duration", "size", "image", "images"] as const;

/** A standard `Request → Response` handler. Mount it at a path, and give pages that path as `baseURL`. */
export function createProxyHandler(options: ProxyOptions): ProxyHandler {
  const { allow, basePath, onCreated, ...clientOptions } = __options.take(options, ["allow", "basePath", "onCreated", ...__options.CLIENT], "config");
  if (typeof allow !== "function") {
    throw new TypeError("createProxyHandler needs allow: a function that says who may spend your money");
  }
  if (onCreated === null) throw new TypeError("onCreated must be a function");
  if (basePath !== undefined && typeof basePath !== "string") throw new TypeError("basePath must be a string");
  const client = new Client(clientOptions as ClientOptions);
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
  const creates = new Creates();
  const create = async (call: ProxyCall): Promise<Carried> => {
    let task: Task | undefined;
    try {
      const refused = await refusedBy(allow, call);
      if (refused) return { response: refused, mayExist: false };
      // Not with the page's signal: the service finishes, and charges, although the page is closed.
      task = await client.videos.create(call.order ?? "");
      await onCreated?.(task, call);
      return { response: created(task), mayExist: true };
    } catch (error) {
      const id = task?.id ?? (error instanceof JunFeiAIError ? error.taskId : null);
      if (task) console.warn(`junfeiai: onCreated failed after the task ${task.id} was created:`, error);
      const mayExist = id !== null || (error instanceof JunFeiAIError && error.maybeExecuted);
      return { response: failure(error, mayExist ? { task_id: id } : undefined), mayExist };
    }
  };
  return async (request) => {
    try {
      const route = routeOf(new URL(request.url).pathname, basePath);
      if (!route) return refusal(404, "not_found", "this path is not one of the proxy's");
      const method = route.kind === "create" ? "POST" : "GET";
      if (request.method !== method) return refusal(405, "method_not_allowed", `${method} only`, { Allow: method });
      if (route.kind === "create") {
        const order = await readRequest(request);
        if (order instanceof Response) return order;
        return await creates.once(request.headers.get("Idempotency-Key"), order, () => create({ ...route, order, request }));
      }
      const call: ProxyCall = { ...route, order: null, request };
      const refused = await refusedBy(allow, call);
      if (refused) return refused;
      const id = call.taskId ?? "";
      if (call.kind === "query") return queried(await client.videos.get(id, { signal: request.signal }));
      return await (await videoOf(id)).response(request, { signal: request.signal });
    } catch (error) {
      return failure(error);
    }
  };
}

async function refusedBy(allow: ProxyOptions["allow"], call: ProxyCall): Promise<Response | null> {
  const verdict = await allow(call);
  if (verdict instanceof Response) return verdict;
  return verdict === true ? null : refusal(403, "forbidden", "this site does not allow it");
}

/** The outcome of a create request: its response, and whether a task may exist. */
interface Carried { response: Response; mayExist: boolean }

/**
 * The latest create requests by their `Idempotency-Key`. Chromium sends a POST again by itself when a kept connection closes without
 * a response, and no script can prevent it; what may have made a task is not carried out again but answered as before.
 */
class Creates {
  /** The request by its digest, as images are inside of it. Only what has ended is ever forgotten, the oldest first. */
  readonly #known = new Map<string, { digest: string; carried: Promise<Carried> }>();
  readonly #ended = new Set<string>();

  async once(key: string | null, order: VideoRequest, work: () => Promise<Carried>): Promise<Response> {
    if (key === null) return (await work()).response;
    // As it came: whoever allows it may change it.
    const digest = await digestOf(JSON.stringify(order));
    const known = this.#known.get(key);
    if (known && known.digest !== digest) {
      return refusal(422, "idempotency_key_reused", "this Idempotency-Key was used for another request: use a new one");
    }
    const carried = known?.carried ?? work();
    if (!known) {
      this.#known.set(key, { digest, carried });
      void carried.then(({ mayExist }) => { this.#end(key, mayExist); });
    }
    return (await carried).response.clone();
  }

  #end(key: string, mayExist: boolean): void {
    // What was refused may be tried again.
    if (!mayExist) return void this.#known.delete(key);
    this.#ended.add(key);
    const oldest = this.#ended.keys().next();
    if (this.#ended.size > KNOWN_CREATES && !oldest.done) {
      this.#ended.delete(oldest.value);
      this.#known.delete(oldest.value);
    }
  }
}

async function digestOf(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function routeOf(path: string, base: string | undefined): { kind: ProxyCall["kind"]; taskId: string | null } | null {
  if (base !== undefined) {
    const front = base.replace(/\/+$/, "");
    if (!path.startsWith(`${front}/`)) return null;
    path = path.slice(front.length);
  }
  const front = base === undefined ? "" : "^";
  const found = new RegExp(`${front}/(?:video/generations(?:/([^/]+))?|videos/([^/]+)/content)$`).exec(path);
  if (!found) return null;
  const [, asked, content] = found;
  if (content !== undefined) return { kind: "content", taskId: decode(content) };
  return asked === undefined ? { kind: "create", taskId: null } : { kind: "query", taskId: decode(asked) };
}

function decode(text: string): string {
  try { return decodeURIComponent(text); } catch { return text; }
}

async function readRequest(request: Request): Promise<VideoRequest | Response> {
  // A page of another site can send anything but this without being asked first.
  if (!(request.headers.get("content-type") ?? "").toLowerCase().startsWith("application/json")) {
    return refusal(415, "invalid_request", "Content-Type must be application/json");
  }
  const body = await readCapped(request);
  if (!body) return refusal(413, "invalid_request", "the request is too large");
  let order: unknown;
  try { order = JSON.parse(body); } catch { /* refused below */ }
  if (typeof order !== "object" || order === null || Array.isArray(order)) {
    return refusal(400, "invalid_json", "the body is not a JSON object");
  }
  const { ...extra } = order as Record<string, unknown>;
  const known: Record<string, unknown> = {};
  for (const field of FIELDS) {
    if (field in extra) known[field] = extra[field];
    delete extra[field];
  }
  return { ...known, extra } as VideoRequest;
}

async function readCapped(request: Request): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > LARGEST_REQUEST) return null;
    chunks.push(chunk);
  }
  return new TextDecoder().decode(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

/** The service's responses, without what they say about your account. */
function created(task: Task): Response {
  const billed = task.billedSeconds;
  const { id, rawStatus: status, model } = task;
  return json(200, { id, task_id: id, status, model, object: "video" },
    billed === null ? {} : { "X-New-Api-Other-Ratios": JSON.stringify({ seconds: billed }) });
}

function queried(task: Task): Response {
  const unix = (date: Date | null): number => (date ? date.getTime() / 1000 : 0);
  return json(200, {
    code: "success",
    // Without an address the page reads the video through this handler.
    data: {
      task_id: task.id, status: task.rawStatus, progress: task.progress === null ? "" : `${String(task.progress)}%`,
      fail_reason: task.failReason ?? "", model: task.model, created_at: unix(task.createdAt), start_time: unix(task.startedAt),
      finish_time: unix(task.finishedAt),
    },
  });
}

/** `left`: what may exist all the same. A response with `data: null` says that there is nothing. */
function failure(error: unknown, left?: { task_id: string | null }): Response {
  if (!(error instanceof JunFeiAIError)) return refusal(500, "proxy_error", left?.task_id ? `the proxy failed after it created the task ${left.task_id}` : "the proxy failed", {}, left);
  const fallback = error.code === "invalid_request" ? 400 : 502;
  const status = error.status !== null && error.status >= (left ? 500 : 400) ? error.status : left ? 502 : fallback;
  const headers: Record<string, string> = {};
  if (error.retryAfterMs !== null) headers["Retry-After"] = String(Math.ceil(error.retryAfterMs / 1000));
  if (error.requestId) headers["X-Oneapi-Request-Id"] = error.requestId;
  return refusal(status, left ? error.code : error.serverCode ?? error.code, error.serverMessage ?? error.message, headers, left);
}

function refusal(
  status: number, code: string, message: string, headers: Record<string, string> = {}, left: object = { data: null },
): Response {
  return json(status, { code, message, ...left }, headers);
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status, headers: { "Content-Type": "application/json", "Cache-Control": "private, no-store", ...headers },
  });
}

/** The parts of Node's `http` that the adapter touches. */
interface NodeRequest extends AsyncIterable<Uint8Array> {
  method?: string | undefined;
  url?: string | undefined;
  headers: Record<string, string | string[] | undefined>;
}
interface NodeResponse {
  writeHead(status: number, headers: Record<string, string | string[]>): unknown;
  write(chunk: Uint8Array): boolean;
  end(): unknown;
  destroy(error?: Error): unknown;
  once(event: string, listener: () => void): unknown;
  readonly writableEnded: boolean;
  readonly destroyed: boolean;
}

/** The handler for Node's `http.createServer`, Express and their like. */
export function toNodeHandler(handler: ProxyHandler): (request: NodeRequest, response: NodeResponse) => Promise<void> {
  return async (incoming, outgoing) => {
    const gone = new AbortController();
    outgoing.once("close", () => { if (!outgoing.writableEnded) gone.abort(); });
    try {
      const answer = await handler(toRequest(incoming, gone.signal));
      outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
      if (answer.body) await pipe(answer.body, outgoing, gone.signal);
      outgoing.end();
    } catch (error) {
      // The response is not complete: cutting the connection shows it.
      outgoing.destroy(gone.signal.aborted || !(error instanceof Error) ? undefined : error);
    }
  };
}

function toRequest(incoming: NodeRequest, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one);
  }
  const method = incoming.method ?? "GET";
  const url = new URL(incoming.url ?? "/", `http://${headers.get("host") ?? "localhost"}`);
  const body = method === "GET" || method === "HEAD" ? null : (ReadableStream as unknown as { from(source: NodeRequest): ReadableStream }).from(incoming);
  return new Request(url, { method, headers, body, signal, duplex: "half" } as RequestInit);
}

async function pipe(body: ReadableStream<Uint8Array>, outgoing: NodeResponse, signal: AbortSignal): Promise<void> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (signal.aborted || outgoing.destroyed) throw signal.reason;
      if (!outgoing.write(value)) {
        await new Promise<void>((resolve) => {
          outgoing.once("drain", resolve);
          outgoing.once("close", resolve);
        });
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
