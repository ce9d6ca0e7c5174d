/** Node (and Bun and Deno by way of their Node layer): the wasm file is read at the first use. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { own } from "../calls.js";
import { setLoader } from "../engine.js";
import { setUp } from "../node-parts.js";

let reading = false;
setUp();
setLoader({
  now() {
    const file = join(__dirname, "junfeiai-node.wasm");
    try {
      return readFileSync(file);
    } catch (cause) {
      // An error of ours asks the module for its words.
      if (reading) return undefined;
      reading = true;
      try {
        const why = (cause as { code?: unknown }).code === "ENOENT"
          ? `${file} is missing: keep the package's files together, or bundle it with the condition "module"`
          : `${file} cannot be read (${(cause as Error).message.replace(/, run again.*/, "")}): allow it, in Deno with --allow-read`;
        throw own("config", "config", why, { field: "wasm", cause });
      } finally {
        reading = false;
      }
    }
  },
});
export * from "../index.js";
