// Nothing is left behind: heap, listeners, the module's own memory.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { KEY, startEmulator } from "./emulator.mjs";

let emulator;
before(async () => { emulator = await startEmulator(); });
after(() => { emulator.stop(); });

async function node(script) {
  const child = spawn(process.execPath, ["--expose-gc", "--input-type=module", "-e", script], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (data) => { out += data; });
  assert.equal((await once(child, "close"))[0], 0, out);
  return JSON.parse(out);
}

test("20,000 queries and 2,000 tasks leave the heap as it was", async () => {
  const bytes = await node(`
    import * as library from "junfeiai";
    import { growth } from "./memory.mjs";
    const settled = async () => { for (let i = 0; i < 4; i += 1) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); } };
    (await import("node:events")).setMaxListeners(0);
    const heap = async () => { await settled(); const { heapUsed, external, arrayBuffers } = process.memoryUsage(); return heapUsed + external + arrayBuffers; };
    console.log(JSON.stringify(await growth(library, heap, { queries: 20_000, tasks: 2000 })));`);
  const { MOST } = await import("./memory.mjs");
  for (const [name, each] of Object.entries(bytes)) assert.ok(each < MOST, `each ${name} leaves ${each.toFixed(0)} bytes`);
});

test("queries over Node's own http leave the heap as it was, too", async () => {
  const id = await emulator.add({ state: "finished", seconds: 4 });
  const each = await node(`
    import { Client } from "junfeiai";
    import { setMaxListeners } from "node:events";
    import { grown } from "./memory.mjs";
    setMaxListeners(0);
    const { videos } = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL, requestRate: 100_000 })});
    const { signal } = new AbortController();
    const settled = async () => { for (let i = 0; i < 4; i += 1) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); } };
    const heap = async () => { await settled(); const { heapUsed, external, arrayBuffers } = process.memoryUsage(); return heapUsed + external + arrayBuffers; };
    console.log(await grown(async () => { await videos.get("${id}", { signal }); }, heap, 3000));`);
  const { MOST } = await import("./memory.mjs");
  assert.ok(each < MOST, `each query leaves ${each.toFixed(0)} bytes`);
});

test("a stream that is dropped takes its listener off the signal, one that is read listens on", async () => {
  const [listeners, aborted] = await node(`
    import { Client } from "junfeiai";
    import { getEventListeners } from "node:events";
    const { videos } = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL })});
    const controller = new AbortController();
    const video = await videos.video("task_1");
    const collected = async () => { for (let at = 0; at < 20; at += 1) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); } };
    const count = () => getEventListeners(controller.signal, "abort").length;
    for (let at = 0; at < 500; at += 1) video.stream({ signal: controller.signal });
    const among = count();
    await collected();
    const none = count();
    const kept = video.stream({ signal: controller.signal });
    await collected();
    const listeners = [among, none, count()];
    controller.abort(new Error("enough"));
    const error = await kept.getReader().read().catch((thrown) => thrown);
    console.log(JSON.stringify([listeners, [error.code, error.taskId, error.cause.message]]));`);
  // One for all of them.
  assert.deepEqual(listeners, [1, 0, 1]);
  assert.deepEqual(aborted, ["cancelled", "task_1", "enough"]);
});

test("a stream of a reader that is dropped takes its listener off the signal", async () => {
  const id = await emulator.add({ state: "finished", seconds: 4 });
  const listeners = await node(`
    import { Client } from "junfeiai";
    import { getEventListeners } from "node:events";
    const { videos } = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL })});
    const controller = new AbortController();
    const reader = await (await videos.video("${id}")).open();
    const count = () => getEventListeners(controller.signal, "abort").length;
    const kept = reader.stream({ signal: controller.signal });
    for (let at = 0; at < 500; at += 1) reader.stream({ signal: controller.signal });
    const collected = async () => { for (let at = 0; at < 20; at += 1) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); } };
    await collected();
    const among = count();
    kept.destroy();
    for (let at = 0; at < 50 && count() > 0; at += 1) await collected();
    await reader.close();
    console.log(JSON.stringify([among, count()]));`);
  assert.deepEqual(listeners, [1, 0]);
});

