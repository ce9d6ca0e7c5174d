/** The wasm file as text inside, for bundlers and places that take JavaScript only. */
import { wasm } from "#inline";
import { setSdkName } from "../client.js";
import { setLoader } from "../engine.js";
import { setUp } from "../no-journal.js";

setUp();
setSdkName("browser");
setLoader({ now: wasm });
export * from "../index.js";
