/** Which way of playing belongs to which client. `junfeiai/playback` registers itself here. */
import type { Handle } from "./handle.js";

/** How a `<video>` gets its bytes. */
export type PlaybackMode = "worker" | "direct" | "blob";

/** What of a video a player needs. */
export interface Playable {
  readonly taskId: string | null;
  readonly url: string | null;
  blob(options: { signal?: AbortSignal | null | undefined }): Promise<Blob>;
}

export interface Player {
  readonly mode: PlaybackMode;
  url(video: Playable, signal?: AbortSignal | null): Promise<string>;
}

const players = new WeakMap<Handle, Player>();

export function setPlayer(handle: Handle, player: Player | undefined): void {
  if (player) players.set(handle, player);
  else players.delete(handle);
}

/** True when neither key nor headers are to be sent: what is in front of the service adds the key, so its address plays as it is. */
export function isKeyless({ shaped: { options } }: Handle): boolean {
  return options["api_key"] === undefined && Object.keys(options["headers"] ?? {}).length === 0;
}

export async function playbackURL(handle: Handle, video: Playable, signal?: AbortSignal | null): Promise<string> {
  const player = players.get(handle);
  if (player) return player.url(video, signal);
  if (isKeyless(handle) && video.taskId) return direct(handle, video.taskId);
  return URL.createObjectURL(await video.blob({ signal }));
}

/** The address of a task's video at the endpoint itself. */
export function direct(handle: Handle, taskId: string): string {
  return `${handle.raw().endpoint}/videos/${encodeURIComponent(taskId)}/content`;
}
