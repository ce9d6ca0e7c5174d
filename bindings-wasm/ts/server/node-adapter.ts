/** The handler for Node's `http`, and for the frameworks that are built upon it. */
import { __options } from "#main";
import { BODY_READ, refusal } from "./responses.js";

/** The parts of Node's `http` that the adapter touches, and what Express adds. */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  method?: string | undefined;
  url?: string | undefined;
  headers: Record<string, string | string[] | undefined>;
  /** The body, without an end of the connection where it is left. */
  iterator?(options: { destroyOnReturn: boolean }): AsyncIterator<Uint8Array>;
  /** Drops what is left of it. */
  resume?(): unknown;
  /** Whether its body was read by somebody else. */
  readonly readableDidRead?: boolean;
  /** Express: the path before it was cut off at a mount point. */
  originalUrl?: string | undefined;
  /** Express: what a body parser has read. */
  body?: unknown;
}
export interface NodeResponse {
  writeHead(status: number, headers: Record<string, string | string[]>): unknown;
  write(chunk: Uint8Array): boolean;
  end(): unknown;
  destroy(error?: Error): unknown;
  once(event: string, listener: () => void): unknown;
  readonly writableEnded: boolean;
  readonly destroyed: boolean;
}

type Handler = (request: Request) => Promise<Response>;
type Report = (error: unknown, request: Request, taskId: string | null) => void;

/** How each handler reports what went wrong behind its response. */
export const answering = new WeakMap<Handler, Report>();

/** For a handler of the program's own, such as one around ours. */
const warn: Report = (error, request) => {
  if (!request.signal.aborted) console.warn("junfeiai: the handler failed:", error);
};

/** A handler of the program's own may throw anything, even what cannot be looked at. */
function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false;
  }
}

/**
 * The handler for Node's `http.createServer`, Express and their like. `body`: what was parsed of the request, where the framework reads
 * it before and keeps it elsewhere than Express (Fastify and Koa); anything that is no body, such as the `next` of Express, is passed over.
 */
export function toNodeHandler(handler: Handler): (request: NodeRequest, response: NodeResponse, body?: unknown) => Promise<void> {
  if (typeof handler !== "function") {
    throw __options.own("config", "config", "toNodeHandler needs a function that gives a response to a request, such as that of createProxyHandler", { field: "handler" });
  }
  return async (incoming, outgoing, body) => {
    const gone = new AbortController();
    // One listener for the end, however often a slow page makes us wait.
    let wake = (): void => undefined;
    outgoing.once("close", () => {
      if (!outgoing.writableEnded) gone.abort();
      wake();
    });
    const drained = (): Promise<void> => new Promise((resolve) => {
      wake = resolve;
      outgoing.once("drain", resolve);
      if (gone.signal.aborted || outgoing.destroyed) resolve();
    });
    const given = typeof body === "function" ? undefined : body;
    let request: Request | undefined;
    const report = (error: unknown): void => { if (request) (answering.get(handler) ?? warn)(error, request, null); };
    try {
      // Anybody can send a host that is none, or a method that there cannot be: that must not end the process.
      request = toRequest(incoming, gone.signal, given ?? incoming.body, given !== undefined);
      const lost = request.method === "POST" && request.body === null && incoming.readableDidRead === true;
      if (lost) report(new Error(BODY_READ));
      const answer = lost ? refusal(500, "proxy_error", "the proxy failed") : await handler(request);
      const cookies = answer.headers.getSetCookie();
      outgoing.writeHead(answer.status, { ...Object.fromEntries(answer.headers), ...(cookies.length > 0 && { "set-cookie": cookies }) });
      if (answer.body) await pipe(answer.body, outgoing, gone.signal, drained);
      outgoing.end();
    } catch (error) {
      report(error);
      // The response is not complete: cutting the connection shows it.
      outgoing.destroy(gone.signal.aborted || !isError(error) ? undefined : error);
    }
  };
}

/** Node's request as a standard one; without a body where somebody else has read it and it is nowhere to be found. */
function toRequest(incoming: NodeRequest, signal: AbortSignal, parsed: unknown, given: boolean): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one);
  }
  const method = incoming.method ?? "GET";
  const url = new URL(incoming.originalUrl ?? incoming.url ?? "/", `http://${headers.get("host") ?? "localhost"}`);
  const isRead = incoming.readableDidRead === true;
  if (method === "GET" || method === "HEAD" || (isRead && parsed === undefined)) return new Request(url, { method, headers, signal });
  if (!given && !isRead) {
    return new Request(url, { method, headers, body: bodyOf(incoming), signal, duplex: "half" } as RequestInit);
  }
  // What was parsed is written anew: its length may be another.
  headers.delete("content-length");
  headers.delete("content-encoding");
  const body = typeof parsed === "string" || parsed instanceof Uint8Array ? parsed as BodyInit : JSON.stringify(parsed);
  return new Request(url, { method, headers, body, signal });
}

/**
 * As `ReadableStream.from`, which Node has from 20.6 on, and which would cut the connection when the body is not read to its end: the page
 * could lose the response that says why, and would not know whether it has paid.
 */
function bodyOf(incoming: NodeRequest): ReadableStream<Uint8Array> {
  const pieces = incoming.iterator?.({ destroyOnReturn: false }) ?? incoming[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await pieces.return?.();
      incoming.resume?.();
    },
  }, { highWaterMark: 0 });
}

async function pipe(body: ReadableStream<Uint8Array>, outgoing: NodeResponse, signal: AbortSignal, drained: () => Promise<void>): Promise<void> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (signal.aborted || outgoing.destroyed) throw signal.reason;
      if (!outgoing.write(value)) await drained();
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
