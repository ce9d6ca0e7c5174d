/** A seekable reader of a video. Node's entry point brings it; a page does not load it. */
import type { RawVideo } from "#glue";
import { own } from "./calls.js";
import type { About } from "./engine.js";
import type { Handle } from "./handle.js";
import type { VideoReader } from "./node-reader.js";

/** What the entry point for Node brings. @internal */
export type OpenReader = (
  handle: Handle, video: () => RawVideo, about: About, options: { signal?: AbortSignal | null | undefined },
) => Promise<VideoReader>;

let known: OpenReader | undefined;

/** @internal */
export function setOpenReader(open: OpenReader): void {
  known = open;
}

/** @internal */
export function openReader(taskId: string | null): OpenReader {
  if (known) return known;
  throw own("config", "content", "a page has no seekable reader: use readRange() or stream(), or run this in Node, Bun or Deno", { taskId });
}
