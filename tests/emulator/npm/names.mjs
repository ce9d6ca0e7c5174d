// The names that the emulator knows, for editors and type checkers: those of the Python package, which is where they are written.
// pack.mjs puts them into the npm package.
import { readFileSync } from "node:fs";

const text = readFileSync(new URL("../python/junfeiai_emulator/_names.py", import.meta.url), "utf8");

/** @param {string} name @returns {readonly string[]} */
export const listed = (name) => {
  const [, names] = new RegExp(`^${name}: TypeAlias = Literal\\[([^\\]]*)\\]`, "m").exec(text) ?? [];
  if (names === undefined) throw new Error(`_names.py has no ${name}`);
  return [...names.matchAll(/"(\w+)"/g)].map(([, one]) => String(one));
};

export const FAULTS = listed("FaultKind");
export const SHAPES = listed("ErrorShape");

/** The same names as a module that reads nothing and has types. */
export const written = () => `// The names that the emulator knows, for editors and type checkers.

/** The faults. What each does, and its fields: the emulator's README, "Faults". */
export const FAULTS = /** @type {const} */ ([
${FAULTS.map((name) => `  "${name}",\n`).join("")}]);

/** The errors of the service itself, and of the proxies in front of it. */
export const SHAPES = /** @type {const} */ ([
${SHAPES.map((name) => `  "${name}",\n`).join("")}]);
`;
