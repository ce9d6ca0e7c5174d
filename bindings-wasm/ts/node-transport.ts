/**
 * Node's `http` and `https` as the transport of a client, and its timers. What becomes of a request is judged in the core: here
 * it is sent once, and what is known of it is kept until the core asks.
 *
 * * Reads go over kept connections, a create request over a new one, which nothing else uses before or after it. On a pooled one,
 *   which the server may just be closing, its outcome would stay unknown.
 * * A request is handed to its socket only when the connection stands and the certificate is believed: before that, provably
 *   nothing was sent.
 * * Redirects are not followed, and nothing is sent again.
 */
import type { Agent, AgentOptions, ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { SecureContext, TLSSocket } from "node:tls";
import { RawClient, nodeWake } from "#glue";
import { crypto, fs, http, https, tls } from "#builtins";
import { own } from "./calls.js";
import { call } from "./engine.js";
import { forCreates, warnOfReuse } from "./fresh.js";
import type { Shaped } from "./handle.js";
import { Intake, intakeOf, type Slab, type Taker } from "./node-intake.js";

/** Deno and Bun have `http` only by way of their `fetch`, which does not say how far a request was. */
const isNode = !("Deno" in globalThis) && !process.versions["bun"];

/** The variables that the core reads: `core/src/protocol/proxy.rs`. */
const VARIABLES = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "REQUEST_METHOD"];

/** The client in the module, with the transport that its options ask for. */
export function makeClient({ options, fetch }: Shaped, host: NodeHost | undefined, store: object | undefined): RawClient {
  const { proxy, ca_file, journal: _, log: __, log_level: ___, ...rest } = options;
  if (host) {
    const variables = Object.fromEntries(VARIABLES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
    return call(() => RawClient.onNode(rest, host as never, proxy, variables, store as never));
  }
  for (const [field, value] of [["proxy", proxy], ["caFile", ca_file]] as const) {
    if (value === undefined || value === null) continue;
    const why = fetch ? "it is not used with a custom fetch: give one of the two" : "this engine's fetch has settings of its own for it";
    throw own("config", "config", `${field} cannot be used here: ${why}`, { field });
  }
  if (!fetch) warnOfReuse();
  const sending = fetch ?? globalThis.fetch as typeof globalThis.fetch | undefined;
  const timers = new NodeHost(undefined);
  return call(() => RawClient.onFetch(rest, sending && ending(sending) as never, fetch ? undefined : forCreates as never, store as never, timers as never));
}

/** What a client sends with; `undefined` where that is `fetch`. */
export function hostOf({ options, fetch }: Shaped): NodeHost | undefined {
  return isNode && !fetch ? new NodeHost(certificatesOf(options["ca_file"])) : undefined;
}

/** The certificates to believe, where there are others than Node's own. */
function certificatesOf(file: unknown): readonly string[] | undefined {
  if (file === undefined || file === null) return undefined;
  const refuse = (why: string, cause?: unknown): Error => own("config", "config", why, { field: "caFile", cause });
  if (typeof file !== "string") throw refuse("caFile must be a string");
  let text: string;
  try {
    text = fs().readFileSync(file, "utf8");
  } catch (error) {
    throw refuse(`the CA file ${file} cannot be used: ${(error as Error).message}`, error);
  }
  const found = pemOf(text);
  if (found.length === 0) throw refuse(`the CA file ${file} cannot be used: it holds no PEM certificate`);
  try {
    for (const one of found) new (crypto().X509Certificate)(one);
  } catch (error) {
    throw refuse(`the CA file ${file} cannot be used: ${(error as Error).message}`, error);
  }
  return [...known(), ...found];
}

const pemOf = (text: string): string[] => text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];

/** What Node believes by itself. */
function known(): string[] {
  const { getCACertificates, rootCertificates } = tls() as typeof import("node:tls") & { getCACertificates?: () => string[] };
  if (getCACertificates) return getCACertificates();
  let more: string[] = [];
  try { more = pemOf(fs().readFileSync(process.env["NODE_EXTRA_CA_CERTS"] ?? "", "utf8")); } catch { /* Node warns of it itself */ }
  return [...rootCertificates, ...more];
}

/** Idle connections of one host that are kept, and for how long. */
const MOST_IDLE = 8;
const IDLE_MS = 50_000;
/** `setTimeout` takes a signed 32-bit number; what is longer would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;
/** The core is told of the first bytes of a body at once, of later ones when there are so many, or after a moment. */
const FIRST = 256 * 1024;
const PIECE = 1024 * 1024;
const MOMENT_MS = 10;
/** Bytes of a body that are kept for the core before reading waits for it. */
const MOST_KEPT = 2 * PIECE;
/** What the core is told instead of a number of bytes. */
const END = -1;
const FAILED = -2;