test("a query crosses the border of the module fewer than 100 times", async () => {
  const id = await emulator.add({ state: "finished", seconds: 4 });
  const each = await node(`
    const { Instance } = WebAssembly;
    let count = 0;
    const counted = (all) => Object.fromEntries(Object.entries(all).map(([name, one]) => [name, typeof one === "function" ? (...given) => { count += 1; return one(...given); } : one]));
    WebAssembly.Instance = function (module, imports) {
      return { exports: counted(new Instance(module, Object.fromEntries(Object.entries(imports).map(([name, part]) => [name, counted(part)]))).exports) };
    };
    const { Client } = await import("junfeiai");
    const { videos } = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL })});
    await videos.get("${id}");
    const before = count;
    for (let at = 0; at < 10; at += 1) await videos.get("${id}");
    console.log((count - before) / 10);`);
  assert.ok(each > 10 && each < 100, String(each));
});

test("bytes of a save go from the response to the file without passing through the module", async () => {
  const id = await emulator.add({ state: "finished", seconds: 4, video_bytes: 32 << 20 });
  const [saved, copied, calls] = await node(`
    // What the module asks to be copied into its memory.
    const { Instance } = WebAssembly;
    let [copied, calls] = [0, 0];
    WebAssembly.Instance = function (module, imports) {
      for (const part of Object.values(imports)) {
        for (const [name, made] of Object.entries(part)) {
          if (typeof made !== "function") continue;
          const copies = /arg0\\.copy\\(/.test(String(made));
          part[name] = (...given) => { calls += 1; if (copies) copied += given[4]; return made(...given); };
        }
      }
      return new Instance(module, imports);
    };
    const { Client } = await import("junfeiai");
    const { mkdtemp, rm } = await import("node:fs/promises");
    const { tmpdir } = await import("node:os");
    const folder = await mkdtemp(tmpdir() + "/junfeiai-outside-");
    const { videos } = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL })});
    const video = await videos.video("${id}");
    const { bytes } = await video.save(folder + "/ball.mp4");
    const saved = copied;
    await video.bytes();
    await rm(folder, { recursive: true });
    console.log(JSON.stringify([[bytes, saved], copied, calls]));`);
  assert.equal(saved[0], 32 << 20);
  // Heads of boxes and tables are looked at.
  assert.ok(saved[1] < 256 << 10, `the module took in ${saved[1]} bytes of a save`);
  assert.ok(copied > 32 << 20, "the count sees nothing");
});

test("a video in memory is in JavaScript's, not in the module's", async () => {
  const total = 64 << 20;
  const id = await emulator.add({ state: "finished", seconds: 4, video_bytes: total });
  for (const known of [true, false]) {
    await emulator.scenario(known ? {} : { content: { content_length: false } });
    const [before, after, lengths, left] = await node(`
      // The module's memory, as it is made.
      const { Instance } = WebAssembly;
      let memory;
      WebAssembly.Instance = function (...given) { const made = new Instance(...given); memory = Object.values(made.exports).find((one) => one instanceof WebAssembly.Memory); return made; };
      const { Client } = (await import("junfeiai"));
      const { videos } = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL })});
      const video = await videos.video("${id}");
      await video.readRange(0, 1000);
      const before = memory.buffer.byteLength;
      const buffers = () => process.memoryUsage().arrayBuffers;
      const empty = buffers();
      let whole = await video.bytes();
      const lengths = [whole.length, (await video.blob()).size, (await video.readRange(0, ${total})).length, whole.buffer.byteLength];
      whole = undefined;
      for (let at = 0; at < 20 && buffers() - empty > ${1 << 20}; at += 1) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
      console.log(JSON.stringify([before, memory.buffer.byteLength, lengths, buffers() - empty]));`);
    assert.deepEqual(lengths, [total, total, total, total]);
    assert.ok(left < 4 << 20, `${left} bytes are not given back`);
    assert.ok(after - before < 8 << 20, `the module grew by ${after - before} bytes`);
  }
});
