// Files that another program holds for a moment, as virus scanners of Windows do: they are tried again, as the core does it natively. And what
// else is of Windows alone and needs no module.
import assert from "node:assert/strict";
import { promises } from "node:fs";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import tty from "node:tty";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const ts = join(import.meta.dirname, "../ts");
const here = Object.getOwnPropertyDescriptor(process, "platform");
const real = { ...promises };
let folder, place, held, commandLine, write, stateFolder, tryLock, Interruption, FolderStore, NodeStorage, FileJournal, abandonAll, windowsFault;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "junfeiai-held-"));
  const outfile = join(folder, "all.mjs");
  const contents = `export * from "./held.ts"; export * from "./folder-store.ts"; export * from "./node-save.ts"; export * from "./file-journal.ts"; export * from "./file-lock.ts"; export * from "./cli/signals.ts"; export { commandLine, write } from "./cli/output.ts"; export { stateFolder } from "./cli/journals.ts"; export * from "./windows-names.ts";`;
  // The module is not asked for anything here.
  const stubs = { name: "stubs", setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^#/ }, ({ path }) => ({ path, namespace: "stub" }));
    onLoad({ filter: /.*/, namespace: "stub" }, () => ({ contents: "module.exports = {};" }));
  } };
  await build({ stdin: { contents, resolveDir: ts, loader: "ts" }, outfile, bundle: true, format: "esm", platform: "node", target: "es2022", plugins: [stubs], logLevel: "error" });
  ({ unlessHeld: held, commandLine, write, stateFolder, tryLock, Interruption, FolderStore, NodeStorage, FileJournal, abandonAll, windowsFault } = await import(pathToFileURL(outfile).href));
});
after(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => { place = await mkdtemp(join(folder, "files-")); });
afterEach(() => {
  Object.assign(promises, real);
  Object.defineProperty(process, "platform", here);
});

const busy = (code) => Object.assign(new Error(`${code}: a scanner has it`), { code });

/** Lets each of these operations fail on each file so many times first. Gives the number of failures. */
function scanner(names, times = 2) {
  Object.defineProperty(process, "platform", { value: "win32", configurable: true });
  const seen = new Map();
  let failures = 0;
  for (const name of names) {
    promises[name] = async (...given) => {
      const what = `${name} ${given.slice(0, 2).filter((one) => typeof one === "string").join(" ")}`;
      const count = seen.get(what) ?? 0;
      seen.set(what, count + 1);
      if (count < times) {
        failures += 1;
        throw busy(["EBUSY", "EPERM", "EACCES"][count % 3]);
      }
      return real[name](...given);
    };
  }
  return () => failures;
}

describe("a file that is held", () => {
  const slept = [];
  const how = (platform) => ({ platform, pause: async (ms) => { slept.push(ms); } });
  beforeEach(() => { slept.length = 0; });

  test("is tried again after pauses that grow", async () => {
    let tries = 0;
    assert.equal(await held(async () => { if ((tries += 1) < 4) throw busy("EBUSY"); return 7; }, how("win32")), 7);
    assert.deepEqual(slept, [4, 8, 16]);
  });

  test("is given up after two seconds, with the system's own error", async () => {
    const error = busy("EPERM");
    await assert.rejects(held(async () => { throw error; }, how("win32")), (thrown) => thrown === error);
    assert.equal(slept.reduce((sum, ms) => sum + ms, 0), 2000);
  });

  test("is an error at once on other systems, and so is any other error", async () => {
    await assert.rejects(held(async () => { throw busy("EBUSY"); }, how("linux")), { code: "EBUSY" });
    for (const code of ["ENOSPC", "ENOENT", "EEXIST", undefined]) await assert.rejects(held(async () => { throw busy(code); }, how("win32")), { code });
    await assert.rejects(held(async () => { throw null; }, how("win32")), (thrown) => thrown === null);
    assert.deepEqual(slept, []);
  });
});

