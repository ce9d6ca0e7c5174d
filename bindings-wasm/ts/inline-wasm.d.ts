/** The wasm file, as the build puts it in. */
export function wasm(): Uint8Array<ArrayBuffer>;
