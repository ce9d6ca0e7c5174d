/**
 * A new connection for every create request where it is sent with `fetch`: in Deno and Bun. On a pooled one, which the server may
 * just be closing, the outcome of a create request stays unknown, and Deno sends it again by itself. Node has a transport of its own:
 * `node-transport.ts`.
 */

interface Engine { Deno?: { createHttpClient?: (options: object) => object } }

let client: object | undefined;

/** What is added to the second argument of `fetch`. */
export function forCreates(): object {
  const { Deno } = globalThis as Engine;
  // Bun's option for it.
  if (!Deno) return { keepalive: false };
  client ??= Deno.createHttpClient?.({ poolMaxIdlePerHost: 0 });
  return client ? { client } : {};
}