describe("while a scanner holds each file for a moment", () => {
  test("a save has its file", async () => {
    const failures = scanner(["open", "writeFile", "rename", "link", "unlink"]);
    const storage = new NodeStorage(join(place, "ball.mp4"));
    assert.equal(await storage.create(".part.lock", "mine"), true);
    assert.equal(await storage.create(".part.lock", "theirs"), false);
    assert.equal((await storage.open(".part", true, true)).length, 0);
    await storage.write(".part", 0, Uint8Array.of(1, 2, 3), [0, 0, 3]);
    await storage.close(".part");
    assert.equal(await storage.link(".part", ""), "done");
    assert.equal(await storage.link(".part", ""), "exists");
    await storage.remove(".part");
    await storage.rename("", ".moved");
    await storage.remove(".part.lock");
    await storage.dispose();
    assert.deepEqual(await readdir(place), ["ball.mp4.moved"]);
    assert.ok(failures() >= 12, String(failures()));
  });

  test("the journal's folder keeps its rows", async () => {
    const failures = scanner(["open", "rename", "link", "unlink", "readFile", "truncate"]);
    const store = new FolderStore(join(place, "kept"), 0);
    let version = null;
    for (const value of ["one", "two", "three", null, "four"]) {
      version = await store.swap("c/1", version, value);
      assert.ok(version > 0);
      if (value === null) version = null;
    }
    assert.equal((await store.load("c/1")).value, "four");
    assert.deepEqual((await store.scan("c/")).map(({ value }) => value), ["four"]);
    assert.ok(failures() >= 20, String(failures()));
  });

  test("what cannot be tidied up is no reason to call a write failed", async () => {
    const store = new FolderStore(join(place, "kept"), 0);
    let version = await store.swap("c/1", null, "one");
    version = await store.swap("c/1", version, "two");
    // Somebody reads the old versions all the time; the pauses are those of Linux, none.
    for (const name of ["unlink", "truncate"]) promises[name] = async (path, ...rest) => { if (/c%2f1\.\d+$/.test(path)) throw busy("EBUSY"); return real[name](path, ...rest); };
    version = await store.swap("c/1", version, "three");
    assert.equal((await store.load("c/1")).value, "three");
    Object.assign(promises, real);
    assert.ok(await store.swap("c/1", version, "four"));
  });

  test("the journal's file is read, written and replaced", async () => {
    const path = join(place, "journal");
    await writeFile(path, "old\n");
    const failures = scanner(["open", "rename", "rm"]);
    const file = new FileJournal(path);
    await file.replace("first\n");
    await file.write(6, "second\n");
    const [size, start, rest] = await file.read(3, 6, 1000);
    assert.deepEqual([size, Buffer.from(start).toString(), Buffer.from(rest).toString()], [13, "fir", "second\n"]);
    await file.write(6, "2\n");
    assert.equal(await readFile(path, "utf8"), "first\n2\n");
    assert.ok(failures() >= 8, String(failures()));
  });

  test("a journal's file that is called no more gives its lock back, after what it is doing", { skip: process.platform === "win32" }, async () => {
    const path = join(place, "journal");
    const [old, next] = [new FileJournal(path), new FileJournal(path)];
    await old.lock();
    const writing = old.replace("first\n");
    // One that waits for its turn when the end comes.
    const late = old.lock().then(() => "locked", ({ message }) => message);
    abandonAll();
    await next.lock();
    await writing;
    assert.match(await late, /nobody writes it/);
    assert.equal(await readFile(path, "utf8"), "first\n");
    await next.unlock();
    await next.lock();
    await next.unlock();
  });
});

