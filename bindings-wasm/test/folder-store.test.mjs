// The journal's folder as a store: what compares and sets is a hard link, whatever the other processes do meanwhile.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { promises } from "node:fs";
import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

let folder, module, FolderStore, place;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "junfeiai-folder-"));
  const outfile = join(folder, "folder-store.mjs");
  await build({ entryPoints: [join(import.meta.dirname, "../ts/folder-store.ts")], outfile, bundle: true, format: "esm", platform: "node", target: "es2022", logLevel: "error" });
  module = pathToFileURL(outfile).href;
  ({ FolderStore } = await import(module));
});
after(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => { place = await mkdtemp(join(folder, "rows-")); });

/** All files but those of the folder itself. */
const files = async () => (await readdir(place, { recursive: true })).filter((name) => /\.\d+$/.test(name)).map((name) => name.slice(3));

describe("a row", () => {
  test("is replaced by whoever knows its version, and by nobody else", async () => {
    const [one, other] = [new FolderStore(place), new FolderStore(place)];
    assert.equal(await one.load("a"), null);
    const first = await one.swap("a", null, "first");
    assert.ok(first >= 1);
    assert.equal(await other.swap("a", null, "theirs"), null);
    assert.deepEqual(await other.load("a"), { value: "first", version: first });
    const second = await other.swap("a", first, "second\n");
    assert.equal(await one.swap("a", first, "late"), null);
    assert.equal(await one.swap("a", first, null), null);
    assert.deepEqual(await one.scan(""), [{ name: "a", value: "second\n", version: second }]);
    const third = await one.swap("a", second, null);
    assert.deepEqual([await other.load("a"), await other.scan("")], [null, []]);
    assert.equal(await other.swap("a", second, "late"), null);
    assert.equal(await other.swap("a", third, "late"), null, "what is removed has no version");
    const fourth = await other.swap("a", null, "anew");
    assert.equal(new Set([first, second, third, fourth]).size, 4, "a version never comes back");
    assert.deepEqual(await one.load("a"), { value: "anew", version: fourth });
  });

  test("has any name and any text", async () => {
    const store = new FolderStore(place);
    const names = ["a", "A", "k/00ff", "k/00fe", "k.1", "..", "con", "\u4efb\u52a1", "\ud83d\ude00", "a b", "a%20b", "-_", "*?:|<>\"\\"];
    for (const name of names) assert.ok(await store.swap(name, null, `${name} `), name);
    for (const name of names) assert.equal((await store.load(name)).value, `${name} `);
    assert.deepEqual((await store.scan("")).map((row) => row.name).sort(), [...names].sort());
    assert.deepEqual((await store.scan("k/")).map((row) => row.name).sort(), ["k/00fe", "k/00ff"]);
    assert.equal(new Set((await files()).map((name) => name.toLowerCase())).size, names.length, "no two differ in capitals only");
    await assert.rejects(async () => store.swap("n".repeat(1000), null, "x"), /ENAMETOOLONG/);
    for (const value of ["", "-", "+", "\u0001".repeat(100_000)]) {
      const { version } = await store.load("a");
      await store.swap("a", version, value);
      assert.equal((await store.load("a")).value, value);
    }
  });

  test("keeps no version that was replaced a minute ago, but the first as an empty file", async () => {
    const keeps = new FolderStore(place);
    let version = null;
    for (const value of ["1", "2", "3", null, "5"]) version = await keeps.swap("a", value === "5" ? null : version, value);
    assert.equal((await files()).length, 5, "who is about to replace one still finds it");
    const [row] = await new FolderStore(place, 0).scan("");
    assert.equal(row.value, "5");
    assert.deepEqual((await files()).sort(), ["a.1", "a.5"]);
    assert.equal(await keeps.swap("a", null, "late"), null);
    // Removed rows share one file.
    await keeps.swap("a", version, null);
    await keeps.swap("b", await keeps.swap("b", null, "x"), null);
    await new FolderStore(place, 0).scan("");
    assert.deepEqual((await files()).sort(), ["a.1", "a.6", "b.1", "b.2"]);
    assert.deepEqual([await keeps.load("a"), await keeps.load("b")], [null, null]);
  });

  test("counts in whole milliseconds: one of this very moment is not younger than nothing", async (t) => {
    const store = new FolderStore(place, 0);
    const stat = promises.stat.bind(promises);
    // As fine as some file systems say it.
    t.mock.method(promises, "stat", async (...given) => Object.assign(await stat(...given), given[1] ? {} : { ctimeMs: Date.now() + 0.9 }));
    let version = null;
    for (const value of ["1", "2", "3"]) version = await store.swap("a", version, value);
    assert.deepEqual((await files()).sort(), ["a.1", "a.3"]);
  });

  test("tells a version that was made anew from the one that it replaces", async (t) => {
    const [slow, others] = [new FolderStore(place, 0), new FolderStore(place, 0)];
    let version = null;
    for (const value of ["1", "2", "3"]) version = await others.swap("a", version, value);
    // As it is where somebody is stopped for so long: two files of one moment cannot be told apart when they have one number.
    const old = (await readdir(place, { recursive: true })).find((name) => name.endsWith("a.3"));
    await utimes(join(place, old), 1, 1);
    const link = promises.link.bind(promises);
    let stopped = false;
    t.mock.method(promises, "link", async (from, to) => {
      if (!stopped) {
        stopped = true;
        // While this process is stopped, others go on, and one that was stopped as well makes an old version anew.
        for (const value of ["4", "5"]) version = await others.swap("a", version, value);
        await writeFile(join(dirname(to), "a.3"), "+old");
      }
      return link(from, to);
    });
    await assert.rejects(slow.swap("a", 3, "mine"), /try again/);
    assert.equal((await others.load("a")).value, "5");
  });

  test("that was damaged is said to be", async () => {
    const store = new FolderStore(place);
    await store.swap("a", null, "x");
    const [name] = (await readdir(place, { recursive: true })).filter((name) => name.endsWith("a.1"));
    for (const text of ["", "other"]) {
      await writeFile(join(place, name), text);
      await assert.rejects(store.load("a"), /damaged/);
    }
  });
});

