/** Cloudflare Workers: WebAssembly is compiled when it is deployed, so the wasm file is a module to import. */
import { RawClient } from "#glue";
import module from "#wasm";
import { setSdkName } from "../client.js";
import { call, setLoader } from "../engine.js";
import { setUp } from "../no-journal.js";

// Its `fetch` refuses what only a browser has: cookies, a cache and a referrer to be left out.
const ours: typeof fetch = (input, init = {}) => {
  const { cache: _, credentials: __, referrerPolicy: ___, ...rest } = init;
  return fetch(input, rest);
};

setUp(({ options, fetch: given = ours }) => () => call(() => new RawClient(options, given as never)));
setSdkName("browser");
setLoader({ now: () => module });
export * from "../index.js";
