/** The option `log`: the core's events on their way to a function of the caller's. */
import type { AsyncLocalStorage } from "node:async_hooks";
import { asyncHooks } from "#builtins";
import { own } from "./calls.js";
import type { Shaped } from "./handle.js";
import { around } from "./microtask.js";
import { translate } from "./names.js";
import type { LogEntry } from "./values.js";

const LEVELS: readonly unknown[] = ["error", "warn", "info", "debug", "trace"] satisfies LogEntry["level"][];
/** Fields that the core gives in seconds. */
const SECONDS = ["elapsed", "retry_after"];

/** True wherever a log function runs, and in what it has begun. */
let calling: AsyncLocalStorage<boolean> | undefined;

function storage(): AsyncLocalStorage<boolean> {
  if (!calling) {
    const made = calling = new (asyncHooks().AsyncLocalStorage)<boolean>();
    // Except in the module: what a log function has begun runs there together with what others have, and calls their callbacks.
    around((begin) => (work) => { made.run(false, begin, work); });
  }
  return calling;
}

/** An entry with the names of the core. */
type RawEntry = Omit<LogEntry, "fields"> & { fields: Record<string, string | number | boolean> };

/** What the module calls: `bindings-wasm/src/log.rs`. */
export class NodeLog {
  readonly level: LogEntry["level"];
  readonly #log: (entry: LogEntry) => unknown;
  readonly #calling = storage();
  #failed = false;

  constructor(log: (entry: LogEntry) => unknown, level: LogEntry["level"]) {
    this.#log = log;
    this.level = level;
  }

  get isCalling(): boolean { return this.#calling.getStore() === true; }

  /** In a microtask: the module is in the middle of its work, and the function may call it. */
  write({ level, event, message, fields }: RawEntry): void {
    Promise.resolve({ level, event, message: translate(message), fields: named(fields) })
      .then((entry) => this.#calling.run(true, this.#log, entry))
      .catch((error: unknown) => {
        if (!this.#failed) console.warn("junfeiai: the function of the option log failed; its next failures are not reported", error);
        this.#failed = true;
      });
  }
}

/** Fields by their names in JavaScript: camelCase and milliseconds. */
function named(fields: RawEntry["fields"]): LogEntry["fields"] {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => {
    const camel = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    return SECONDS.includes(name) ? [`${camel}Ms`, Math.round(Number(value) * 1000)] : [camel, value];
  }));
}

/** The log that a client's options ask for. */
export function logOf({ options, log }: Shaped): NodeLog | undefined {
  const level = options["log_level"] ?? undefined;
  const refuse = (why: string): Error => own("config", "config", why, { field: "logLevel" });
  if (level !== undefined && !LEVELS.includes(level)) throw refuse('logLevel must be "error", "warn", "info", "debug" or "trace"');
  if (log) return new NodeLog(log, (level ?? "info") as LogEntry["level"]);
  if (level !== undefined) throw refuse("logLevel needs log, the function that is called with each entry: give both");
  return undefined;
}