/** Counts up in one row, and removes it now and then; says which versions were its own, and what it could not know. */
const COUNT = `
const [module, place, rounds, kept] = process.argv.slice(1);
const { FolderStore } = await import(module);
const store = new FolderStore(place, Number(kept));
let mine = [], unsure = 0;
console.log("ready");
for (let done = 0; done < Number(rounds);) {
  const row = await store.load("count");
  const value = String(Number(row?.value ?? 0) + 1);
  try {
    const version = await store.swap("count", row?.version ?? null, value);
    if (version === null) continue;
    mine.push(version);
  } catch (error) {
    if (!error.message.includes("try again")) throw error;
    unsure += 1;
  }
  done += 1;
}
console.log(JSON.stringify({ mine, unsure }));
`;
const start = (rounds, kept) =>
  spawn(process.execPath, ["--input-type=module", "-e", COUNT, module, place, String(rounds), String(kept)], { stdio: ["ignore", "pipe", "inherit"] });
const result = async (child) => {
  let text = "";
  for await (const part of child.stdout) text += part;
  return JSON.parse(text.split("\n")[1]);
};

describe("several processes", () => {
  for (const kept of [60_000, 0]) {
    test(`lose no write and make none twice${kept ? "" : ", even where nothing that was replaced is kept"}`, async () => {
      const ended = await Promise.all([1, 2, 3].map(() => result(start(60, kept))));
      const versions = ended.flatMap(({ mine }) => mine);
      assert.equal(new Set(versions).size, versions.length, "two processes made the same version");
      const unsure = ended.reduce((sum, { unsure: some }) => sum + some, 0);
      if (kept) assert.equal(unsure, 0);
      const { value } = await new FolderStore(place).load("count");
      assert.ok(Number(value) >= versions.length && Number(value) <= versions.length + unsure, `${value} of ${versions.length} and maybe ${unsure}`);
    });
  }

  test("that are killed leave every row as it was or as it should be", async (t) => {
    const store = new FolderStore(place);
    for (let round = 0; round < 6; round += 1) {
      const before = Number((await store.load("count"))?.value ?? 0);
      const child = start(1_000_000, 0);
      t.after(() => child.kill("SIGKILL"));
      await once(child.stdout, "data");
      while (Number((await store.load("count"))?.value ?? 0) < before + 3 + round * 7) await new Promise((resolve) => { setTimeout(resolve, 1); });
      child.kill("SIGKILL");
      await once(child, "exit");
      const { value, version } = await store.load("count");
      assert.ok(Number(value) >= before + 3);
      assert.ok(await store.swap("count", version, value));
    }
  });
});