/** Numbers are never used twice: after a panic the module must not take an old request for a new one. */
let last = 0;
const exchanges = new Map<number, Exchange>();
const timers = new Map<number, NodeJS.Timeout>();
/** Bytes of a body; with a slab they are part of it and stay as they are until it is released. */
export interface Part { readonly bytes: Buffer; readonly slab: Slab | undefined }

/** What the core has taken of bodies: it is told where in a file it belongs. */
const taken = new Map<number, Part[]>();

/** A part of what was taken. Who needs it for longer than the core keeps the slabs. */
export function takenPart(id: number, at: number, length: number): Part[] {
  const parts: Part[] = [];
  for (const part of taken.get(id) ?? []) {
    const size = part.bytes.length;
    if (length <= 0) break;
    if (at < size) {
      parts.push(at === 0 && size <= length ? part : { bytes: part.bytes.subarray(at, at + length), slab: part.slab });
      length -= Math.min(length, size - at);
    }
    at = Math.max(0, at - size);
  }
  return parts;
}

function wake(id: number): void {
  try {
    call(() => { nodeWake(id); });
  } catch { /* a panic: those that wait were told */ }
}

/** What the module calls: `bindings-wasm/src/node.rs`. Of a client on `fetch` the timers alone. */
export class NodeHost {
  readonly #ca: readonly string[] | undefined;
  #context: SecureContext | undefined;
  readonly #agents = new Map<string, Agent>();

