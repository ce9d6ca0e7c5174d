/**
 * For those who load the wasm file themselves: `await ready(source)` comes first.
 *
 * @module junfeiai/slim
 */
export * from "../index.js";
export type { WasmSource } from "../engine.js";
