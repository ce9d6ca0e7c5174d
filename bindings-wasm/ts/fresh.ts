/**
 * A new connection for every create request. On a pooled one, which the server may just be closing, the outcome of a create
 * request stays unknown, and Deno sends it again by itself.
 */

interface Dispatcher { constructor: new (options: object) => Dispatcher }
interface Engine {
  Deno?: { createHttpClient?: (options: object) => object };
  process?: { execArgv?: string[]; env?: Record<string, string | undefined> };
}

const engine = globalThis as Engine;
const CURRENT = Symbol.for("undici.globalDispatcher.1");
let client: object | undefined;
let made: { from: unknown; dispatcher: Dispatcher | undefined } | undefined;

/** What is added to the second argument of `fetch`. */
export function forCreates(): object {
  if (engine.Deno) {
    client ??= engine.Deno.createHttpClient?.({ poolMaxIdlePerHost: 0 });
    return client ? { client } : {};
  }
  // Bun's option for it; in Node it is the default and means something else.
  const init = { keepalive: false };
  const dispatcher = fresh();
  return dispatcher ? { ...init, dispatcher } : init;
}

/**
 * Node's own agent once more, with everything that it was made with, but closing each connection after one request. A
 * dispatcher that is no such agent (a proxy, a mock) was set by the program: it stays.
 */
function fresh(): Dispatcher | undefined {
  // The first use of this class loads what `fetch` is made of.
  new Headers();
  const from = (globalThis as Record<symbol, unknown>)[CURRENT];
  if (made?.from !== from) made = { from, dispatcher: copy(from) };
  return made?.dispatcher;
}

function copy(from: unknown): Dispatcher | undefined {
  try {
    const known = from as Dispatcher & Record<symbol, unknown>;
    const part = (name: string): unknown => known[Object.getOwnPropertySymbols(known).find((symbol) => symbol.description === name) as never];
    const { name } = known.constructor as { name?: string };
    if (name === "Agent") return new known.constructor({ ...part("options") as object, factory: part("factory"), pipelining: 0 });
    // Node makes it itself when it is configured to take proxies from the environment.
    const { execArgv, env } = engine.process ?? {};
    const ofNode = env?.["NODE_USE_ENV_PROXY"] === "1" || execArgv?.includes("--use-env-proxy");
    return name === "EnvHttpProxyAgent" && ofNode ? new known.constructor({ pipelining: 0 }) : undefined;
  } catch {
    return undefined;
  }
}
