/** What the other entry points of the package need of a client. Not part of the public API. */
import { panicForTests } from "#glue";
import { own, take } from "./calls.js";
import { call, ready, run, tryNow } from "./engine.js";
import { handleOf, type Client } from "./client.js";
import { whatHappened } from "./errors.js";
import type { VideoReader } from "./node-reader.js";
import { CLIENT } from "./option-types.js";
import { direct, isKeyless, setPlayer, type Player } from "./playback-of.js";
import type { Video } from "./video.js";

/** @internal */
export interface PlaybackInner {
  ready(): Promise<void>;
  keyless: boolean;
  options: Record<string, unknown>;
  direct(this: void, video: Video): Promise<string>;
  set(player: Player): void;
}

/** @internal */
export function playbackOf(client: Client): PlaybackInner {
  const handle = handleOf(client);
  return {
    ready,
    keyless: isKeyless(handle),
    options: handle.shaped.options,
    direct: async (video) => direct(handle, video.taskId ?? ""),
    set: (player) => { setPlayer(handle, player); },
  };
}

const shared = { take, CLIENT, own, whatHappened };
/** How options are read, those of a client, and what else the package's other parts share with it. @internal */
export const __options: typeof shared & {
  /** Status, begin and end of the answer to a player that sends this `Range` header for a file of this length. In Node. */
  rangeOf?: (header: string | undefined, length: number) => [number, number, number];
  /** A file name made of a task's id, which is no more than a name to any system. In Node. */
  fileNameOf?: (client: Client, taskId: string) => string;
  /** A reader of these bytes, for the fakes. In Node. */
  readerOf?: (content: Uint8Array<ArrayBuffer>, taskId: string | null) => VideoReader;
} = shared;

/** A defect on purpose, for the tests of what comes of one. @internal */
export function __panicForTests(later = false): unknown {
  tryNow();
  return later ? run(() => panicForTests(true)) : call(() => panicForTests(false));
}
