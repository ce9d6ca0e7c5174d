// Worker threads of one process: each has a module of its own, and one that was ended holds nothing up.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { Client } from "junfeiai";
import { KEY, startEmulator } from "./emulator.mjs";

let emulator, folder;
before(async () => {
  emulator = await startEmulator();
  folder = await mkdtemp(join(tmpdir(), "junfeiai-threads-"));
});
after(async () => {
  emulator.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await emulator.reset();
  await emulator.forget();
});
const options = (journal) => ({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, journal: join(folder, journal) });
const posts = async () => (await emulator.requests()).filter((r) => r.method === "POST").length;
const arrived = async (found) => {
  while (!(await emulator.requests()).some(found)) await new Promise((resolve) => { setTimeout(resolve, 5); });
};
/** A thread with a client and the package's `module`. */
function thread(code, data) {
  const script = `const { parentPort, workerData } = require("node:worker_threads");
    const { Client } = require(${JSON.stringify(join(import.meta.dirname, "../node_modules/junfeiai/dist/node.cjs"))});
    const { videos } = new Client(workerData.options);
    (async () => { ${code} })();`;
  return new Worker(script, { eval: true, workerData: data });
}

test("of many threads at once one creates the task of a key", async () => {
  const ids = await Promise.all(Array.from({ length: 4 }, async () => {
    const [id] = await once(thread('parentPort.postMessage((await videos.create({ prompt: "a", key: "film/1" })).id);', { options: options("many") }), "message");
    return id;
  }));
  assert.equal(new Set(ids).size, 1);
  assert.equal(await posts(), 1);
});

const { platform } = process;
describe("a thread that is ended", { skip: platform === "linux" ? false : "only Linux tells which threads run" }, () => {
  test("in the middle of its create request leaves it on the list at once, and nobody sends it again", async () => {
    await emulator.scenario({ api: { create_latency_ms: 60_000 } });
    const worker = thread('await videos.create({ prompt: "a", key: "film/2" });', { options: options("ended") });
    await arrived((r) => r.method === "POST");
    const { videos } = new Client(options("ended"));
    assert.deepEqual(await videos.pending(), [], "it is being sent");
    await worker.terminate();
    const error = await videos.create({ prompt: "a", key: "film/2" }).then(() => assert.fail("it was created"), (thrown) => thrown);
    assert.deepEqual([error.code, error.maybeExecuted], ["create_outcome_unknown", true], error.message);
    const [left] = await videos.pending();
    assert.deepEqual([left.kind, left.reason, left.key], ["unknown", "crashed", "film/2"]);
    assert.equal(await posts(), 1);
  });

  test("in the middle of a save does not keep others from the file", async () => {
    const id = await emulator.add({ state: "finished", seconds: 6, video_bytes: 4 << 20 });
    await emulator.scenario({ content: { rate_bytes_per_s: 1 << 18 } });
    const path = join(folder, "ended.mp4");
    const worker = thread("await (await videos.video(workerData.id)).save(workerData.path);", { options: options("saves"), id, path });
    await arrived((r) => r.path.endsWith("/content") && r.sent_bytes > 0);
    const video = await new Client(options("saves")).videos.video(id);
    const lock = await readFile(`${path}.part.lock`, "utf8");
    assert.equal((await video.save(path).then(() => assert.fail("it was saved"), (thrown) => thrown)).code, "file_locked", lock);
    await worker.terminate();
    await emulator.scenario({});
    const { bytes } = await video.save(path);
    assert.equal(bytes, 4 << 20);
    assert.deepEqual(await readFile(path), Buffer.from(await emulator.video(id)));
  });
});
