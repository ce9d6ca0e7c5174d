// The package in Node, against the emulator: the main job, errors, aborts, saves, panics.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { link, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { Client, JunFeiAIError, Task, Video, ready } from "junfeiai";
import { KEY, startEmulator } from "./emulator.mjs";

const require = createRequire(import.meta.url);
let emulator, client, folder;
const make = (options = {}) => new Client({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, ...options });
const finished = (task = {}) => emulator.add({ state: "finished", seconds: 6, ...task });
const posts = async () => (await emulator.stats()).creates ?? (await emulator.requests()).filter((r) => r.method === "POST").length;

async function refused(promise, code) {
  const error = await promise.then(() => assert.fail("it was not refused"), (thrown) => thrown);
  assert.ok(error instanceof JunFeiAIError, inspect(error));
  assert.ok(error instanceof Error);
  assert.equal(error.code, code, error.message);
  return error;
}

before(async () => {
  emulator = await startEmulator();
  folder = await mkdtemp(join(tmpdir(), "junfeiai-"));
});
after(async () => {
  emulator.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await emulator.reset();
  await emulator.forget();
  client = make();
});

describe("the main job", () => {
  test("a client with a path as its address can be made where pages are rendered, and says with the first call that it needs a page", async () => {
    for (const options of [{ baseURL: "/api/junfeiai" }, { endpoint: "/api/junfeiai" }, { baseURL: "./api" }]) {
      const { videos } = new Client(options);
      const error = await videos.create("a ball").then(() => assert.fail("it was sent"), (thrown) => thrown);
      assert.deepEqual([error.code, error.phase, error.maybeExecuted], ["config", "config", false]);
    }
    assert.throws(() => new Client({ baseURL: "api/junfeiai" }), { code: "config", field: "baseURL" });
  });

  test("a server that renders pages may have parts of a window", async () => {
    const script = `
      Object.assign(globalThis, { window: {}, document: {}, location: {} });
      const { Client } = await import("junfeiai");
      new Client({ baseURL: "/api/junfeiai" });
      const client = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL, dangerouslyAllowBrowser: true })});
      console.log((await client.videos.create("a ball")).id);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (data) => { text += data; });
    assert.equal((await once(child, "exit"))[0], 0);
    assert.match(text, /^task_/);
  });

  test("create, wait with progress, read in every way", async () => {
    const task = await client.videos.create({ model: "grok-image-video", prompt: "a red ball", seconds: 6, size: "1280x720" });
    assert.ok(task instanceof Task);
    assert.match(task.id, /^task_/);
    assert.equal(task.billedSeconds, 6);
    assert.deepEqual(task.warnings, []);
    const seen = [];
    const video = await task.wait({ timeoutMs: 60_000, onProgress: (t) => seen.push([t.id, t.status, t.progress]) });
    assert.ok(video instanceof Video);
    assert.ok(seen.length >= 1);
    assert.ok(seen.every(([id]) => id === task.id));
    assert.equal(seen.at(-1)[1], "succeeded");
    const bytes = await emulator.video(task.id);
    const told = [];
    const blob = await video.blob({ onProgress: (p) => told.push(p) });
    assert.equal(blob.type, "video/mp4");
    assert.deepEqual(new Uint8Array(await blob.arrayBuffer()), bytes);
    assert.deepEqual(told.at(-1), { bytes: bytes.length, total: bytes.length });
    assert.deepEqual(new Uint8Array(await new Response(video.stream()).arrayBuffer()), bytes);
    assert.deepEqual(await video.readRange(4, 8), new TextEncoder().encode("ftyp"));
    assert.equal((await client.videos.get(task.id)).status, "succeeded");
    assert.equal((await emulator.requests()).filter((r) => r.method === "POST").length, 1);
  });

  test("watch gives each state and break ends it", async () => {
    const { id } = await client.videos.create("a ball");
    const states = [];
    for await (const task of client.videos.task(id).watch()) states.push(task.status);
    assert.equal(states.at(-1), "succeeded");
    for await (const task of client.videos.task(id).watch()) { assert.equal(task.id, id); break; }
  });

  test("generate, CommonJS and ESM are one", async () => {
    const common = require("junfeiai");
    assert.equal(common.Client, Client);
    const states = [];
    const video = await client.videos.generate({ prompt: "a ball", seconds: "4" }, { onProgress: (t) => states.push(t.status) });
    assert.equal(states[0], "queued");
    assert.equal((await video.bytes()).length, (await emulator.video(video.taskId)).length);
    await ready();
  });

  test("many tasks at once, each with its own end", async () => {
    const ids = [await finished(), (await client.videos.create({ prompt: "[fail] x", seconds: 4 })).id, "task_unknown", "../x"];
    const ended = {};
    for await (const { id, video, error } of client.videos.asCompleted(ids)) ended[id] = video ? (await video.readRange(4, 8)).length : error.code;
    assert.deepEqual(ended, { [ids[0]]: 4, [ids[1]]: "task_failed", task_unknown: "not_found", "../x": "not_found" });
    await emulator.forget();
    const seen = [];
    for await (const { index, video, error } of client.videos.generateMany(["a", { prompt: "b", seconds: 4 }, { prompt: "[fail]", seconds: 4 }], { concurrency: 2 })) {
      seen.push([index, video !== null, error?.code]);
    }
    assert.deepEqual(seen.sort(), [[0, true, undefined], [1, true, undefined], [2, false, "task_failed"]]);
    assert.equal((await emulator.requests()).filter((r) => r.method === "POST").length, 3);
    await assert.rejects(async () => { for await (const _ of client.videos.generateMany(["a", { sceonds: 5 }])) assert.fail(); }, { code: "invalid_request" });
    await assert.rejects(async () => { for await (const _ of client.videos.generateMany(["a"], { concurrency: 0 })) assert.fail(); }, { code: "invalid_request" });
  });

  test("check, models and balance", async () => {
    const report = await client.check({ account: true });
    assert.equal(report.ok, true, inspect(report));
    const [{ steps, latencyMs, clockSkewMs, requestId, ...entry }] = report.entries;
    assert.deepEqual(entry, { endpoint: emulator.baseURL, inUse: true, ok: true });
    assert.deepEqual([steps.find(({ name }) => name === "key").status, typeof latencyMs, typeof clockSkewMs, typeof requestId], ["ok", "number", "number", "string"], inspect(report));
    assert.ok(report.models.includes("grok-image-video") && report.balance.availableUSD > 0 && report.steps.every(({ advice }) => advice === null || typeof advice === "string"));
    assert.doesNotMatch(JSON.stringify(report), /f00dcafe/);
    assert.ok((await client.models()).includes("grok-image-video"));
    assert.ok((await client.balance()).availableUSD > 0);
    assert.equal((await make({ apiKey: "sk-wrong" }).check()).ok, false);
  });

  test("another endpoint is tried when no connection can be made", async () => {
    const two = new Client({ apiKey: KEY, endpoints: ["http://127.0.0.1:1/v1", emulator.baseURL], pollIntervalMs: 20 });
    const task = await two.videos.create("a ball");
    assert.equal(two.endpoint, emulator.baseURL);
    await task.wait();
  });

  test("images of every kind", async () => {
    const png = Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 0]);
    for (const image of ["https://example.com/a.png", new URL("https://example.com/a.png"), png, png.buffer, new Blob([png])]) {
      await client.videos.create({ prompt: "x", seconds: 4, image });
    }
    await client.videos.create({ prompt: "x", seconds: 4, images: [png, "https://example.com/a.png"] });
    const bodies = (await emulator.requests()).filter((r) => r.method === "POST").map((r) => r.body_json);
    assert.equal(bodies[0].image, "https://example.com/a.png");
    assert.equal(bodies[1].image, "https://example.com/a.png");
    for (const body of bodies.slice(2, 5)) assert.match(body.image, /^data:image\/png;base64,iVBORw0KGg/);
    assert.equal(bodies[5].images.length, 2);
  });
});

describe("bad input is refused before any request", () => {
  test("options", () => {
    const refuse = (options, code, text) => assert.throws(() => make(options), (e) => e instanceof JunFeiAIError && e.code === code && e.message.includes(text));
    refuse({ apiKey: "Bearer sk" }, "config", "API key");
    refuse({ baseURL: "https://doc.junfeiai.com" }, "config", "documents");
    refuse({ baseURL: "http://example.com/v1" }, "config", "https");
    refuse({ timeoutMs: -1 }, "config", "timeout");
    refuse({ timeoutMs: NaN }, "config", "timeoutMs must be a number");
    refuse({ pollInterval: 5 }, "config", "pollInterval");
    refuse({ apiKey: 5 }, "config", "string");
    refuse({ endpoint: "china" }, "config", "give one of them");
    refuse({ trustedHosts: ["*.a.b"] }, "config", "patterns");
  });

  test("requests", async () => {
    const requests = [
      {}, { prompt: "" }, { prompt: 5 }, { prompt: "x", seconds: 99 }, { prompt: "x", seconds: "6s" }, { prompt: "x", sceonds: 6 },
      { prompt: "x", model: "grok-video-1.5" }, { prompt: "x", image: new Uint8Array([1, 2, 3]) }, { prompt: "x", size: 5 },
      { prompt: "x", images: "https://a.b/c.png" }, { prompt: "x", seconds: 6, duration: 7 }, undefined, null, [], () => 1,
    ];
    for (const request of requests) {
      const error = await refused(client.videos.create(request), "invalid_request");
      assert.equal(error.maybeExecuted, false);
    }
    const far = await refused(client.videos.create({ prompt: "x", seconds: 99 }), "invalid_request");
    assert.equal(far.field, "seconds");
    assert.throws(() => client.videos.task(""), { code: "invalid_request" });
    await refused(client.videos.get(""), "invalid_request");
    await refused(client.videos.videoAt("ftp://a.b"), "invalid_request");
    const video = await client.videos.video("task_1");
    await refused(video.readRange(5, 5), "invalid_request");
    await refused(video.readRange(-1, 5), "invalid_request");
    await refused(video.readRange(0, 1.5), "invalid_request");
    await refused(video.bytes({ maxBytes: NaN }), "invalid_request");
    await refused(client.videos.task("task_1").wait({ timeoutMs: NaN }), "invalid_request");
    assert.deepEqual(await emulator.requests(), []);
  });
});

describe("errors", () => {
  test("a failed task, a wrong key, an unknown task", async () => {
    const task = await client.videos.create({ prompt: "[fail] a ball", seconds: 4 });
    const failed = await refused(task.wait(), "task_failed");
    assert.equal(failed.taskId, task.id);
    const wrong = await refused(make({ apiKey: "sk-wrong-secret" }).videos.create("x"), "authentication");
    assert.equal(wrong.status, 401);
    assert.ok(wrong.requestId);
    assert.doesNotMatch(inspect(wrong) + JSON.stringify(wrong) + wrong.stack, /secret/);
    await refused(client.videos.get("task_unknown"), "not_found");
  });

  test("a lost answer is an unknown outcome and no second POST", async () => {
    await emulator.scenario({ rules: [{ match: { op: "create" }, fault: { kind: "drop_after_accept" } }] });
    const error = await refused(client.videos.create("a ball"), "create_outcome_unknown");
    assert.equal(error.maybeExecuted, true);
    assert.equal((await emulator.requests()).filter((r) => r.method === "POST").length, 1);
  });

  test("no connection means not sent", async () => {
    const error = await refused(make({ baseURL: "http://127.0.0.1:1/v1", maxAttempts: 1 }).videos.create("x"), "connect");
    assert.equal(error.maybeExecuted, false);
  });

  test("no output shows the key", async () => {
    const task = await client.videos.create("a ball");
    const video = await task.wait();
    for (const thing of [client, client.videos, task, video]) {
      assert.doesNotMatch(inspect(thing, { depth: 9, showHidden: true }) + JSON.stringify(thing) + String(thing), /f00dcafe/);
    }
  });
});

describe("abort", () => {
  test("a wait stops, the task keeps running", async () => {
    await emulator.scenario({ task: { outcome: "stuck" } });
    const task = await client.videos.create("a ball");
    const controller = new AbortController();
    const waiting = task.wait({ signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 60);
    const error = await refused(waiting, "cancelled");
    assert.equal(error.name, "AbortError");
    assert.equal(error.cause.message, "enough");
    await refused(task.wait({ signal: AbortSignal.abort() }), "cancelled");
    // One that had left before may still arrive, late where the server has no turn; who asks on does it every 20 ms.
    const end = performance.now() + 20_000;
    for (let [before, now] = [-1, 0]; before !== now;) {
      assert.ok(performance.now() < end, "it asks on after the abort");
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 300));
      now = (await emulator.requests()).length;
    }
  });

  test("an aborted create may have been charged", async () => {
    await emulator.scenario({ api: { create_latency_ms: 60_000 } });
    const controller = new AbortController();
    const { posts } = await emulator.stats();
    const creating = refused(client.videos.create("a ball", { signal: controller.signal }), "cancelled");
    while ((await emulator.stats()).posts === posts) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    const error = await creating;
    assert.equal(error.maybeExecuted, true);
    const early = await refused(client.videos.create("a ball", { signal: AbortSignal.abort() }), "cancelled");
    assert.equal(early.maybeExecuted, false);
  });

  test("a stream and a watch", async () => {
    const id = await finished({ video_bytes: 4 << 20 });
    await emulator.scenario({ content: { rate_bytes_per_s: 1 << 20 } });
    const video = await client.videos.video(id);
    const controller = new AbortController();
    const reader = video.stream({ signal: controller.signal }).getReader();
    await reader.read();
    controller.abort(new Error("enough"));
    const error = await refused((async () => { for (;;) if ((await reader.read()).done) return; })(), "cancelled");
    assert.deepEqual([error.taskId, error.cause.message], [id, "enough"]);
    const stopped = video.stream().getReader();
    await stopped.read();
    await stopped.cancel();
    await assert.rejects(async () => {
      for await (const _ of client.videos.task(id).watch({ signal: AbortSignal.abort() })) assert.fail("a state");
    }, { code: "cancelled" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const contents = (await emulator.requests()).filter((r) => r.path.endsWith("/content"));
    assert.ok(contents.length >= 2 && contents.every((r) => r.sent_bytes < 4 << 20), "the transfers continued");
  });

  test("what a callback throws ends the call", async () => {
    await emulator.scenario({ task: { outcome: "stuck" } });
    const task = await client.videos.create("a ball");
    await assert.rejects(task.wait({ onProgress() { throw new RangeError("mine"); } }), RangeError);
  });
});

describe("an answer for a player", () => {
  test("is exact, whatever the server does", async () => {
    for (const content of [{}, { range: "ignore" }, { range: "no_content_range" }, { etag: "none", last_modified: false }]) {
      await emulator.reset();
      const id = await finished();
      await emulator.scenario({ content });
      const bytes = await emulator.video(id);
      const total = bytes.length;
      const video = await client.videos.video(id);
      for (const [range, start, end] of [["bytes=0-1", 0, 2], ["bytes=0-", 0, total], ["bytes=100-199", 100, 200], [`bytes=${total - 9}-`, total - 9, total], ["bytes=-7", total - 7, total]]) {
        for (const fresh of [true, false]) {
          const answer = await (fresh ? await client.videos.video(id) : video).response(range);
          const note = `${JSON.stringify(content)} ${range} fresh ${fresh}`;
          assert.equal(answer.status, 206, note);
          assert.equal(answer.headers.get("content-range"), `bytes ${start}-${end - 1}/${total}`, note);
          assert.equal(answer.headers.get("content-length"), String(end - start), note);
          assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), bytes.slice(start, end), note);
        }
      }
      const whole = await video.response();
      assert.equal(whole.status, 200);
      assert.equal(whole.headers.get("accept-ranges"), "bytes");
      assert.deepEqual(new Uint8Array(await whole.arrayBuffer()), bytes);
      const past = await video.response(`bytes=${total}-`);
      assert.equal(past.status, 416);
      assert.equal(past.headers.get("content-range"), `bytes */${total}`);
    }
  });

  test("resumes when the body is cut", async () => {
    const id = await finished({ video_bytes: 600_000 });
    await emulator.scenario({ rules: [{ match: { op: "content", nth: [1, 2] }, fault: { kind: "cut_body", after_bytes: 200_000 } }] });
    const answer = await (await client.videos.video(id)).response(new Request("http://x/", { headers: { range: "bytes=10-" } }));
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), (await emulator.video(id)).slice(10));
  });
});

describe("durable waits", () => {
  const keep = (state) => JSON.parse(JSON.stringify(state));

  test("by steps, each of another client", async () => {
    const task = await client.videos.create({ prompt: "a red ball", seconds: 6 });
    let state = keep(task.waitState({ timeoutMs: 600_000 }));
    assert.deepEqual([state.junfeiai_wait, state.task_id, state.polls, state.policy.timeout], [1, task.id, 0, 600]);
    assert.ok(!JSON.stringify(state).includes(KEY));
    for (let round = 0; ; round += 1) {
      assert.ok(round < 500, "it does not end");
      const step = await make().videos.advance(state);
      if (step.done) {
        assert.deepEqual([step.state, step.retryAfterMs], [null, null]);
        assert.deepEqual(await step.video.bytes(), await emulator.video(task.id));
        break;
      }
      assert.equal(step.video, null);
      assert.ok(step.retryAfterMs > 0 && Number.isInteger(step.retryAfterMs));
      state = keep(step.state);
      await new Promise((resolve) => { setTimeout(resolve, step.retryAfterMs); });
    }
  });

  test("a step that comes too early sends nothing, and one that is aborted names the task", async () => {
    const slow = make({ pollIntervalMs: 30_000 });
    const id = await emulator.add({ state: "running", running_s: 1e9 });
    const first = await slow.videos.advance(slow.videos.task(id).waitState());
    assert.equal(first.state.polls, 1);
    const polls = (await emulator.requests()).length;
    const second = await slow.videos.advance(keep(first.state));
    assert.deepEqual(second.state, first.state);
    assert.equal((await emulator.requests()).length, polls);
    const error = await slow.videos.advance(first.state, { signal: AbortSignal.abort() }).then(() => assert.fail("it ended"), (thrown) => thrown);
    assert.equal(error.taskId ?? error.cause?.taskId ?? id, id);
  });

  test("what ends it is thrown, and what is no state is refused", async () => {
    const failed = await finished({ outcome: "failure", fail_reason: "no such picture" });
    const error = await refused(client.videos.advance(client.videos.task(failed).waitState()), "task_failed");
    assert.equal(error.taskId, failed);
    for (const other of [{}, null, undefined, 5, "task_1", [], { ...client.videos.task(failed).waitState(), junfeiai_wait: 2 }]) {
      await refused(client.videos.advance(other), "invalid_request");
    }
  });
});

describe("save", () => {
  test("is whole, atomic, and says what it saved", async () => {
    const id = await finished({ size: "640x480", seconds: 4 });
    const video = await client.videos.video(id);
    const path = join(folder, "sub", "ball.mp4");
    await refused(video.save(path), "io");
    const told = [];
    const summary = await video.save(path, { createParents: true, onProgress: (p) => told.push(p.bytes) });
    const bytes = await emulator.video(id);
    assert.deepEqual(new Uint8Array(await readFile(path)), bytes);
    const { chargedUnits, elapsedMs } = summary;
    assert.deepEqual({ ...summary, attempts: 0 }, {
      path, bytes: bytes.length, durationMs: 4000, width: 640, height: 480, resumed: false, attempts: 0, elapsedMs, sha256: null, chargedUnits,
    });
    assert.ok(elapsedMs > 0, String(elapsedMs));
    assert.equal(told.at(-1), bytes.length);
    assert.deepEqual(await readdir(join(folder, "sub")), ["ball.mp4"]);
    await refused(video.save(path), "file_exists");
    await video.save(path, { overwrite: true });
    await refused(video.save(join(folder, "sub")), "io");
  });

  test("gives the file's SHA-256 where it is asked for", async () => {
    const id = await finished({ size: "640x480", seconds: 4 });
    const video = await client.videos.video(id);
    const path = join(folder, "hashed.mp4");
    const { sha256 } = await video.save(path, { sha256: true });
    assert.equal(sha256, createHash("sha256").update(await emulator.video(id)).digest("hex"));
  });

  test("ends after its own time, keeps to its rate and takes no more than asked for", async () => {
    const id = await finished({ video_bytes: 3 << 20 });
    const video = await client.videos.video(id);
    const path = join(folder, "limited.mp4");
    await emulator.scenario({ content: { rate_bytes_per_s: 1000 } });
    const late = await refused(video.save(path, { timeoutMs: 500 }), "timeout");
    assert.equal(late.taskId, id);
    assert.ok(!existsSync(path));
    await emulator.scenario({});
    const begun = performance.now();
    await video.save(path, { rateLimit: 4 << 20, timeoutMs: Infinity });
    // At that rate 3 MiB take three quarters of a second. How much longer is the machine's business.
    assert.ok(performance.now() - begun > 500);
    await emulator.scenario({ content: { content_length: false, range: "ignore" } });
    const long = await refused(video.save(join(folder, "long.mp4"), { maxBytes: 1 << 20 }), "invalid_request");
    assert.deepEqual([long.field, long.taskId], ["maxBytes", id]);
    await emulator.scenario({});
    await emulator.forget();
    for (const [field, values] of Object.entries({ timeoutMs: [0], rateLimit: [0, 0.5, -1, NaN, Infinity, "fast", {}, 5n], maxBytes: [0, -1, 1.5, NaN, Infinity, "1 MB", 2 ** 60, 5n] })) {
      for (const value of values) {
        for (const call of [() => video.save(path, { [field]: value }), () => client.videos.checkSave(path, { [field]: value })]) {
          const error = await refused(call(), "invalid_request");
          assert.equal(error.field, field, String(value));
          assert.ok(error.message.includes(field), error.message);
        }
      }
    }
    assert.deepEqual(await emulator.requests(), []);
  });

  test("is judged before anything is paid: checkSave refuses what it would, sends nothing and changes no file", async () => {
    const place = await mkdtemp(join(folder, "check-"));
    const { videos } = client;
    const there = join(place, "there.mp4");
    await writeFile(there, "there");
    await mkdir(join(place, "folder"));
    await symlink(join(place, "nowhere"), join(place, "dangling"));
    for (const [name, options] of [
      ["new.mp4"], ["new.mp4", { connections: 16, verify: false, onProgress: () => assert.fail("it was called") }], ["there.mp4", { overwrite: true }],
      ["a/b/new.mp4", { createParents: true }], ["n".repeat(244)],
    ]) {
      assert.equal(await videos.checkSave(join(place, name), options), undefined, name);
    }
    await videos.checkSave(pathToFileURL(join(place, "new.mp4")));
    for (const [name, options, code, text] of [
      ["there.mp4", {}, "file_exists", /there\.mp4 exists already/], ["", {}, "io", /is a folder/], ["folder", { overwrite: true }, "io", /folder is a folder/],
      ["none/x.mp4", {}, "io", /ENOENT: .*none\/x\.mp4\.part\.lock/], ["there.mp4/x.mp4", { createParents: true }, "io", /ENOTDIR/], ["there.mp4/a/b/x.mp4", { createParents: true }, "io", /ENOTDIR/],
      ["dangling/x.mp4", { createParents: true }, "io", /ENOENT/], ["dangling", {}, "file_exists", /dangling/], ["n".repeat(245), {}, "io", /shorter name/],
      [`none/${"n".repeat(245)}`, { createParents: true }, "io", /shorter name/], [`none/${"n".repeat(256)}/x.mp4`, { createParents: true }, "io", /shorter name/],
      ["new.mp4", { connections: 17 }, "invalid_request", /^connections must be/], ["new.mp4", { verify: 1 }, "invalid_request", /^verify must be/],
      ["new.mp4", { signal: AbortSignal.abort("enough") }, "cancelled", /cancelled/],
    ]) {
      const error = await refused(videos.checkSave(`${place}/${name}`, options), code);
      assert.match(error.message, text);
      assert.equal(error.taskId, null);
      assert.doesNotMatch(error.message, /junfeiai-check/);
    }
    for (const path of ["x\0y.mp4", `${there}\0`]) await refused(videos.checkSave(path), "io");
    for (const path of [5, undefined, new URL("https://media.example/x.mp4")]) assert.equal((await refused(videos.checkSave(path), "invalid_request")).field, "path");
    assert.deepEqual((await readdir(place)).sort(), ["dangling", "folder", "there.mp4"]);
    assert.deepEqual(await emulator.requests(), []);
    // What another save has read stays, whichever task's it is; one that runs is neither disturbed nor kept out.
    const id = await finished({ video_bytes: 8 << 20 });
    const video = await videos.video(id);
    const path = join(place, "ball.mp4");
    await emulator.scenario({ content: { rate_bytes_per_s: 2 << 20 } });
    const stop = new AbortController();
    await refused(video.save(path, { signal: stop.signal, onProgress: ({ bytes }) => { if (bytes > 600_000) stop.abort(); } }), "cancelled");
    const kept = await Promise.all([".part", ".part.state"].map((suffix) => readFile(path + suffix)));
    await videos.checkSave(path);
    assert.deepEqual(await Promise.all([".part", ".part.state"].map((suffix) => readFile(path + suffix))), kept);
    await emulator.scenario({ content: { latency_ms: 2000 } });
    const saving = video.save(path);
    while (!existsSync(`${path}.part.lock`)) await new Promise((resolve) => { setTimeout(resolve, 1); });
    await refused(videos.checkSave(path), "file_locked");
    assert.equal((await saving).resumed, true);
    await emulator.scenario({});
    // Of two at once the save always goes through; the check may find its lock.
    const over = { overwrite: true };
    await Promise.all([videos.checkSave(path, over).catch(({ code }) => assert.equal(code, "file_locked")), video.save(path, over)]);
    assert.deepEqual((await readdir(place)).sort(), ["ball.mp4", "dangling", "folder", "there.mp4"]);
  });

  test("resumes where an aborted, a failed or a killed one stopped", async () => {
    const id = await finished({ video_bytes: 12 << 20 });
    const video = await client.videos.video(id);
    const path = join(folder, "resumed.mp4");
    await emulator.scenario({ content: { rate_bytes_per_s: 4 << 20 } });
    const controller = new AbortController();
    await refused(video.save(path, { signal: controller.signal, onProgress: (p) => { if (p.bytes > 1 << 20) controller.abort(); } }), "cancelled");
    assert.ok(!existsSync(path));
    const kept = (await stat(`${path}.part`)).size;
    assert.ok(kept >= 512 << 10, String(kept));
    // A process that is killed in the middle leaves its lock and perhaps half a line.
    const script = `import { statSync } from "node:fs"; import { Client } from "junfeiai"; const c = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL })});
      const v = await c.videos.video(${JSON.stringify(id)}); await v.save(${JSON.stringify(path)}, { onProgress: () => { if (statSync(${JSON.stringify(`${path}.part`)}).size > ${kept}) process.kill(process.pid, "SIGKILL"); } });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: import.meta.dirname, stdio: "inherit" });
    assert.equal((await once(child, "exit"))[1], "SIGKILL");
    assert.ok((await stat(`${path}.part`)).size > kept);
    assert.ok(existsSync(`${path}.part.lock`));
    await writeFile(`${path}.part.state`, "+ 0-1", { flag: "a" });
    await emulator.forget();
    const summary = await video.save(path);
    assert.equal(summary.resumed, true);
    const [request] = (await emulator.requests()).filter((r) => r.path.endsWith("/content"));
    assert.ok(Number(/bytes=(\d+)-/.exec(request.range)?.[1]) >= kept, request.range);
    assert.deepEqual(new Uint8Array(await readFile(path)), await emulator.video(id));
    assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith("resumed")), ["resumed.mp4"]);
  });

  test("under the rules of Windows: what is opened for appending cannot be cut", async () => {
    const id = await finished({ video_bytes: 8 << 20 });
    const video = await client.videos.video(id);
    const path = join(folder, "windows.mp4");
    const { constants, promises } = require("node:fs");
    const { open } = promises;
    promises.open = async (name, flags, ...rest) => {
      const file = await open(name, flags, ...rest);
      const appends = typeof flags === "number" ? flags & constants.O_APPEND : /a/.test(flags);
      if (appends) file.truncate = () => Promise.reject(Object.assign(new Error("EPERM: operation not permitted, ftruncate"), { code: "EPERM", syscall: "ftruncate" }));
      return file;
    };
    try {
      const stop = new AbortController();
      // Slow enough that progress is told in between.
      await emulator.scenario({ content: { rate_bytes_per_s: 1 << 20 } });
      await refused(video.save(path, { signal: stop.signal, onProgress: (p) => { if (p.bytes > 200_000) stop.abort(); } }), "cancelled");
      await emulator.scenario({});
      await writeFile(`${path}.part.state`, "+ 0-1", { flag: "a" });
      assert.equal((await video.save(path)).resumed, true);
      await emulator.reset();
      const other = await finished({ video_bytes: 500_000 });
      // Of another task: everything is cut to nothing.
      await writeFile(`${path}.part`, "old");
      await writeFile(`${path}.part.state`, '{"junfeiai":1,"source":"","sparse":false,"task_id":"task_other","validators":{}}\n');
      await (await client.videos.video(other)).save(path, { overwrite: true });
      assert.deepEqual(new Uint8Array(await readFile(path)), await emulator.video(other));
    } finally {
      promises.open = open;
    }
    assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith("windows")), ["windows.mp4"]);
  });

  test("several connections, cuts, and two savers of one file", async () => {
    const id = await finished({ video_bytes: 8 << 20 });
    await emulator.scenario({ content: { latency_ms: 2000, per_connection_rate: 8 << 20 }, rules: [{ match: { op: "content", nth: [2] }, fault: { kind: "cut_body", after_bytes: 300_000 } }] });
    const video = await client.videos.video(id);
    const path = join(folder, "lanes.mp4");
    const first = video.save(path, { connections: 4 });
    while (!existsSync(`${path}.part.lock`)) await new Promise((resolve) => { setTimeout(resolve, 1); });
    await refused(video.save(path), "file_locked");
    await first;
    assert.deepEqual(new Uint8Array(await readFile(path)), await emulator.video(id));
  });

  test("a lock file that cannot be written does not stay", async () => {
    const video = await client.videos.video(await finished({ video_bytes: 300_000 }));
    const path = join(folder, "full.mp4");
    const { promises } = require("node:fs");
    const { writeFile: write } = promises;
    // A full disk: the file is made, and takes a part of its line.
    promises.writeFile = async (name, text, options) => {
      await write(name, text.slice(0, 20), options);
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
    };
    try {
      const error = await refused(video.save(path), "no_space");
      assert.equal(error.taskId, video.taskId);
      assert.equal(error.cause.code, "ENOSPC");
    } finally {
      promises.writeFile = write;
    }
    assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith("full")), []);
    await video.save(path);
  });

  test("a lock file without its line holds nobody up for long, and is not believed to be ours once it was taken", async () => {
    const video = await client.videos.video(await finished({ video_bytes: 300_000 }));
    const path = join(folder, "empty.mp4");
    const { promises } = require("node:fs");
    await writeFile(`${path}.part.lock`, "");
    await refused(video.save(path), "file_locked");
    const before = new Date(Date.now() - 6_000);
    await promises.utimes(`${path}.part.lock`, before, before);
    await video.save(path);
    await rm(path);
    // Another saver takes it before the line is in it, and writes its own.
    const { writeFile: write } = promises;
    const other = JSON.stringify({ pid: process.pid, name: "another" });
    promises.writeFile = async (name, text, options) => {
      await write(name, text, options);
      if (name.endsWith(".part.lock")) await write(name, `${other}\n`);
    };
    try {
      await refused(video.save(path), "file_locked");
    } finally {
      promises.writeFile = write;
    }
    assert.equal(await readFile(`${path}.part.lock`, "utf8"), `${other}\n`);
    await rm(`${path}.part.lock`);
    assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith("empty")), []);
  });

  test("where there is no /proc, a lock whose number another process has by now holds nobody up for ever", async () => {
    const video = await client.videos.video(await finished({ video_bytes: 300_000 }));
    const path = join(folder, "number.mp4");
    const fs = require("node:fs");
    const { readFileSync, readlinkSync } = fs;
    const { kill } = process;
    for (const [name, real] of Object.entries({ readFileSync, readlinkSync })) {
      fs[name] = (file, ...rest) => {
        if (String(file).startsWith("/proc/")) throw Object.assign(new Error(`ENOENT: ${file}`), { code: "ENOENT" });
        return real(file, ...rest);
      };
    }
    const leave = async (pid, minutes) => {
      await writeFile(`${path}.part.lock`, `${JSON.stringify({ pid, native: false, name: "another" })}\n`);
      const then = new Date(Date.now() - minutes * 60_000);
      await fs.promises.utimes(`${path}.part.lock`, then, then);
    };
    try {
      await leave(process.pid, 0);
      await refused(video.save(path), "file_locked");
      await leave(process.pid, 11);
      await video.save(path);
      // No system has so many processes. Who may not ask, as in Deno, does not know that.
      await leave(2 ** 30, 0);
      process.kill = () => { throw Object.assign(new Error("Requires run access"), { name: "NotCapable" }); };
      await refused(video.save(path, { overwrite: true }), "file_locked");
      process.kill = kill;
      await video.save(path, { overwrite: true });
    } finally {
      process.kill = kill;
      Object.assign(fs, { readFileSync, readlinkSync });
    }
    assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith("number")), ["number.mp4"]);
  });

  test("a whole file under both names, of a saver that was killed in between, keeps the right one, also on Windows", async () => {
    const video = await client.videos.video(await finished({ video_bytes: 300_000 }));
    await emulator.scenario({ rules: [{ match: { op: "content" }, fault: { kind: "status", status: 404 } }] });
    const real = Object.getOwnPropertyDescriptor(process, "platform");
    try {
      for (const platform of ["linux", "win32"]) {
        Object.defineProperty(process, "platform", { value: platform, configurable: true });
        const path = join(folder, `both-${platform}.mp4`);
        await writeFile(path, "whole");
        await link(path, `${path}.part`);
        await writeFile(`${path}.part.state`, '{"junfeiai":1,"source":"","sparse":false,"task_id":"task_1","validators":{}}\n');
        await refused(video.save(path, { overwrite: true }), "not_found");
        assert.equal(await readFile(path, "utf8"), "whole", "a save that failed took the file away");
        assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith(`both-${platform}`)), [`both-${platform}.mp4`]);
      }
    } finally {
      Object.defineProperty(process, "platform", real);
    }
  });

  test("a whole file is saved although its old name cannot be removed, which the next save does", async () => {
    const video = await client.videos.video(await finished({ video_bytes: 300_000 }));
    const path = join(folder, "held.mp4");
    const { promises } = require("node:fs");
    const { unlink } = promises;
    promises.unlink = async (name) => {
      if (name === `${path}.part`) throw Object.assign(new Error("EPERM: operation not permitted, unlink"), { code: "EPERM", syscall: "unlink" });
      return unlink(name);
    };
    try {
      assert.ok((await video.save(path)).bytes > 0);
    } finally {
      promises.unlink = unlink;
    }
    const left = async () => (await readdir(folder)).filter((name) => name.startsWith("held"));
    assert.deepEqual(await left(), ["held.mp4", "held.mp4.part"]);
    await refused(video.save(path), "file_exists");
    assert.deepEqual(await left(), ["held.mp4"]);
  });

  test("under the rules of Windows: a name that is read as something else is refused before anything is asked for", async () => {
    const id = await finished({ video_bytes: 300_000 });
    const video = await client.videos.video(id);
    await emulator.forget();
    const platform = Object.getOwnPropertyDescriptor(process, "platform");
    Object.defineProperty(process, "platform", { value: "win32", configurable: true });
    try {
      for (const name of ["nul", "Scene 1: a ball.mp4", "ball.mp4.", "com1/ball.mp4"]) {
        const { message, taskId } = await refused(video.save(join(folder, name), { createParents: true }), "io");
        assert.match(message, /cannot be a file on Windows: ".*": it /);
        assert.equal(taskId, id);
      }
    } finally {
      Object.defineProperty(process, "platform", platform);
    }
    assert.deepEqual(await emulator.requests(), []);
  });

  test("what is no file in place of our own is refused, and waited for by nobody", { skip: process.platform === "win32" && "no pipes" }, async () => {
    const video = await client.videos.video(await finished({ video_bytes: 300_000 }));
    for (const suffix of ["", ".part", ".part.state", ".part.lock"]) {
      const place = await mkdtemp(join(folder, "trap-"));
      const path = join(place, "ball.mp4");
      const { execFileSync } = require("node:child_process");
      execFileSync("mkfifo", [path + suffix]);
      const error = await refused(video.save(path, { overwrite: true }), "io");
      assert.match(error.message, /is not a regular file/);
      await rm(path + suffix);
      await writeFile(join(place, "victim"), "precious");
      await symlink(join(place, "victim"), path + suffix);
      if (suffix === "") await video.save(path, { overwrite: true });
      else await refused(video.save(path), "io");
      assert.equal(await readFile(join(place, "victim"), "utf8"), "precious");
      assert.equal((await readdir(place)).length, 2, suffix);
    }
  });

  test("a folder that the system makes nowhere is refused, and waited for by nobody", { skip: process.platform !== "linux" && "no /proc" }, async () => {
    const video = await client.videos.video(await finished({ video_bytes: 300_000 }));
    const error = await refused(video.save("/proc/none/deep/ball.mp4", { createParents: true }), "io");
    assert.equal(error.taskId, video.taskId);
    const place = await mkdtemp(join(folder, "deep-"));
    await video.save(join(place, "a/b/c/ball.mp4"), { createParents: true });
    assert.deepEqual(await readdir(join(place, "a/b/c")), ["ball.mp4"]);
    const journal = new Client({ apiKey: KEY, baseURL: emulator.baseURL, journal: "/proc/none/journal" });
    await refused(journal.videos.create({ prompt: "x", seconds: 4 }), "journal");
  });

  test("names without room for what stands beside them, and another working folder", async () => {
    const video = await client.videos.video(await finished({ video_bytes: 300_000 }));
    const place = await mkdtemp(join(folder, "names-"));
    for (const length of [245, 248, 250, 251, 256]) {
      const error = await refused(video.save(join(place, "n".repeat(length))), "io");
      assert.match(error.message, /take a shorter name/, String(length));
      assert.equal(error.taskId, video.taskId);
    }
    assert.deepEqual(await readdir(place), []);
    const before = process.cwd();
    try {
      process.chdir(place);
      const summary = await video.save("n".repeat(244), { onProgress: () => process.chdir(before) });
      assert.equal(summary.path.length, 244);
    } finally {
      process.chdir(before);
    }
    assert.deepEqual(await readdir(place), ["n".repeat(244)]);
  });

  test("after a boot of the machine only what was synced is believed", async () => {
    const id = await finished({ video_bytes: 12 << 20 });
    const video = await client.videos.video(id);
    const path = join(folder, "rebooted.mp4");
    await emulator.scenario({ content: { rate_bytes_per_s: 4 << 20 } });
    const controller = new AbortController();
    await refused(video.save(path, { signal: controller.signal, onProgress: (p) => { if (p.bytes > 1 << 20) controller.abort(); } }), "cancelled");
    const synced = (await stat(`${path}.part`)).size;
    const state = await readFile(`${path}.part.state`, "utf8");
    assert.ok(state.endsWith(`synced 0-${synced - 1}\n`), state);
    // As a machine that lost power may leave it: another boot, and more bytes than were synced.
    await writeFile(`${path}.part.state`, state.replace(/"machine_boot":("[^"]*"|null)/, '"machine_boot":"another"'));
    await writeFile(`${path}.part`, new Uint8Array(1 << 20), { flag: "a" });
    await emulator.forget();
    await emulator.scenario({ content: {} });
    assert.equal((await video.save(path)).resumed, true);
    const [request] = (await emulator.requests()).filter((r) => r.path.endsWith("/content"));
    assert.match(request.range, new RegExp(`^bytes=${synced}-`));
    assert.deepEqual(new Uint8Array(await readFile(path)), await emulator.video(id));
  });

  test("an error page never becomes an MP4", async () => {
    const id = await finished();
    await emulator.scenario({ content: {}, rules: [{ match: { op: "content" }, fault: { kind: "status", status: 403, body: "no" } }] });
    const path = join(folder, "none.mp4");
    await assert.rejects((await client.videos.video(id)).save(path, { signal: AbortSignal.timeout(400) }), JunFeiAIError);
    assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith("none")), []);
  });
});

