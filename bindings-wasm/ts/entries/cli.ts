#!/usr/bin/env node
/** The command `junfeiai`. */
import { main } from "../cli/main.js";

// What is still open, such as connections that are kept for the next request, does not hold the end up.
process.exit(await main(process.argv.slice(2), new URL(".", import.meta.url)));
