/** The log of the command, on standard error, as the Python package's command writes it. No line holds the key. */
import type { ClientOptions } from "#main";
import { write } from "./output.js";

const LEVELS = { trace: "TRACE", debug: "DEBUG", info: "INFO", warn: "WARNING", error: "ERROR" } as const;

/** What `-v`, or the variable, asks for, as options of a client: `info` what the command does, `debug` every request, too. */
export function logOptions(verbose: number): Pick<ClientOptions, "log" | "logLevel"> {
  const word = (process.env["JUNFEIAI_LOG"] || (verbose === 0 ? "off" : verbose === 1 ? "info" : "debug")).toLowerCase();
  if (word === "off") return {};
  const level = word === "warning" ? "warn" : word;
  return {
    logLevel: Object.hasOwn(LEVELS, level) ? level as keyof typeof LEVELS : "info",
    log({ level, message, fields }) {
      const shown = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`);
      write(`${LEVELS[level]} junfeiai ${message}${shown.join("")}\n`, 2);
    },
  };
}
