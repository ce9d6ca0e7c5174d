/** Written from core/options.toml by `make options`; do not edit. */
import type { ImageInput, JournalFile, JournalStore, LogEntry, Progress } from "./values.js";

/** Options of a client. */
export interface ClientOptions {
  /** The API key; optional when your reverse proxy adds it. A key in a page is public: see `junfeiai/server`. Default: the
   * environment's. */
  apiKey?: string | undefined;
  /** The endpoint: `"standard"`, `"china"`, a base URL ending in `/v1`, a short host alias, or in a page a path on your
   * server. Default: `"standard"`. Source: service document §1. */
  endpoint?: "standard" | "china" | (string & {}) | undefined;
  /** Another name of `endpoint`; give one of the two. In a page a path such as `/api/junfeiai` names a place on your server. */
  baseURL?: string | URL | undefined;
  /** Several endpoints, the preferred one first; another is tried only when no connection can be made, which browsers do not
   * report. */
  endpoints?: readonly string[] | undefined;
  /** A custom domain in place of the documented video host, as scheme and host. Default: the environment's. Source: service
   * document §1. */
  videoBaseURL?: string | URL | undefined;
  /** Further hosts that may receive the key, as `host` or `host:port`. Default: none. */
  trustedHosts?: readonly string[] | undefined;
  /** A custom `fetch`. Default: the global one; in Node its own `http`. */
  fetch?: typeof globalThis.fetch | undefined;
  /** Timeout of one query. In milliseconds. Default: 30 000. Zero is refused. */
  timeoutMs?: number | undefined;
  /** Timeout of a create request: the service can take minutes, and after the timeout the task may still be created and
   * charged. In milliseconds. Default: 180 000. Zero is refused. */
  createTimeoutMs?: number | undefined;
  /** Timeout of connecting, in Node; at most 5 000 with several endpoints. In milliseconds. Default: 10 000. Zero is
   * refused. */
  connectTimeoutMs?: number | undefined;
  /** Maximum time without data during a download. In milliseconds. Default: 30 000. Zero is refused. */
  idleTimeoutMs?: number | undefined;
  /** Delay between polls: starts at this value, backs off to 10 000 or twice the value, whichever is less; at least 5 000
   * except for localhost, at most 24 hours. In milliseconds. Default: 5 000. Zero is refused. Source: service document §5. */
  pollIntervalMs?: number | undefined;
  /** Timeout of one wait for a task; `Infinity` for no limit. In milliseconds. Default: 1 800 000. */
  waitTimeoutMs?: number | undefined;
  /** Attempts of one call, the first included. A create request is sent again only when it provably was not accepted.
   * Default: 4. 0 is refused. */
  maxAttempts?: number | undefined;
  /** Polls that may fail in a row before a wait ends with an error. Default: 20. */
  maxPollErrors?: number | undefined;
  /** Requests per second that all tasks and threads of the client share (a token bucket), at least one in 24 hours.
   * Downloads are not limited; after a 429 the rate is halved for a while. Clients whose journal is the same database share
   * one rate; without one N processes send N times as much. Default: 2; 1000 for localhost. Zero is refused. Source:
   * service document §9. */
  requestRate?: number | undefined;
  /** Requests that may be sent together after a quiet time; needs `requestRate`. Default: twice the rate. 0 is refused. */
  requestBurst?: number | undefined;
  /** Concurrent create requests; the others wait. Default: 4. 0 is refused. */
  maxInFlightCreates?: number | undefined;
  /** Maximum cost of one create request in USD: a more expensive one is refused before it is sent. In Node, Bun and Deno,
   * and in a page with a journal. Default: none. */
  maxCost?: number | undefined;
  /** Refuses a create request as well if its cost may exceed `maxCost` or `budget`: the server hides its prices, or the
   * key's group is not known and another group would pay more. Otherwise an unknown price is a warning. Default: `false`. */
  maxCostStrict?: boolean | undefined;
  /** Maximum total cost in USD of all create requests of one UTC day, for all clients that share the journal: a request that
   * would exceed it is refused before it is sent. Needs `journal`; see "Know the cost". In Node, Bun and Deno, and in a
   * page with a journal. Default: none. */
  budget?: number | undefined;
  /** `Accept-Language`, which decides the language of the server's messages, such as `en` or `zh-CN`. Default: the server's. */
  language?: string | undefined;
  /** Further headers of every request, by name, for a gateway of yours for example. They are sent only to hosts that may
   * receive the key, and their values are never shown. A page cannot set those that the browser sets itself. Default: none. */
  headers?: Readonly<Record<string, string>> | Headers | undefined;
  /** Your program's name, such as `my-app/1.2`, added to the `User-Agent`. In a page the browser sends its own. Default:
   * none. */
  userAgent?: string | undefined;
  /** A folder that records paid tasks, so that a later process can resume them; the processes of a machine may share it. An
   * object with `file` names the file that the other languages use, too. For several machines a store of yours. In a page a
   * name: it is kept in IndexedDB, for the tabs of the origin. See "Journal". Default: none. */
  journal?: string | URL | JournalFile | JournalStore | undefined;
  /** Keeps prompts in the journal instead of the SHA-256 of the request. Default: `false`. */
  journalPrompts?: boolean | undefined;
  /** In Node: a proxy, `http://` or `https://`, instead of the one in `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`; `""` for
   * no proxy. Default: the environment's. */
  proxy?: string | undefined;
  /** In Node: further root certificates as a PEM file, besides Node's own and `NODE_EXTRA_CA_CERTS`. Default: none. */
  caFile?: string | undefined;
  /** Called with each entry of the client's log, in Node, Bun and Deno: tasks created, warnings, a paid call that ended
   * early; see "Log". Default: none. */
  log?: ((entry: LogEntry) => unknown) | undefined;
  /** The least severe entries that `log` is called with: `"error"`, `"warn"`, `"info"`, `"debug"` (every request and poll)
   * or `"trace"`; needs `log`. Default: `"info"`. */
  logLevel?: "error" | "warn" | "info" | "debug" | "trace" | undefined;
  /** Suppresses the warning about an API key in a page. Default: `false`. */
  dangerouslyAllowBrowser?: boolean | undefined;
}

