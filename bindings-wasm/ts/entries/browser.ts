/** Pages, workers and bundlers: the wasm files lie beside this one, in parts. */
import { setSdkName } from "../client.js";
import { setLoader, type WasmSource } from "../engine.js";

/** The file, or the same bytes as text, in a chunk of their own: a bundler may have moved this file and not the other. */
async function load(url: URL, inline: () => Promise<{ wasm: () => Uint8Array }>, cache: RequestCache = "default"): Promise<WasmSource> {
  try {
    const response = await fetch(url, { cache });
    // Servers of single-page programs answer every path with a page.
    if (response.ok && !(response.headers.get("content-type") ?? "").startsWith("text/html")) return response;
  } catch { /* no such file there, or a policy against it */ }
  return (await inline()).wasm();
}

setSdkName("browser");
setLoader({
  later: () => load(new URL("./junfeiai-page.wasm", import.meta.url), () => import("#inline")),
  part: (part, cache) => (part === "read"
    ? load(new URL("./junfeiai-page-read.wasm", import.meta.url), () => import("#inline-read"), cache)
    : load(new URL("./junfeiai-page-more.wasm", import.meta.url), () => import("#inline-more"), cache)),
});
export * from "../index.js";
