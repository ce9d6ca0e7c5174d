/**
 * Which tabs and workers of this origin run: each that writes a journal holds a lock, which the browser releases when it ends, however
 * that happens. So a create request of a tab that was closed is known as one without an outcome at once.
 */
import type { Processes } from "./journal-calls.js";

const PREFIX = "junfeiai-tab:";

export class Tabs implements Processes {
  /** A number of its own. A page has no other. */
  readonly pid = crypto.getRandomValues(new Uint32Array(1))[0]! || 1;
  readonly bootId = undefined;
  readonly pidSpace = undefined;
  #held: Promise<void> | undefined;
  #running: ReadonlySet<string> | undefined;

  procStat(): undefined { return undefined; }

  /** As of the last look; `undefined` where that could not be known. */
  processExists(pid: number): boolean | undefined {
    return pid === this.pid || this.#running?.has(`${PREFIX}${pid}`);
  }

  /** Shows the others that this one runs. To be called before anything is written in its name. */
  hold(): Promise<void> {
    this.#held ??= held(`${PREFIX}${this.pid}`, { mode: "shared" }).then(() => undefined, (error: unknown) => {
      this.#held = undefined;
      throw error;
    });
    return this.#held;
  }

  /** Looks who runs. To be called after the rows were read: who has written one held the lock before. */
  async look(): Promise<void> {
    try {
      const { held: locks = [] } = await navigator.locks.query();
      this.#running = new Set(locks.flatMap(({ name }) => name ?? []));
    } catch {
      this.#running = undefined;
    }
  }
}

/**
 * Takes a lock, and gives what releases it; `undefined` where it is taken and not waited for. A page that ends releases all. Without Web
 * Locks, which only a store of the page's own can be used with, nobody is kept away.
 */
export function held(name: string, options: LockOptions): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    if (!(navigator as Partial<Navigator>).locks) {
      resolve(() => undefined);
      return;
    }
    navigator.locks.request(name, options, (lock) => (lock
      ? new Promise<void>((release) => { resolve(release); })
      : resolve(undefined))).catch(reject);
  });
}