/** @internal */
export const CLIENT = [
  "apiKey", "endpoint", "baseURL", "endpoints", "videoBaseURL", "trustedHosts", "fetch", "timeoutMs",
  "createTimeoutMs", "connectTimeoutMs", "idleTimeoutMs", "pollIntervalMs", "waitTimeoutMs", "maxAttempts",
  "maxPollErrors", "requestRate", "requestBurst", "maxInFlightCreates", "maxCost", "maxCostStrict", "budget",
  "language", "headers", "userAgent", "journal", "journalPrompts", "proxy", "caFile", "log", "logLevel",
  "dangerouslyAllowBrowser",
] as const;

/** What the video is to be; a string is a prompt. */
export interface VideoRequest {
  /** What the video shows; known models take up to 4096 characters. */
  prompt?: string | undefined;
  /** The model: `"grok-image-video"`, or `"grok-video-1.5"`, which needs one image. Default: `"grok-image-video"`. Source:
   * service document §2. */
  model?: "grok-image-video" | "grok-video-1.5" | (string & {}) | undefined;
  /** Length in seconds; 1–15 for known models, 10 at most with several reference images. Default: the server's 4. */
  seconds?: number | string | undefined;
  /** Frame size such as `"1280x720"`: a hint to the model. Default: the model's. */
  size?: string | undefined;
  /** The start image: a URL that the service fetches, or a `Blob` or the bytes of a PNG, JPEG or WebP. Default: none. */
  image?: ImageInput | undefined;
  /** Up to 7 reference images. Default: none. */
  images?: readonly ImageInput[] | undefined;
  /** Another name of `seconds`; give one of the two. */
  duration?: number | string | undefined;
  /** Further JSON fields for the model. Default: none. */
  extra?: Record<string, unknown> | undefined;
  /** How strictly the request is checked before it is sent; `"strict"`: treat warnings as errors; `"off"`: no checks.
   * Default: `"default"`. */
  validate?: "strict" | "default" | "off" | undefined;
  /** Your own name for the job, 1–200 bytes: one task is created per key, however often it is requested; needs `journal`.
   * See "Exactly once". Default: none. */
  key?: string | undefined;
  /** Creates another task under the key when its task failed. Default: `false`. */
  retryFailed?: boolean | undefined;
}

/** @internal */
export const REQUEST = [
  "prompt", "model", "seconds", "size", "image", "images", "duration", "extra", "validate", "key", "retryFailed",
] as const;

/** Options of a wait. */
export interface WaitOptions {
  /** Timeout of the wait; `Infinity` for no limit. In milliseconds. Default: the client's. */
  timeoutMs?: number | undefined;
  /** Delay between polls: starts at this value, backs off to twice of it or to the client's longest delay; at least 5 000
   * except for localhost, at most 24 hours. In milliseconds. Default: the client's. Zero is refused. Source: service
   * document §5. */
  pollIntervalMs?: number | undefined;
  /** Stops waiting; the task keeps running and stays charged. Default: none. */
  signal?: AbortSignal | null | undefined;
}

/** @internal */
export const WAIT = [
  "timeoutMs", "pollIntervalMs", "signal",
] as const;

/** Options of a save. */
export interface SaveOptions {
  /** Connections used at once, 1–16; more than one helps where each connection is slow. Default: 1. Other numbers are
   * refused. */
  connections?: number | undefined;
  /** Replaces an existing file; otherwise it is an error. Default: `false`. */
  overwrite?: boolean | undefined;
  /** Creates missing folders; otherwise it is an error. Default: `false`. */
  createParents?: boolean | undefined;
  /** Computes the SHA-256 of the file. Default: `false`. */
  sha256?: boolean | undefined;
  /** Checks that every sample of the MP4 is present; if off, bytes that an earlier check refused are used without another
   * request. Default: `true`. */
  verify?: boolean | undefined;
  /** Timeout of the whole save. In milliseconds. Default: none. Zero is refused. */
  timeoutMs?: number | undefined;
  /** Maximum number of bytes per second. Default: none. 0 is refused. */
  rateLimit?: number | undefined;
  /** Maximum length of a file whose length the server does not report, so that an endless response cannot fill the disk.
   * Default: 16 GiB. */
  maxBytes?: number | undefined;
  /** Called at most every 100 ms while bytes come, and once at the end. Default: none. */
  onProgress?: ((progress: Progress) => unknown) | undefined;
  /** Ends the call; the bytes read so far are kept. Default: none. */
  signal?: AbortSignal | null | undefined;
}

/** @internal */
export const SAVE = [
  "connections", "overwrite", "createParents", "sha256", "verify", "timeoutMs", "rateLimit", "maxBytes",
  "onProgress", "signal",
] as const;
