/** Options and requests on their way to the core: names and units change, nothing is judged. */
import { hasHalf, own, take, textOf, typeOf } from "./calls.js";
import { JunFeiAIError } from "./errors.js";
import type { Shaped } from "./handle.js";
import { inCore, meant } from "./names.js";
import { CLIENT, REQUEST, type ClientOptions, type VideoRequest } from "./option-types.js";
import { isPath, type ImageInput } from "./values.js";

export type { ClientOptions, VideoRequest } from "./option-types.js";
export type { ImageInput } from "./values.js";

/** The variables that set options; the core judges them, and names them. One that may not be read (Deno without `--allow-env`) is not set. */
function environment(): Record<string, string> {
  const env = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {};
  const names = ["JUNFEIAI_API_KEY", "JUNFEIAI_BASE_URL", "JUNFEIAI_VIDEO_BASE_URL"];
  return Object.fromEntries(names.flatMap((name) => {
    try {
      return env[name] ? [[name, env[name]]] : [];
    } catch {
      return [];
    }
  }));
}

export const inPage = (): boolean => typeof document !== "undefined" && typeof window !== "undefined";

/** Milliseconds as seconds. JSON has no infinity; the core takes what no clock can hold for it. */
export function seconds(value: number | null | undefined): number | undefined {
  return value === undefined || value === null ? undefined : Math.min(value / 1000, Number.MAX_VALUE);
}

/** Headers, of whatever library, or a `Map` as a plain object. */
const pairs = (value: unknown): unknown =>
  (!Array.isArray(value) && typeof (value as Headers | null | undefined)?.entries === "function" ? Object.fromEntries((value as Headers).entries()) : value);

/** Whatever holds several values, as an array; but for a text, which would be each of its letters. */
const listed = (value: unknown): unknown =>
  (typeof value === "object" && value !== null && Symbol.iterator in value && typeOf(value) !== "String" ? [...value as Iterable<unknown>] : value);

const text = (value: unknown): unknown => (value instanceof URL ? value.href : value);

/** An address of a video. */
export function addressOf(value: unknown, taskId?: string): string {
  try { value = text(value); } catch { /* it is no URL either */ }
  return textOf(value, "url", "content", taskId);
}

/**
 * In a page a path names a place on the page's own server. A worker or a frame that was made of a text has no address of its own, but an
 * origin; a server that renders pages may have anything there.
 */
function absolute(value: unknown): unknown {
  if (!isPath(value)) return text(value);
  const { location, origin } = globalThis as { location?: Partial<Location>; origin?: string };
  for (const base of [location?.href, origin]) {
    try {
      return new URL(value, base).href;
    } catch { /* it is none that a path can follow */ }
  }
  return value;
}

/** A copy that runs no code of the caller's any more, and holds only what JSON can say. Anything else is refused with its key and what it is. @internal */
export function copied(value: unknown, refuse: (key: string, odd: string) => Error): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value, function (this: Record<string, unknown>, key: string, value: unknown) {
    const given = this[key];
    const type = typeof given === "object" ? typeOf(given) : typeof given;
    const odd = typeof value === "number" && !Number.isFinite(value) ? String(value) : typeof value === "string" && hasHalf(value) ? "a lone surrogate" : type;
    if (/^(string|number|boolean|undefined|Object|Array|Null)$/.test(odd)) return value;
    throw refuse(key, odd);
  }));
}

const HELD = "holds strings, finite numbers, booleans, arrays and plain objects, not";

export function shapeOptions(options: ClientOptions, sdkName: string): Shaped {
  const given = take(options, CLIENT, "config");
  const env = environment();
  const shaped: Record<string, unknown> = { environment: env, sdk_name: sdkName };
  for (const name of CLIENT) {
    const value: unknown = given[name];
    if (name === "fetch" || name === "dangerouslyAllowBrowser") continue;
    const refuse = (message: string, cause?: unknown): Error => own("config", "config", message, { field: name, cause });
    try {
      const read = name.endsWith("Ms") ? seconds(value as number) : /URL$|^endpoint$/.test(name) ? absolute(value) : name === "headers" ? pairs(value) : name === "journal" ? value : name === "log" ? !!value || undefined : listed(value);
      shaped[inCore(name)] = name === "journal" ? read : copied(read, (_, odd) => refuse(`${name} cannot be used: an option ${HELD} ${odd}`));
    } catch (cause) {
      throw cause instanceof JunFeiAIError ? cause : refuse(`the option ${name} cannot be read`, cause);
    }
  }
  if ((given.apiKey ?? env["JUNFEIAI_API_KEY"]) !== undefined && inPage() && !given.dangerouslyAllowBrowser) warnOnce();
  return { options: defined(shaped), fetch: given.fetch, log: given.log };
}

let warned = false;
function warnOnce(): void {
  if (warned) return;
  warned = true;
  console.warn(
    "junfeiai: everybody who opens a page can read and use its API key. Keep it on your server with junfeiai/server, " +
      "or set dangerouslyAllowBrowser.",
  );
}

export function defined(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** The request as the core reads it, read once. Bytes of images become text by way of `encode`; what brings them is waited for by `read`. */
export async function shapeRequest(
  request: VideoRequest | string, encode: (bytes: Uint8Array) => string, read: <T>(promise: Promise<T>) => Promise<T>,
): Promise<unknown> {
  let field: string | undefined;
  const refuse = (message: string, cause?: unknown): Error => own("invalid_request", "create", message, { field, cause });
  const image = async (input: ImageInput): Promise<unknown> => {
    // Of this realm or of another one, or of a library that has its own.
    const bytes = (input as Partial<Blob> | null | undefined)?.arrayBuffer ? await read((input as Blob).arrayBuffer()) : input;
    if (ArrayBuffer.isView(bytes)) return encode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return typeOf(bytes) === "ArrayBuffer" ? encode(new Uint8Array(bytes as ArrayBuffer)) : text(bytes);
  };
  try {
    const given: [string, unknown][] = [];
    const type = typeOf(request);
    if (Object(request) !== request) given.push(["prompt", request]);
    else if (!/^(Object|Module)$/.test(type)) throw refuse(`the request must be an object or a string, not ${type}`);
    else for (field of new Set([...REQUEST, ...Object.keys(request)])) {
      const near = (REQUEST as readonly string[]).includes(field) ? undefined : meant(field, REQUEST);
      if (near) throw refuse(`there is no field ${field.slice(0, 60)} (did you mean ${near}?)`);
      given.push([field, (request as Record<string, unknown>)[field]]);
    }
    const shaped: typeof given = [];
    for (let [name, value] of given) {
      field = name;
      if (name === "image") value = await image(value as ImageInput);
      if (name === "images" && Array.isArray(value)) value = await Promise.all(value.map(image));
      shaped.push([name === "retryFailed" ? "retry_failed" : name, copied(value, (key, odd) =>
        refuse(`${name} cannot be sent: a request ${HELD} ${odd}${key && ` (at ${key})`}`))]);
    }
    return Object.fromEntries(shaped);
  } catch (error) {
    throw error instanceof JunFeiAIError ? error : refuse(`the ${field ?? "request"} cannot be read`, error);
  }
}
