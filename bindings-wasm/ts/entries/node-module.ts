/** Node's module for bundlers: one file, with the wasm file as text inside, that works wherever it is moved. */
import { wasm } from "#inline";
import { setLoader } from "../engine.js";
import { setUp } from "../node-parts.js";

setUp();
setLoader({ now: wasm });
export * from "../index.js";
