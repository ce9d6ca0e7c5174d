/**
 * Ctrl-C, SIGTERM and SIGHUP: where nobody listens to them they end Node without its event `exit`, and nothing would say which paid
 * tasks the program leaves behind. They still end it, with the same exit code. In Deno and Bun they are left alone.
 */
import { setWatch } from "./calls.js";

/** Windows ends the process after the others, too, and knows no way to raise them. */
const SIGNALS = process.platform === "win32" ? ["SIGINT"] as const : ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type Signal = (typeof SIGNALS)[number];

let report = (): void => undefined;
let listening = false;

function raised(signal: Signal): void {
  process.off(signal, raised);
  // The program's own decide what comes of it, as if this one were not there. If they end it by `process.exit`, its event says what is left.
  if (process.listenerCount(signal) > 0) return;
  report();
  process.kill(process.pid, signal);
}

export function listenToSignals(): void {
  if ("Deno" in globalThis || "document" in globalThis || process.versions["bun"]) return;
  setWatch((count, how) => {
    report = how;
    if (listening === count > 0) return;
    listening = count > 0;
    for (const signal of SIGNALS) {
      // In front of the program's own, some of which end the process only where they are alone.
      if (listening) process.prependListener(signal, raised);
      else process.off(signal, raised);
    }
  });
}
