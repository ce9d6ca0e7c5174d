/**
 * A new connection for every create request where it is sent with `fetch`: in Deno and Bun. On a pooled one, which the server may
 * just be closing, the outcome of a create request stays unknown, and Deno sends it again by itself. Node has a transport of its own:
 * `node-transport.ts`.
 */

interface Engine { Deno?: { createHttpClient?: (options: object) => object } }

let client: object | undefined;
let warned = false;

/** Says once where the engine cannot be kept from sending a create request again. */
export function warnOfReuse(): void {
  const { Deno } = globalThis as Engine;
  if (warned || !Deno || typeof Deno.createHttpClient === "function") return;
  warned = true;
  console.warn(
    "junfeiai: this version of Deno has no Deno.createHttpClient: when a kept connection breaks, it sends a create request again by itself, which may be " +
      "charged twice. Use a newer Deno or Node, or give the option fetch a function that opens a new connection for each POST.",
  );
}

/** What is added to the second argument of `fetch`. */
export function forCreates(): object {
  const { Deno } = globalThis as Engine;
  // Bun's option for it.
  if (!Deno) return { keepalive: false };
  client ??= Deno.createHttpClient?.({ poolMaxIdlePerHost: 0 });
  // Without one: see `warnOfReuse`.
  return client ? { client } : {};
}
