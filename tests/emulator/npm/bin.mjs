#!/usr/bin/env node
// The emulator's program, on the terminal of whoever starts it.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { program } from "./index.mjs";

try {
  const child = spawn(program(), process.argv.slice(2), { stdio: "inherit" });
  // A signal from the terminal reaches both; one that is sent to us alone is handed on.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => { console.error(`error: ${error.message}`); process.exitCode = 1; });
  child.on("close", (code, signal) => { process.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0); });
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