describe("the key", () => {
  test("goes to listed hosts only, on every hop", async () => {
    const id = await finished();
    await emulator.scenario({ content: { redirect: "{second}/v1/videos/{id}/content" } });
    const video = await client.videos.video(id);
    assert.equal((await video.bytes()).length, (await emulator.video(id)).length);
    await emulator.scenario({ task: { result_url: "second_host" } });
    const task = await client.videos.create("a ball");
    assert.equal((await (await task.wait()).bytes()).length, (await emulator.video(task.id)).length);
    const all = await emulator.requests();
    const second = all.filter((r) => `http://${r.host}` === emulator.second || r.host === "second");
    assert.ok(second.length >= 2, inspect(all.map((r) => [r.host, r.path])));
    assert.ok(second.every((r) => r.key === "none"));
    assert.ok(all.filter((r) => !second.includes(r)).every((r) => r.key === "valid"));
  });

  test("fetch can be injected and is given what it needs", async () => {
    const calls = [];
    const own = (url, init) => { calls.push([url, init]); return fetch(url, init); };
    const video = await make({ fetch: own }).videos.generate("a ball");
    await video.bytes();
    assert.ok(calls.length >= 3);
    for (const [url, init] of calls) {
      assert.equal(typeof url, "string");
      assert.equal(init.headers.Authorization, `Bearer ${KEY}`);
      assert.equal(init.credentials, "omit");
      assert.ok(init.signal instanceof AbortSignal);
    }
    for (const odd of [() => { throw new Error(`leak ${KEY}`); }, () => 5, () => Promise.reject(undefined), async () => ({ status: 200 })]) {
      const error = await make({ fetch: odd, maxAttempts: 1 }).videos.create("x").then(() => assert.fail(), (e) => e);
      assert.ok(error instanceof JunFeiAIError, inspect(error));
      assert.doesNotMatch(error.message, /f00dcafe/);
    }
  });
});

