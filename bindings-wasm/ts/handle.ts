/** The native side of a client, made when it is needed and made anew after a panic. */
import type { RawClient } from "#glue";
import { call, glue, having, life, needLoaded, readyFor, tryNow, type About, type WasmPart } from "./engine.js";
import { ofTask } from "./errors.js";
import { isPath, type LogEntry } from "./values.js";

export interface Shaped {
  options: Record<string, unknown>;
  fetch: typeof globalThis.fetch | undefined;
  log?: ((entry: LogEntry) => unknown) | undefined;
}

/** Gives what makes the client in the module, each time anew: it is asked once for each client. */
export type Maker = (shaped: Shaped) => () => RawClient;

/** The client of a page without a journal. */
export const simple: Maker = ({ options, fetch }) => () => call(() => new glue.RawClient(options, fetch as never));
let maker = simple;
/** An entry point that brings a transport of its own sets how. */
export function setMaker(make: Maker): void {
  maker = make;
}

export class Handle {
  /** The last one is used. What those of a module that was replaced were asked for continues in them. */
  #raws: RawClient[] = [];
  #life = -1;
  #closed = false;
  readonly shaped: Shaped;
  readonly #make: () => RawClient;
  readonly #journal: boolean;

  constructor(shaped: Shaped) {
    this.shaped = shaped;
    this.#make = maker(shaped);
    this.#journal = shaped.options["journal"] !== undefined;
    // Where the module is there at once, wrong options are refused at once; but a path of the page's server where there is no page,
    // since pages are also rendered on servers, before they are sent: then with the first call.
    if (tryNow() && !isPath(shaped.options["base_url"] ?? shaped.options["endpoint"])) this.raw();
  }

  /** True when `raw` can be called. */
  get loaded(): boolean {
    return tryNow();
  }

  raw(): RawClient {
    needLoaded();
    if (this.#life !== life()) this.#raws = [];
    let raw = this.#raws.at(-1);
    // Another module may have taken the place of the one that it was made in.
    if (!(raw instanceof glue.RawClient)) {
      this.#raws.push(raw = this.#make());
      this.#life = life();
      // What a closed client looks up is looked up, and no create request leaves.
      if (this.#closed) raw.close();
    }
    return raw;
  }

  /** The module is loaded. `about` is what an error says beside. */
  ready(about?: About): Promise<RawClient> {
    return this.#after(() => readyFor(this.#journal), about);
  }

  /** The same with a part that a page loads only when it is wanted. */
  having(part: WasmPart, about?: About): Promise<RawClient> {
    return this.#after(() => having(part, about, this.#journal), about);
  }

  async #after(load: () => Promise<void>, about: About | undefined): Promise<RawClient> {
    try {
      await load();
      return this.raw();
    } catch (error) {
      throw ofTask(error, about?.().task_id);
    }
  }

  close(): void {
    this.#closed = true;
    for (const raw of this.#life === life() ? this.#raws : []) {
      raw.close();
      raw.free();
    }
    this.#raws = [];
  }
}

/** A native object that can be made again from what the wrapper knows. */
export class Part<T extends { free(): void }> {
  #raw: T | undefined;
  #life: number;
  readonly #make: () => T;

  constructor(make: () => T, raw?: T) {
    this.#make = make;
    this.#raw = raw;
    this.#life = life();
  }

  get(): T {
    if (!this.#raw || this.#life !== life()) {
      this.#raw = call(this.#make);
      this.#life = life();
    }
    return this.#raw;
  }

  free(): void {
    if (this.#raw && this.#life === life()) this.#raw.free();
    this.#raw = undefined;
  }
}
