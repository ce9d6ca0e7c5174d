#!/usr/bin/env node
// The emulator's program, on the terminal of whoever starts it.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { program } from "./index.mjs";

try {
  // A signal from the terminal reaches both; one that is sent to us alone is handed on. First of all: the program may say that it
  // listens, and we be ended for it, before `spawn` returns.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.on(signal, () => child.kill(signal));
  const child = spawn(program(), process.argv.slice(2), { stdio: "inherit" });
  child.on("error", (error) => { console.error(`error: ${error.message}`); process.exitCode = 1; });
  child.on("close", (code, signal) => { process.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0); });
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
