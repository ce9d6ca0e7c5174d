/** Signals that end the command as Ctrl-C does. */
import { readFileSync } from "node:fs";
import { constants } from "node:os";

/** SIGBREAK is Ctrl-Break of Windows, by which other programs end a process group there. */
const NAMES = ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const;

/** The command was asked to end. */
export class Interruption {
  readonly #stop = new AbortController();
  /** Which signal it was. */
  number: number | undefined;
  /** Raised with the first signal. */
  readonly signal = this.#stop.signal;

  /** Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed. A second signal ends the process at once. */
  static listen(): Interruption {
    const interruption = new Interruption();
    const names = NAMES.filter((name) => name !== "SIGHUP" || !underNohup());
    // Node took the disposition that `nohup` had set away from itself.
    if (names.length < NAMES.length) process.on("SIGHUP", () => undefined);
    const end = (name: NodeJS.Signals): void => {
      for (const one of names) process.off(one, end);
      interruption.number = constants.signals[name];
      interruption.#stop.abort();
    };
    for (const name of names) process.on(name, end);
    return interruption;
  }

  /** Resolves with the signal. */
  async wait(): Promise<void> {
    // A timer keeps the process alive.
    const timer = setInterval(() => undefined, 3_600_000);
    await new Promise<void>((resolve) => {
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener("abort", () => { resolve(); });
    });
    clearInterval(timer);
  }
}

/** `nohup` in a terminal leaves a standard input that can only be written. */
function underNohup(): boolean {
  try {
    const [, flags = "0"] = /^flags:\s*([0-7]+)/m.exec(readFileSync("/proc/self/fdinfo/0", "latin1")) ?? [];
    return (parseInt(flags, 8) & 3) === 1;
  } catch {
    return false;
  }
}
