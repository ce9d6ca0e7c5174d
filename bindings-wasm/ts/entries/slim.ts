/**
 * For those who load the wasm file themselves: `await ready(source)` comes first.
 *
 * @module junfeiai/slim
 */
import { setUp } from "../no-journal.js";

setUp();
export * from "../index.js";
export type { WasmSource } from "../engine.js";
