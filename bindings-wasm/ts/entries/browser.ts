/** Pages, workers and bundlers: the wasm files lie beside this one, in parts. */
import { guarded, heard, own, take, textOf } from "../calls.js";
import { setSdkName } from "../client.js";
import { call, run, setLoader, setNext, type WasmSource } from "../engine.js";
import { JunFeiAIError, toError } from "../errors.js";
import { setMaker, simple } from "../handle.js";
import { noJournal, setJournalCalls } from "../journal.js";
import { microtask } from "../microtask.js";
import { translate } from "../names.js";
import { Video } from "../video.js";

/** The file, or the same bytes as text, in a chunk of their own: a bundler may have moved this file and not the other. */
async function load(url: URL, inline: () => Promise<{ wasm: () => Uint8Array }>, cache: RequestCache): Promise<WasmSource> {
  try {
    const response = await fetch(url, { cache });
    // Servers of single-page programs answer every path with a page.
    if (response.ok && !(response.headers.get("content-type") ?? "").startsWith("text/html")) return response;
  } catch { /* no such file there, or a policy against it */ }
  return (await inline()).wasm();
}

setSdkName("browser");
setLoader({
  later: (cache) => load(new URL("./junfeiai-page.wasm", import.meta.url), () => import("#inline"), cache),
  part: (part, cache) => (part === "read"
    ? load(new URL("./junfeiai-page-read.wasm", import.meta.url), () => import("#inline-read"), cache)
    : load(new URL("./junfeiai-page-more.wasm", import.meta.url), () => import("#inline-more"), cache)),
});

/** Loaded for the first client with the option `journal`. */
let journal: typeof import("#journal") | undefined;

setMaker((shaped) => {
  const { options, fetch } = shaped;
  if (options["journal"] == null) {
    delete options["journal"];
    return simple(shaped);
  }
  setNext(async () => {
    journal = await import("#journal");
    return [journal.glue, (cache) => load(new URL("./junfeiai-page-journal.wasm", import.meta.url), () => import("#inline-journal"), cache)];
  });
  return () => {
    if (journal) return journal.make(options, fetch);
    throw own("config", "config", "the journal is not loaded; call await ready()");
  };
});
setJournalCalls(async (handle) => {
  await handle.ready();
  return journal?.journal ?? noJournal(handle);
});
/** What the journal's file shares with this one. @internal */
export const __journal = { JunFeiAIError, Video, call, guarded, heard, microtask, own, run, take, textOf, toError, translate };
export * from "../index.js";