describe("a defect", () => {
  test("ends what waits, and the next call works", async () => {
    // In a process of its own: it must come out of it alive.
    const script = `
      import { Client, JunFeiAIError } from "junfeiai";
      import { createRequire } from "node:module";
      const options = ${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20 })};
      const client = new Client(options);
      const task = await client.videos.create("a ball");
      // It sleeps before its first poll.
      const sleeper = () => client.videos.create("a ball").then((t) => t.wait({ pollIntervalMs: 3000 })).then(() => "no", (e) => e);
      const nap = () => new Promise((resolve) => setTimeout(resolve, 150));
      const waiting = sleeper();
      await nap();
      const { __panicForTests } = createRequire(import.meta.url)("junfeiai");
      let thrown; try { __panicForTests(); } catch (e) { thrown = e; }
      if (!(thrown instanceof JunFeiAIError) || thrown.code !== "internal" || !thrown.message.includes("it starts over with the next call")) throw new Error("not told: " + thrown);
      const ended = await waiting;
      if (!(ended instanceof JunFeiAIError) || ended.code !== "internal") throw new Error("left waiting: " + ended);
      const other = sleeper();
      await nap();
      const later = __panicForTests(true);
      const crash = await later.then(() => "no", (e) => e);
      if (crash?.code !== "internal") throw new Error("not told later: " + crash);
      if ((await other).code !== "internal") throw new Error("left waiting later");
      const video = await task.wait();
      console.log((await video.bytes()).length, (await client.videos.get(task.id)).status);
      task[Symbol.dispose](); client[Symbol.dispose]();`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (data) => { text += data; });
    const [code] = await once(child, "exit");
    assert.equal(code, 0);
    assert.match(text, /^\d+ succeeded/);
  });
});

