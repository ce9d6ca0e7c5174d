/** What the other entry points of the package need of a client. Not part of the public API. */
import { panicForTests } from "#glue";
import { take } from "./calls.js";
import { call, ready, run, tryNow } from "./engine.js";
import { handleOf, type Client } from "./client.js";
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

/** How options are read, and those of a client. @internal */
export const __options = { take, CLIENT };

/** A defect on purpose, for the tests of what comes of one. @internal */
export function __panicForTests(later = false): unknown {
  tryNow();
  return later ? run(() => panicForTests(true)) : call(() => panicForTests(false));
}
