// The demo's server as a program: what it is told, and who may ask it where videos cost money.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { KEY, root, startEmulator } from "./emulator.mjs";

const program = join(root, "bindings-wasm/demo/server.mjs");

/** Starts it; gives the process, and what it said and how it ended once it has. */
function start(words, variables) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("JUNFEIAI_") || name === "JUNFEIAI_EMULATOR");
  const child = spawn(process.execPath, [program, ...words], { env: { ...Object.fromEntries(kept), PORT: "0", ...variables }, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (piece) => { said += piece; });
  const ended = new Promise((resolve) => child.once("close", (code) => resolve({ code, said })));
  return { child, ended };
}

test("what cannot be is said in one line", async () => {
  const taken = createServer();
  await new Promise((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address();
  for (const [words, variables, says] of [
    [["--service"], {}, /^demo: no API key is given: set JUNFEIAI_API_KEY[^\n]*\n$/],
    [[], { PORT: "abc" }, /^demo: PORT is a number from 0 to 65535 and not abc\n$/],
    [[], { PORT: "99999" }, /^demo: PORT is a number from 0 to 65535 and not 99999\n$/],
    [[], { PORT: String(port) }, new RegExp(`^demo: port ${port} is in use: give another one, PORT=8788\\n$`)],
    [[], { JUNFEIAI_EMULATOR: undefined, CARGO_TARGET_DIR: "/nowhere" }, /^demo: the emulator does not start \(spawn [/\\]nowhere[/\\]debug[/\\]junfeiai-emulator ENOENT\): run make web\n$/],
    [[], { JUNFEIAI_EMULATOR: "/nowhere/emulator" }, /^demo: the emulator does not start [^\n]*: run make web\n$/],
    [[], { JUNFEIAI_EMULATOR: process.platform === "win32" ? "where.exe" : "/bin/true" }, /^demo: [^\n]* does not say where it listens: run make web\n$/],
  ]) {
    const { code, said } = await start(words, variables).ended;
    assert.equal(code, 1, said);
    assert.match(said, says);
  }
  taken.close();
});

/** A request that says it is for this host; gives its status. */
const asked = (origin, host, { path = "/", method = "GET", body } = {}) => new Promise((resolve, reject) => {
  const { port } = new URL(origin);
  const sent = request({ host: "127.0.0.1", port, path, method, headers: { Host: host, "Content-Type": "application/json" } }, (response) => {
    response.resume().on("end", () => resolve(response.statusCode));
  });
  sent.on("error", reject).end(body);
});

test("where a video costs money, only localhost is answered", async () => {
  const emulator = await startEmulator({ second: false });
  const { child, ended } = start(["--service"], { JUNFEIAI_API_KEY: KEY, JUNFEIAI_BASE_URL: emulator.baseURL });
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    assert.match((await lines.next()).value, /COSTS MONEY/);
    const origin = (await lines.next()).value.split(" ").at(-1);
    const create = { path: "/api/junfeiai/video/generations", method: "POST", body: JSON.stringify({ model: "grok-image-video", prompt: "A ball", seconds: 4 }) };
    for (const host of ["videos.example", "videos.example:8787", "localhost.example", "127.0.0.1.example:1"]) {
      assert.equal(await asked(origin, host), 403);
      assert.equal(await asked(origin, host, create), 403);
    }
    assert.equal((await emulator.requests()).length, 0);
    assert.equal(await asked(origin, new URL(origin).host), 200);
    assert.equal(await asked(origin, `localhost:${new URL(origin).port}`, create), 200);
    assert.equal((await emulator.requests()).filter(({ op }) => op === "create").length, 1);
  } finally {
    child.kill();
    await ended;
    emulator.stop();
  }
});
