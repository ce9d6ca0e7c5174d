/** Node (and Bun and Deno by way of their Node layer): the wasm file is read at the first use. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setSdkName } from "../client.js";
import { setDurableWaits } from "../durable.js";
import { setLoader } from "../engine.js";
import { forCreates } from "../fresh.js";
import { setForCreates } from "../handle.js";
import { durable } from "../node-durable.js";
import { setSaver } from "../saver.js";
import { saveToFile } from "../node-save.js";

setSdkName("node");
setLoader({ now: () => readFileSync(join(__dirname, "junfeiai-node.wasm")) });
setSaver(saveToFile);
setDurableWaits(durable);
setForCreates(forCreates);
export * from "../index.js";
