/** Durable waits: a wait as a plain object that any process can continue. Node's entry point brings them; a page does not load them. */
import type { RawTask, RawVideo } from "#glue";
import { own } from "./calls.js";
import type { Handle } from "./handle.js";
import type { WaitOptions } from "./option-types.js";

/**
 * A wait between two polls as JSON: `JSON.stringify` keeps it, and every binding of the library reads it. It holds the task's id and
 * times, never the key.
 */
export interface WaitState {
  readonly task_id: string;
  readonly [field: string]: unknown;
}

/** What the entry point for Node brings. @internal */
export interface DurableWaits {
  begin(task: RawTask, options: unknown): WaitState;
  advance(handle: Handle, state: WaitState, options: Pick<WaitOptions, "signal">): Promise<RawVideo | [WaitState, number]>;
}

let known: DurableWaits | undefined;

/** @internal */
export function setDurableWaits(waits: DurableWaits): void {
  known = waits;
}

/** @internal */
export function durableWaits(): DurableWaits {
  if (known) return known;
  throw own("config", "wait", "a page has no durable waits: use wait(), or run this in Node, Bun or Deno");
}
