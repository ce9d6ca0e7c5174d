#!/usr/bin/env node
/** The command `junfeiai`. */
// An older Node does not even load the rest, and says something else: this comes first, and the rest behind it.
if (!(Number.parseInt(process.versions.node, 10) >= 20)) {
  process.stderr.write(`error: the command needs Node 20 or newer, this is ${process.versions.node}\n`);
  process.exit(1);
}
const { main } = await import("../cli/main.js");

// What is still open, such as connections that are kept for the next request, does not hold the end up.
process.exit(await main(process.argv.slice(2), new URL(".", import.meta.url)));