  constructor(ca: readonly string[] | undefined) { this.#ca = ca; }

  begin(head: string, body: Uint8Array, connectMs: number): number {
    const id = last += 1;
    const exchange = new Exchange(id);
    exchanges.set(id, exchange);
    // The module's memory is only lent.
    exchange.begin(head.split("\n"), body.length > 0 ? Buffer.from(body) : undefined, connectMs, (...which) => this.#agent(...which));
    return id;
  }

  connected(id: number): boolean { return exchanges.get(id)?.write !== undefined; }
  go(id: number): void { exchanges.get(id)?.go(); }
  head(id: number): string | undefined { return exchanges.get(id)?.head; }
  ready(id: number): number { return exchanges.get(id)?.ready() ?? END; }

  take(id: number, length: number): number {
    const number = last += 1;
    taken.set(number, exchanges.get(id)?.take(length) ?? []);
    return number;
  }

  copy(number: number, at: number, into: Uint8Array): void {
    let to = 0;
    for (const { bytes } of takenPart(number, at, into.length)) {
      into.set(bytes, to);
      to += bytes.length;
    }
  }

  release(number: number): void {
    for (const { slab } of taken.get(number) ?? []) slab?.release();
    taken.delete(number);
  }

  failure(id: number): string { return exchanges.get(id)?.failure ?? ""; }

  end(id: number): void {
    exchanges.get(id)?.end();
    exchanges.delete(id);
  }

  set(milliseconds: number): number {
    const id = last += 1;
    timers.set(id, setTimeout(() => { timers.delete(id); wake(id); }, milliseconds));
    return id;
  }

  clear(id: number): void {
    clearTimeout(timers.get(id));
    timers.delete(id);
  }

  /** The connections of one kind: with TLS or without, kept or not, to a host or, for TLS, through a proxy. */
  #agent(secure: boolean, fresh: boolean, tunnel: Tunnel | undefined): Agent {
    const key = [secure, fresh, tunnel?.key].join();
    let agent = this.#agents.get(key);
    if (!agent) {
      // Made once: it is all of Node's roots besides.
      if (secure && this.#ca) this.#context ??= tls().createSecureContext({ ca: [...this.#ca] });
      const options: AgentOptions & { autoSelectFamilyAttemptTimeout: number; rejectUnauthorized?: boolean; secureContext?: SecureContext } = {
        keepAlive: !fresh, maxFreeSockets: MOST_IDLE, timeout: IDLE_MS,
        // A quarter of a second, Node's own, is less than a connection to another continent takes.
        autoSelectFamilyAttemptTimeout: 2500,
        // Whatever the environment says: the key goes to whom the certificate names.
        ...(secure && { rejectUnauthorized: true }), ...(secure && this.#context && { secureContext: this.#context }),
      };
      agent = new (secure ? https() : http()).Agent(options as AgentOptions);
      const made = agent as unknown as { createConnection: unknown };
      made.createConnection = tunnel ? tunnel.connect : Intake.on((made.createConnection as Parameters<typeof Intake.on>[0]).bind(agent));
      this.#agents.set(key, agent);
    }
    return agent;
  }
}

/** Ends what a module has begun that a panic has stopped: nobody would end it in time, and until then it would keep the process alive. */
export function dropAll(): void {
  for (const exchange of exchanges.values()) exchange.end();
  exchanges.clear();
  for (const timer of timers.values()) clearTimeout(timer);
  timers.clear();
  for (const parts of taken.values()) for (const { slab } of parts) slab?.release();
  taken.clear();
  for (const request of requests) request.abort();
  requests.clear();
}

/** Requests that are sent with `fetch` and have no answer yet. */
const requests = new Set<AbortController>();

/** The same function, whose requests `dropAll` can end. */
function ending(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new AbortController();
    const { signal } = init as { signal: AbortSignal };
    const abort = (): void => { request.abort(signal.reason); };
    signal.addEventListener("abort", abort);
    requests.add(request);
    try {
      return await fetch(input, { ...init, signal: request.signal });
    } finally {
      requests.delete(request);
    }
  };
}

/** What an agent's `createConnection` is given. */
interface ConnectOptions { host: string; port: number; onTunnel?: (abort: () => void) => void }

/** A way through a proxy to hosts that are spoken to over TLS. */
class Tunnel {
  readonly key: string;
  readonly connect: (options: ConnectOptions, done: (error: Error | null, socket?: Socket) => void) => void;

  constructor(secure: boolean, host: string, port: number, authorization: string, agent: Agent) {
    this.key = [secure, host, port, authorization].join();
    this.connect = (options, done) => {
      const name = options.host.includes(":") ? `[${options.host}]` : options.host;
      const path = `${name}:${String(options.port)}`;
      const headers: OutgoingHttpHeaders = { Host: path, ...(authorization && { "Proxy-Authorization": authorization }) };
      const request = (secure ? https() : http()).request({ agent, host, port, method: "CONNECT", path, headers });
      options.onTunnel?.(() => { request.destroy(new Error("the connection was given up")); });
      request.once("error", (error) => { done(error); });
      request.once("connect", (response, socket: Socket) => {
        if (response.statusCode === 200) {
          done(null, tls().connect({ ...options, socket, servername: isAddress(options.host) ? "" : options.host } as never));
        } else {
          socket.destroy();
          done(new Error(`the proxy answered HTTP ${String(response.statusCode)} and made no connection`));
        }
      });
      request.end();
    };
  }
}

const isAddress = (host: string): boolean => host.includes(":") || /^[\d.]+$/.test(host);

/** Header values are bytes; Node reads each as a letter. */
const text = (value: string): string => (/[\x80-\xff]/.test(value) ? Buffer.from(value, "latin1").toString("utf8") : value);

type Stage = "connecting" | "handshake" | "sent";

/** One request and its answer. */
class Exchange implements Taker {
  /** What the core is told once: see `NodeHost::head` there. */
  head: string | undefined;
  failure: string | undefined;
  /** Writes a request that is asked about first: its connection is made. */
  write: (() => void) | undefined;
  come = 0;
  readonly #id: number;
  #stage: Stage = "connecting";
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #limit: NodeJS.Timeout | undefined;
  #abortTunnel: (() => void) | undefined;
  #intake: Intake | undefined;
  #parts: Part[] = [];
  #size = 0;
  #moment: NodeJS.Timeout | undefined;
  #ended = false;
  #over = false;
  #due = false;

  constructor(id: number) { this.#id = id; }

  begin(lines: string[], body: Buffer | undefined, connectMs: number, agentOf: (secure: boolean, fresh: boolean, tunnel?: Tunnel) => Agent): void {
    const [scheme, host = "", port, authority = "", method, path = "", fresh, proxyScheme = "", proxyHost = "", proxyPort, proxyAuthorization = ""] = lines;
    const headers: OutgoingHttpHeaders = { Host: authority };
    for (let at = 11; at + 1 < lines.length; at += 2) headers[lines[at] ?? ""] = lines[at + 1];
    const secure = scheme === "https";
    try {
      const through = proxyScheme !== "";
      const toProxy = proxyScheme === "https";
      const onTunnel = (abort: () => void): void => { this.#abortTunnel = abort; };
      const tunnel = through && secure
        ? new Tunnel(toProxy, proxyHost, Number(proxyPort), proxyAuthorization, agentOf(toProxy, true)) : undefined;
      const plain = through && !secure;
      if (plain && proxyAuthorization) headers["Proxy-Authorization"] = proxyAuthorization;
      const overTLS = plain ? toProxy : secure;
      const request = this.#request = (overTLS ? https() : http()).request({
        agent: agentOf(overTLS, fresh !== "", tunnel), method, headers,
        ...(plain ? { host: proxyHost, port: Number(proxyPort), path: `http://${authority}${path}` } : { host, port: Number(port), path }),
        ...(tunnel && { onTunnel }),
      });
      request.on("error", (error) => { this.#fail(error); });
      request.on("response", (response) => { this.#answered(response); });
      // Without an error, too: after an offer to speak another protocol, Node closes the connection.
      request.on("close", () => { if (!this.#response) this.#fail(new Error("the connection was closed without an answer")); });
      request.on("socket", (socket) => {
        this.#intake = intakeOf(socket);
        const go = (): void => {
          clearTimeout(this.#limit);
          if (this.#over) return;
          this.write = () => {
            this.#stage = "sent";
            request.end(body);
          };
          // A create request may have been stopped while its connection was made.
          if (fresh === "") this.go();
          else this.#wake();
        };
        if (!overTLS) {
          if (socket.connecting) socket.once("connect", go);
          else go();
        } else if ((socket as TLSSocket).authorized) {
          go();
        } else {
          socket.once("connect", () => { this.#stage = "handshake"; });
          socket.once("secureConnect", go);
          if (!socket.connecting) this.#stage = "handshake";
        }
      });
      this.#limit = setTimeout(() => {
        this.#fail(Object.assign(new Error("no connection in time"), { code: "CONNECT_TIMEOUT" }));
        request.destroy();
        this.#abortTunnel?.();
      }, Math.min(connectMs, LONGEST_MS));
    } catch (error) {
      // A part of the request that Node does not take: nothing was sent.
      this.#fail(error);
    }
  }

  go(): void {
    const { write } = this;
    this.write = undefined;
    if (!this.#over) write?.();
  }

  #answered(response: IncomingMessage): void {
    this.#response = response;
    if (this.#over) { response.resume(); return; }
    const { rawHeaders } = response;
    let head = String(response.statusCode);
    for (let at = 0; at < rawHeaders.length; at += 1) head += `\n${text(rawHeaders[at] ?? "")}`;
    this.head = head;
    response.on("data", (bytes: Buffer) => { if (!this.takeIn(bytes, undefined, false)) response.pause(); });
    response.on("end", () => { this.#ended = true; this.#wake(); });
    response.on("error", (error) => { this.#fail(error); });
    response.on("close", () => { if (!this.#ended) this.#fail(new Error("the connection was closed in the middle of the answer")); });
    this.#intake?.give(this, response);
    this.#wake();
  }

  takeIn(bytes: Buffer, slab: Slab | undefined, last: boolean): boolean {
    if (this.#over) return true;
    const before = this.#parts.at(-1);
    if (slab && before?.slab === slab) {
      // It was read to the place behind that.
      const begin = before.bytes.byteOffset - slab.bytes.byteOffset;
      this.#parts.splice(-1, 1, { bytes: slab.bytes.subarray(begin, begin + before.bytes.length + bytes.length), slab });
    } else {
      slab?.keep();
      this.#parts.push({ bytes, slab });
    }
    this.#size += bytes.length;
    this.come += bytes.length;
    this.#ended ||= last;
    if (last || this.#size >= PIECE || this.come < FIRST) this.#wake();
    else this.#moment ??= setTimeout(() => { this.#moment = undefined; this.#wake(); }, MOMENT_MS);
    return this.#size < MOST_KEPT;
  }

  #fail(thrown: unknown): void {
    if (this.#over || this.failure !== undefined) return;
    clearTimeout(this.#limit);
    // Of several addresses the last one stands for all.
    const error = ((thrown as AggregateError).errors?.at(-1) ?? thrown) as NodeJS.ErrnoException;
    this.failure = [this.#stage, error.syscall, error.code, error.message].map((part) => String(part ?? "").replaceAll(/\s+/g, " ")).join("\n");
    this.head ??= `\n${this.failure}`;
    this.#wake();
  }

  /** Everything that comes at the same time is told at once. */
  #wake(): void {
    if (this.#due || this.#over) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (!this.#over) wake(this.#id);
    });
  }

  ready(): number {
    if (this.#size > 0) return this.#size;
    return this.#ended ? END : this.failure === undefined ? 0 : FAILED;
  }

  /** All that is there: nothing comes between `ready` and this. */
  take(length: number): Part[] {
    const parts = this.#parts;
    this.#parts = [];
    this.#size -= length;
    if (this.#response?.isPaused()) this.#response.resume();
    this.#intake?.resume(this);
    return parts;
  }

  /** Gives it up, unless it has ended: then its connection can be used again. */
  end(): void {
    this.#over = true;
    clearTimeout(this.#limit);
    clearTimeout(this.#moment);
    for (const { slab } of this.#parts) slab?.release();
    this.#parts = [];
    this.#intake?.end(this);
    if (this.#response?.complete) {
      this.#response.resume();
    } else {
      this.#request?.destroy();
      this.#abortTunnel?.();
    }
  }
}
