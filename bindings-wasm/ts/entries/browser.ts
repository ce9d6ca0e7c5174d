/** Pages, workers and bundlers: the wasm file lies beside this one. */
import { setSdkName } from "../client.js";
import { setLoader } from "../engine.js";

setSdkName("browser");
setLoader({
  async later() {
    try {
      const response = await fetch(new URL("./junfeiai.wasm", import.meta.url));
      // Servers of single-page programs answer every path with a page.
      if (response.ok && !(response.headers.get("content-type") ?? "").startsWith("text/html")) return response;
    } catch { /* no such file there, or a policy against it */ }
    // A bundler moved this file and not the other: the same bytes as text, in a chunk of their own.
    const { wasm } = await import("#inline");
    return wasm();
  },
});
export * from "../index.js";