describe("on Windows", () => {
  test("who is denied a lock's file does not wait for its end, as for a file that another process has", async () => {
    Object.defineProperty(process, "platform", { value: "win32", configurable: true });
    const answer = (code) => { promises.open = async () => { throw busy(code); }; };
    answer("EBUSY");
    assert.equal(await tryLock(join(place, "lock")), undefined);
    answer("EPERM");
    await assert.rejects(tryLock(join(place, "lock")), { code: "EPERM" });
  });

  test("Ctrl-Break ends the command as Ctrl-C does", () => {
    const { signal } = Interruption.listen();
    process.emit("SIGBREAK", "SIGBREAK");
    assert.ok(signal.aborted);
  });

  test("the user's journal is in the folder that Python's command has it in, too", () => {
    const folderOf = (platform, set) => {
      Object.defineProperty(process, "platform", { value: platform, configurable: true });
      Object.assign(process.env, { XDG_STATE_HOME: "", LOCALAPPDATA: "", ...set });
      return stateFolder();
    };
    const [local, state, home] = [join(place, "Local"), join(place, "state"), join(homedir(), ".local", "state", "junfeiai")];
    const before = { ...process.env };
    try {
      assert.equal(folderOf("win32", { LOCALAPPDATA: local }), join(local, "junfeiai"));
      assert.equal(folderOf("win32", { LOCALAPPDATA: local, XDG_STATE_HOME: state }), join(state, "junfeiai"));
      assert.equal(folderOf("win32", { LOCALAPPDATA: local, XDG_STATE_HOME: "here" }), join(local, "junfeiai"));
      assert.equal(folderOf("win32", {}), home);
      assert.equal(folderOf("linux", { LOCALAPPDATA: local }), home);
    } finally {
      for (const name of ["XDG_STATE_HOME", "LOCALAPPDATA"]) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });

  test("a command line is one for its shell: there a path in single quotes is another path", () => {
    Object.defineProperty(process, "platform", { value: "win32", configurable: true });
    const words = ["a", "C:\\Users\\me\\journal", "C:\\my films\\ö.mp4", "C:\\my films\\", 'say "hi"', "a&b", "it's", ""];
    assert.equal(commandLine(words), String.raw`a C:\Users\me\journal "C:\my films\ö.mp4" "C:\my films\\" "say \"hi\"" "a&b" "it's" ""`);
  });

  test("a console is given letters, and no bytes that it takes for those of its code page", () => {
    Object.defineProperty(process, "platform", { value: "win32", configurable: true });
    const [{ isatty }, { write: real }, said] = [tty, process.stderr, []];
    tty.isatty = (stream) => stream === 2;
    syncBuiltinESMExports();
    process.stderr.write = (text) => said.push(text);
    try {
      write("红球 → …\n", 2);
    } finally {
      process.stderr.write = real;
      tty.isatty = isatty;
      syncBuiltinESMExports();
    }
    assert.deepEqual(said, ["红球 → …\n"]);
  });

  // EISDIR: Windows itself says that the function is incorrect.
  test("a drive that knows no hard links is named as such", async () => {
    promises.link = async () => { throw busy("EISDIR"); };
    await assert.rejects(new FolderStore(join(place, "kept")).swap("c/1", null, "one"), /is on a file system without hard links: take another place$/);
  });

  // The names are those of the core's own test.
  test("names are judged as the core does it", () => {
    const fault = (path) => windowsFault(path, "win32");
    for (const path of [
      "a.mp4", "ünï 漢.mp4", ".hidden", "com.mp4", "com10.mp4", "null.mp4", "auxiliary", "a b.mp4", "[1].mp4",
      "C:\\videos\\a.mp4", "C:a.mp4", "..\\a.mp4", "./a.mp4", "\\\\server\\share\\a.mp4", "\\\\?\\C:\\nul", "x".repeat(244),
    ]) assert.equal(fault(path), undefined, path);
    for (const [path, word] of [
      ["ab:c.mp4", "< > :"], ["what?.mp4", "< > :"], ["tab\t.mp4", "control"], ["NUL", "device"], ["nul.mp4", "device"], ["Com1.tar.gz", "device"],
      ["lpt³.mp4", "device"], ["aux .mp4", "device"], ["conout$", "device"], ["video.mp4.", "ends"], ["video ", "ends"], ["...", "ends"],
      ["x".repeat(245), "long"], ["com1/ball.mp4", "device"], ["a|b\\ball.mp4", "< > :"], ["C:\\x:y\\ball.mp4", "< > :"],
    ]) assert.ok(fault(path)?.includes(word), `${path}: ${fault(path)}`);
    assert.equal(windowsFault("ab:c.mp4", "linux"), undefined);
  });
});
