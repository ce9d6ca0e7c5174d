// What the npm package promises beside its hooks.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import * as hooks from "node:test";
import { Client } from "junfeiai";
import { Emulator, EmulatorError, PLATFORMS, program, useEmulator } from "junfeiai-emulator";

const { test } = hooks;
const require = createRequire(import.meta.url);
const emulator = useEmulator(hooks);

const accepts = (port) => new Promise((resolve) => {
  const socket = connect(port, "127.0.0.1", () => { socket.destroy(); resolve(true); });
  socket.on("error", () => resolve(false));
});
/** Waits until nobody listens; bounds only a hang. */
async function gone(port) {
  for (let i = 0; i < 1200; i += 1) {
    if (!(await accepts(port))) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
/** The lines of a program, one after the other. */
async function* linesOf(child) {
  for await (const line of (await import("node:readline")).createInterface({ input: child.stdout })) yield line;
}

test("names are those of the emulator", async () => {
  const named = async (rule) => {
    const error = await emulator.call("POST", "rules", rule).then(() => assert.fail("it was taken"), (failed) => failed);
    return [...error.message.split("expected one of")[1].matchAll(/`(\w+)`/g)].map(([, name]) => name).sort();
  };
  const text = readFileSync(require.resolve("junfeiai-emulator").replace("index.cjs", "names.mjs"), "utf8");
  const list = (name) => [...text.split(`${name} =`)[1].split("]")[0].matchAll(/"(\w+)"/g)].map(([, one]) => one).sort();
  assert.deepEqual(await named({ fault: { kind: "?" } }), list("FAULTS"));
  assert.deepEqual(await named({ fault: { kind: "error_shape", shape: "?" } }), list("SHAPES"));
});

test("an emulator of its own, and what it refuses", async () => {
  const own = await Emulator.start({ apiKey: "sk-own", secondHost: true, videoBytes: 300_000, scenario: { task: { queued_s: 0, running_s: 0 } } });
  const { port } = own;
  assert.ok(own.secondOrigin && own.secondOrigin !== own.origin);
  const video = await new Client(own.options()).videos.generate({ prompt: "a ball", seconds: 4 });
  assert.equal((await video.bytes()).length, 300_000);
  assert.equal((await own.video(await own.addTask("finished", { seconds: 4 }))).length, 300_000);
  await assert.rejects(own.video("task_1"), /no such task/);
  await assert.rejects(own.change({ task: { outcom: "failure" } }), /outcom/);
  await own.stop();
  await own.stop();
  assert.ok(await gone(port));
  assert.throws(() => own.origin, /does not run/);
});

test("what cannot start says why", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  await assert.rejects(Emulator.start({ port: taken.address().port }), /cannot start/);
  taken.close();
  await assert.rejects(Emulator.start({ scenario: { content: { rage: 1 } } }), /unknown field `rage`/);
  await assert.rejects(Emulator.start({ program: "/no/such/program" }), /no\/such\/program/);
  assert.throws(() => useEmulator({}), EmulatorError);
});

test("the program is that of the platform's package", () => {
  assert.ok(program().includes(`@junfeiai/emulator-${process.platform}-${process.arch}`), program());
  const manifest = require("junfeiai-emulator/package.json");
  const binary = JSON.parse(readFileSync(program().replace(/bin.junfeiai-emulator(\.exe)?$/, "package.json"), "utf8"));
  assert.equal(manifest.optionalDependencies[binary.name], binary.version);
  assert.equal(manifest.version, binary.version);
  assert.deepEqual([binary.os, binary.cpu], [[process.platform], [process.arch]]);
  assert.equal(require("junfeiai-emulator").Emulator.name, "Emulator");
});

test("it ends with its parent, however that ends, and keeps none alive", async () => {
  const start = 'import { Emulator } from "junfeiai-emulator"; const it = await Emulator.start(); console.log(it.port);';
  const run = (code) => spawn(process.execPath, ["--input-type=module", "-e", code], { cwd: new URL(".", import.meta.url), stdio: ["ignore", "pipe", "inherit"] });
  const killed = run(`${start} setInterval(() => undefined, 1000);`);
  const port = Number((await linesOf(killed).next()).value);
  assert.ok(await accepts(port));
  killed.kill("SIGKILL");
  assert.ok(await gone(port));
  const forgetful = run(start);
  const [code] = await once(forgetful, "exit");
  assert.equal(code, 0);
});

test("where there is no program, it says which there are, and which file is missing", () => {
  const given = process.env.JUNFEIAI_EMULATOR;
  const real = { platform: process.platform, arch: process.arch };
  const as = (names) => { for (const [name, value] of Object.entries(names)) Object.defineProperty(process, name, { value, configurable: true }); };
  delete process.env.JUNFEIAI_EMULATOR;
  try {
    as({ platform: "sunos", arch: "x64" });
    assert.throws(program, { name: "EmulatorError", message: /^there is no program for sunos-x64, but for .*linux-x64, win32-x64: build it .* JUNFEIAI_EMULATOR to the program's path$/ });
    const [platform, arch] = PLATFORMS.find((name) => name !== `${real.platform}-${real.arch}`).split("-");
    as({ platform, arch });
    assert.throws(program, { name: "EmulatorError", message: /^the program for \w+-\w+ is not installed: install the file junfeiai-emulator-\w+-\w+-VERSION\.tgz/ });
  } finally {
    as(real);
    if (given !== undefined) process.env.JUNFEIAI_EMULATOR = given;
  }
});

test("npx: options go through, and its end is that of the program", async () => {
  const bin = require.resolve("junfeiai-emulator").replace("index.cjs", "bin.mjs");
  const child = spawn(process.execPath, [bin, "--port", "0", "--quiet"], { stdio: ["ignore", "pipe", "inherit"] });
  const line = (await linesOf(child).next()).value;
  assert.match(line, /^listening on http:\/\/127\.0\.0\.1:\d+$/);
  child.kill("SIGTERM");
  await once(child, "exit");
  assert.ok(await gone(Number(line.split(":").at(-1))));
  const refused = spawn(process.execPath, [bin, "--no-such"], { stdio: "ignore" });
  assert.deepEqual(await once(refused, "exit"), [2, null]);
});

test("npx: ended while it starts, it leaves no program behind", async () => {
  const bin = require.resolve("junfeiai-emulator").replace("index.cjs", "bin.mjs");
  // The signal comes before `spawn` returns.
  const early = `import children from "node:child_process"; import { syncBuiltinESMExports } from "node:module";
    const { spawn } = children;
    children.spawn = (...all) => { const child = spawn(...all); process.kill(process.pid, "SIGTERM"); return child; };
    syncBuiltinESMExports();`;
  const child = spawn(process.execPath, ["--import", `data:text/javascript,${encodeURIComponent(early)}`, bin, "--port", "0", "--quiet"], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  try {
    const [, signal] = await once(child, "exit");
    assert.equal(signal, null, "it was ended before it could hand the signal on");
    await closed;
  } finally {
    child.stdout.destroy();
  }
});

test("a replaced fetch is not asked", async () => {
  const { fetch } = globalThis;
  globalThis.fetch = () => assert.fail("fetch was called");
  try {
    await emulator.fault("html_502", { on: "create", times: Infinity });
    assert.deepEqual(await emulator.requests(), []);
  } finally {
    globalThis.fetch = fetch;
  }
});
