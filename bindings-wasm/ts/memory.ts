/** Where a video is gathered: outside of the module, which never gives memory back. */
export class Memory {
  #bytes = new Uint8Array(0);
  #length = 0;

  write(at: number, bytes: Uint8Array, length: number | undefined): void {
    const end = at + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, length ?? this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, at);
    this.#length = Math.max(this.#length, end);
  }

  clear(): void {
    this.#length = 0;
  }

  read(at: number, length: number): Uint8Array {
    return this.#bytes.subarray(at, Math.min(at + length, this.#length));
  }

  /** All of it, in a buffer of its length. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.length === this.#length ? this.#bytes : this.#bytes.slice(0, this.#length);
  }
}
