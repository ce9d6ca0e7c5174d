/** Files that another program holds for a moment, as `unless_held` of `core/src/platform/native/files.rs` treats them. */
import { setTimeout as sleep } from "node:timers/promises";

/** The first pause before the next try; each is twice as long as the one before. */
const FIRST_MS = 4;
/** For so long at most. */
const LIMIT_MS = 2000;
/** What Node makes of a sharing violation, a lock violation, and of what a rename over a file gives that is open. */
const HELD = ["EBUSY", "EPERM", "EACCES"];

/**
 * Repeats an operation while another program holds the file up. On Windows, virus scanners and indexers open each new file for a
 * moment; until they close it, it cannot be renamed or removed, nor sometimes opened. Elsewhere nothing is repeated.
 */
export async function unlessHeld<T>(
  operation: () => Promise<T>, { platform, pause }: { platform: string; pause: (ms: number) => Promise<unknown> } = { platform: process.platform, pause: sleep },
): Promise<T> {
  for (let ms = FIRST_MS, slept = 0; ; ms = Math.min(ms * 2, LIMIT_MS - slept)) {
    try {
      return await operation();
    } catch (error) {
      if (platform !== "win32" || slept >= LIMIT_MS || !HELD.includes((error as { code?: string } | null)?.code ?? "")) throw error;
    }
    await pause(ms);
    slept += ms;
  }
}
