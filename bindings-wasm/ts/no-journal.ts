/** For the builds that cannot keep a journal. */
import { own } from "./calls.js";
import { setJournalCalls } from "./journal.js";

export function setUp(): void {
  setJournalCalls(() => {
    throw own("config", "config", "this build keeps no journal: import \"junfeiai\", in Node, Bun, Deno or a page", { field: "journal" });
  });
}
