/** For the builds that cannot keep a journal. */
import { own } from "./calls.js";
import { setMaker, simple, type Maker } from "./handle.js";
import { setJournalCalls } from "./journal.js";

/** `make` is what makes their clients. */
export function setUp(make: Maker = simple): void {
  // The module refuses the option by its name, whatever was given: a store is not looked into.
  setMaker(({ options, ...shaped }) => make({ ...shaped, options: { ...options, journal: options["journal"] == null ? undefined : true } }));
  setJournalCalls(() => {
    throw own("config", "config", "this build keeps no journal: import \"junfeiai\", in Node, Bun, Deno or a page", { field: "journal" });
  });
}
