// The shim for Node: one scenario a line on standard input, one outcome a line on standard output.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { carryOut } from "./steps.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const library = createRequire(join(root, "bindings-wasm/test/node.test.mjs"))("junfeiai");

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await carryOut(library, JSON.parse(line)))}\n`);
}
