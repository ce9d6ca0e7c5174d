/** Node (and Bun and Deno by way of their Node layer): the wasm file is read at the first use. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setSdkName } from "../client.js";
import { setDurableWaits } from "../durable.js";
import { setLoader } from "../engine.js";
import { setMaker } from "../handle.js";
import { setJournalCalls } from "../journal.js";
import { durable } from "../node-durable.js";
import { journal, journalOf } from "../node-journal.js";
import { hostOf, makeClient } from "../node-transport.js";
import { setSaver } from "../saver.js";
import { saveToFile } from "../node-save.js";

setSdkName("node");
setLoader({ now: () => readFileSync(join(__dirname, "junfeiai-node.wasm")) });
setSaver(saveToFile);
setDurableWaits(durable);
setJournalCalls(journal);
setMaker((shaped) => {
  // Connections outlive a restart of the module.
  const host = hostOf(shaped);
  const store = journalOf(shaped.options["journal"]);
  return () => makeClient(shaped, host, store);
});
export * from "../index.js";
