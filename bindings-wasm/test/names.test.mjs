// Every text of an error that JavaScript can meet names options and methods as they are written there. What calls meet at run time is in
// options.test.mjs; here are the texts in the sources, whichever call leads to them.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root } from "./emulator.mjs";

/** Texts that nobody meets in JavaScript, and why. */
const ELSEWHERE = {
  "the Timer of this client does not tell the time of day: make its unix_now return it": "the package brings the timer",
  "nothing was sent, because the journal answers what it was not asked: correct its Journal::reserve": "the package brings the journal",
  "this journal keeps no sums of days: it has to have Journal::reserve for a budget": "as above",
  "this journal keeps no keys: it has to have Journal::key and Journal::claim": "as above",
};
/** Names that are not of this library, or of a plain object that users do not write. */
const KEPT = ["junfeiai_wait"];

let folder, translate;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "junfeiai-names-"));
  const outfile = join(folder, "names.mjs");
  await build({ entryPoints: [join(root, "bindings-wasm/ts/names.ts")], outfile, bundle: true, format: "esm", target: "es2022", logLevel: "error" });
  ({ translate } = await import(pathToFileURL(outfile).href));
});
after(() => rm(folder, { recursive: true, force: true }));

/** What is compiled for JavaScript, without comments and tests. */
async function sources(place, ending, skip) {
  const found = [];
  for (const entry of await readdir(join(root, place), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !entry.name.endsWith(ending) || skip.test(relative(root, path))) continue;
    const text = (await readFile(path, "utf8")).replaceAll(/(^|\s)\/\/.*$/gm, "").split(/#\[cfg\(test\)\]\n(?:#\[allow|mod )/)[0];
    found.push([relative(root, path), text]);
  }
  return found;
}

/** The sentences in strings, without what is put into them. */
function sentences(text) {
  const strings = [...text.matchAll(/"((?:[^"\\]|\\[^])*)"/g)].map(([, string]) => string.replaceAll(/\\\n\s*/g, "").replaceAll(/\{[^{}]*\}/g, "{}"));
  return strings.filter((string) => /^[\w"\\{].* .*[a-z]/.test(string) && !/[;={]\n|\b(?:let|fn|if|match|pub) /.test(string));
}

test("the sentences of the core name options as JavaScript has them", async () => {
  const skip = /_tests|tests\.rs$|platform\/native|client\/blocking/;
  const files = [...await sources("core/src", ".rs", skip), ...await sources("bindings-wasm/src", ".rs", skip)];
  const all = files.flatMap(([path, text]) => sentences(text).map((sentence) => [path, sentence]));
  // It reads what it should.
  assert.ok(all.length > 400, String(all.length));
  assert.ok(all.some(([, text]) => text.includes("set JUNFEIAI_API_KEY or pass api_key")));
  const wrong = all.flatMap(([path, sentence]) => {
    if (sentence in ELSEWHERE) return [];
    const said = translate(sentence);
    const names = [...said.matchAll(/\b[a-z]+(?:_[a-z]+)+\b|\b\w+::\w+/g)].map(([name]) => name).filter((name) => !KEPT.includes(name));
    return names.length > 0 ? [`${path}: ${names.join(", ")}: ${said}`] : [];
  });
  assert.deepEqual(wrong, []);
  for (const text of Object.keys(ELSEWHERE)) assert.ok(all.some(([, sentence]) => sentence === text), `nobody says any more: ${text}`);
});

test("the sentences of the package name what JavaScript has", async () => {
  const files = await sources("bindings-wasm/ts", ".ts", /ts\/cli\//);
  const all = files.flatMap(([path, text]) => [...text.matchAll(/["`]((?:[^"`\\]|\\[^])*)["`]/g)].map(([, string]) => [path, string.replaceAll(/\$\{[^}]*\}/g, "{}")]))
    .filter(([, string]) => /^[\w{].* .*[a-z]/.test(string) && !string.includes("\n"));
  assert.ok(all.length > 100, String(all.length));
  const wrong = all.filter(([, sentence]) => /\b[a-z]+(?:_[a-z]+)+\b/.test(sentence)).map(([path, sentence]) => `${path}: ${sentence}`);
  assert.deepEqual(wrong, []);
});