describe("two copies of the package", () => {
  test("do not share a defect", async () => {
    const script = `
      const file = import.meta.resolve("junfeiai/inline");
      const [one, other] = [await import(file + "?1"), await import(file + "?2")];
      const answer = () => new Promise((resolve) => { setTimeout(() => { resolve(Response.json({ id: "task_1", status: "queued" })); }, 300); });
      const create = ({ Client }) => new Client({ apiKey: "sk-test", fetch: answer }).videos.create("a ball").then(({ id }) => id, ({ code }) => code);
      const created = [create(one), create(other)];
      await new Promise((resolve) => { setTimeout(resolve, 50); });
      const defect = Promise.race([one.__panicForTests(true).catch(({ code }) => code), new Promise((resolve) => { setTimeout(resolve, 3000, "a hang"); })]);
      console.log(JSON.stringify([await defect, ...await Promise.all(created)]));
      // The defect left timers behind.
      process.exit();`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (data) => { text += data; });
    assert.equal((await once(child, "exit"))[0], 0);
    assert.deepEqual(JSON.parse(text), ["internal", "internal", "task_1"]);
  });
});

describe("the environment", () => {
  const withVariables = (variables, run) => {
    const names = ["JUNFEIAI_API_KEY", "JUNFEIAI_BASE_URL", "JUNFEIAI_VIDEO_BASE_URL"];
    const before = names.map((name) => process.env[name]);
    const set = (name, value) => (value === undefined ? delete process.env[name] : (process.env[name] = value));
    names.forEach((name) => set(name, variables[name]));
    try {
      return run();
    } finally {
      names.forEach((name, at) => set(name, before[at]));
    }
  };

  test("is judged as in the other languages: a list of endpoints, and a bad variable by its name", () => {
    const key = { JUNFEIAI_API_KEY: KEY };
    const listed = withVariables({ ...key, JUNFEIAI_BASE_URL: " china , standard" }, () => new Client());
    assert.match(listed.endpoint, /lingzhiwuxian/);
    const given = withVariables({ ...key, JUNFEIAI_BASE_URL: "not a URL" }, () => new Client({ endpoint: "standard" }));
    assert.equal(given.endpoint, "https://junfeiai.com/v1");
    for (const [name, value] of [["JUNFEIAI_BASE_URL", "not a URL"], ["JUNFEIAI_BASE_URL", ","], ["JUNFEIAI_API_KEY", "a b"],
      ["JUNFEIAI_VIDEO_BASE_URL", "https://a.example/path"]]) {
      let error;
      try {
        withVariables({ ...key, [name]: value }, () => new Client());
      } catch (thrown) {
        error = thrown;
      }
      assert.ok(error instanceof JunFeiAIError && error.code === "config", inspect(error));
      assert.ok(error.message.startsWith(`${name}: `) && !error.message.includes(KEY), error.message);
    }
  });
});
