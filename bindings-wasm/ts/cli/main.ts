/**
 * The command `junfeiai` of the npm package: the same commands, options, output and exit codes as those of the Python package's
 * command. What both do is written in `tests/scenarios/cli`.
 */
import { readFileSync } from "node:fs";
import { release, type } from "node:os";
import { parse } from "./arguments.js";
import { connection } from "./client-options.js";
import { RUN } from "./commands.js";
import { configError, exitCode, isFailure } from "./exit-codes.js";
import { namedJournal } from "./journals.js";
import { Output, readable, systemError, withoutKey, write } from "./output.js";
import { Interruption } from "./signals.js";

/** From the build: `scripts/build.mjs`. */
declare const BUILD: { target: string; compiler: string; commit?: string };

/** Everything that a report of a defect needs, and nothing about the user. */
function buildFacts(folder: URL): string {
  const read = (name: string): Buffer => readFileSync(new URL(name, folder));
  const { version } = JSON.parse(read("../package.json").toString()) as { version: string };
  return [
    `junfeiai ${version}`,
    "package   npm",
    ...Object.entries(BUILD).map(([name, fact]) => `${name.padEnd(9)} ${fact}`),
    `module    junfeiai-node.wasm, ${read("junfeiai-node.wasm").length} bytes`,
    `node      ${process.versions.node}, V8 ${process.versions.v8}, ${process.platform}-${process.arch}`,
    `system    ${type()} ${release()}`,
  ].join("\n");
}

/** Runs one command and gives its exit code. `folder` is where the package's files are. */
export async function main(words: readonly string[], folder: URL): Promise<number> {
  const parsed = parse(words);
  if ("error" in parsed) {
    const text = withoutKey(parsed.error);
    // What stands in front of it is how the command is written.
    if (words.includes("--json")) write(`${JSON.stringify({ error: { kind: "config", text: text.slice(text.lastIndexOf("error: ") + 7).trimEnd() } })}\n`);
    write(readable(text), 2);
    return 2;
  }
  if ("print" in parsed || "version" in parsed) {
    write("print" in parsed ? parsed.print : `${buildFacts(folder)}\n`);
    return 0;
  }
  const { options } = parsed;
  const output = new Output({ json: options["json"] === true, progress: options["progress"] as string });
  output.options = new Set(Object.keys(options));
  output.connection = connection(options);
  const interruption = Interruption.listen();
  try {
    if (typeof options["journal"] === "string") options["journal"] = namedJournal(options["journal"]);
    if (options["output"] === "") throw configError("--output is empty: name a file or a folder");
    if (options["output"] === "-") {
      throw configError("--output is -, and videos are not written to standard output: name a file or a folder; ./- is one of that name");
    }
    return await RUN[options.command]!({ options, output, interruption });
  } catch (error) {
    // Whatever the call ended with: it was asked to.
    if (interruption.number !== undefined) {
      output.interrupted(error);
      return 128 + interruption.number;
    }
    if (isFailure(error)) {
      output.journal ??= options["no_journal"] === true ? undefined : options["journal"] as string | undefined;
      output.failure(error);
      return exitCode(error);
    }
    // What the system refuses. Anything else is a defect, which is shown as it is.
    if ((error as { code?: unknown }).code === undefined) throw error;
    output.refused("io", systemError(error));
    return 2;
  }
}
