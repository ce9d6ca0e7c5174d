/** The wasm file, as an engine gives it that compiles it before the program runs. */
declare const module: WebAssembly.Module;
export default module;
