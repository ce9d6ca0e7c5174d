// The seekable reader: the same bytes whatever happens, few requests, and nothing left behind.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { createServer } from "node:http";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { inspect } from "node:util";
import { Client, JunFeiAIError } from "junfeiai";
import { KEY, startEmulator } from "./emulator.mjs";

const KIB = 1024;
const MIB = 1024 * KIB;
let emulator, client;
before(async () => { emulator = await startEmulator(); });
after(() => emulator.stop());
beforeEach(async () => {
  await emulator.reset();
  await emulator.forget();
  client = new Client({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20 });
});
const closers = [];
afterEach(async () => { for (const close of closers.splice(0)) await close(); });

/** A finished task: its video, and the bytes of that. */
async function finished(bytes, content) {
  const id = await emulator.add({ state: "finished", seconds: 4, video_bytes: bytes });
  if (content) await emulator.scenario({ content });
  return { id, video: await client.videos.video(id), file: await emulator.video(id) };
}
async function opened(video) {
  const reader = await video.open();
  closers.push(() => reader.close());
  return reader;
}
const contents = async () => (await emulator.requests()).filter((one) => one.path.endsWith("/content"));
const until = async (happened) => { while (!await happened()) await new Promise((resolve) => { setTimeout(resolve, 5); }); };
const same = (one, other, note) => { assert.ok(Buffer.from(one).equals(Buffer.from(other)), `other bytes ${note ?? ""}`); };
async function all(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}
async function refused(work, code) {
  let value, error;
  try {
    value = await work();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `it gave ${inspect(value, { depth: 0, maxArrayLength: 3 })}`);
  assert.ok(error instanceof JunFeiAIError, inspect(error));
  assert.equal(error.code, code, error.message);
  return error;
}

/** A service with one video whose answers are seen to end. `hold(start)` says which answers do not begin. */
async function service(bytes, hold = () => false) {
  const file = Buffer.alloc(bytes, "0123456789abcdef-");
  file.write("\0\0\0\x18ftypisom\0\0\x02\0isomiso2", 0, "latin1");
  file.writeUInt32BE(bytes - 24, 24);
  file.write("mdat", 28, "latin1");
  const log = [];
  const held = [];
  const server = createServer((request, response) => {
    if (!request.url.endsWith("/content")) {
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({ code: "success", data: { task_id: "task_1", status: "SUCCESS" } }));
      return;
    }
    const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const [start, end] = [Number(from), to === "" ? bytes : Math.min(Number(to) + 1, bytes)];
    const one = { start, end, open: true };
    log.push(one);
    response.on("error", () => undefined).on("close", () => { one.open = false; });
    const go = () => {
      const headers = { "Content-Type": "video/mp4", "Content-Length": end - start, "Content-Range": `bytes ${start}-${end - 1}/${bytes}`, "Accept-Ranges": "bytes", ETag: '"a"' };
      response.writeHead(206, headers).end(file.subarray(start, end));
    };
    if (hold(start)) held.push(go);
    else go();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => { server.closeAllConnections(); server.close(); });
  const { videos } = new Client({ apiKey: KEY, baseURL: `http://127.0.0.1:${server.address().port}/v1` });
  return { file, log, held, video: await videos.video("task_1"), open: () => log.filter((one) => one.open).length };
}

describe("reads", () => {
  test("give so many bytes from there on, fewer at the end, none behind it", async () => {
    const { video, file } = await finished(3_000_000);
    const reader = await opened(video);
    assert.equal(reader.size, file.length);
    for (const [position, length] of [[0, 8], [4, 4], [100_000, 700_000], [file.length - 10, 100], [0, file.length], [0, file.length + 1], [1_500_000, 1], [2_000_000, 0], [file.length, 5], [2 ** 40, 5]]) {
      const bytes = await reader.read(position, length);
      assert.ok(bytes instanceof Uint8Array && bytes.byteLength === bytes.buffer.byteLength);
      same(bytes, file.subarray(position, position + length), `${position}+${length}`);
    }
    await reader.close();
  });

  test("from one end to the other cost one short and one long request", async () => {
    const { video, file } = await finished(8 * MIB);
    const reader = await opened(video);
    for (let at = 0; at < file.length; at += 64 * KIB) same(await reader.read(at, 64 * KIB), file.subarray(at, at + 64 * KIB), at);
    assert.deepEqual((await contents()).map(({ range }) => range), ["bytes=0-262143", `bytes=262144-${file.length - 1}`]);
    assert.equal((await contents()).reduce((sum, one) => sum + one.sent_bytes, 0), file.length);
    // What is in the cache costs none.
    await reader.read(file.length - 1000, 1000);
    assert.equal((await contents()).length, 2);
  });

  test("at once are carried out in the order of their calls", async () => {
    const { video, file } = await finished(3_000_000);
    const reader = await opened(video);
    const ended = [];
    await Promise.all(Array.from({ length: 30 }, async (_, at) => {
      const [position, length] = [at * 7919 * 131 % file.length, 1 + at * 10_007 % 150_000];
      same(await reader.read(position, length), file.subarray(position, position + length), `${position}+${length}`);
      ended.push(at);
    }));
    assert.deepEqual(ended, Array.from({ length: 30 }, (_, at) => at));
  });

  test("resume where a connection breaks, and take no byte of another file", async () => {
    const { id, video, file } = await finished(3_000_000);
    await emulator.scenario({ rules: [{ match: { op: "content", from: 1, to: 4 }, fault: { kind: "cut_body", after_bytes: 200_000 } }] });
    const reader = await opened(video);
    same(await reader.read(0, file.length), file);
    await emulator.scenario({ rules: [{ match: { op: "content" }, fault: { kind: "change_file" } }] });
    for (const position of [0, 100]) assert.equal((await refused(() => reader.read(position, 500_000), "integrity")).taskId, id);
    const before = (await contents()).length;
    await refused(() => reader.read(0, 10), "integrity");
    assert.equal((await contents()).length, before);
  });

  test("whatever the server can do", async () => {
    for (const content of [{ range: "ignore" }, { range: "no_content_range" }, { content_length: false, etag: "weak" }, { range: "ignore", content_length: false, etag: "none", last_modified: false }]) {
      const { video, file } = await finished(3_000_000, content);
      const note = JSON.stringify(content);
      const reader = await opened(video);
      assert.equal(reader.size, file.length, note);
      same(await reader.read(2_900_000, 200_000), file.subarray(2_900_000), note);
      same(await reader.read(4, 100), file.subarray(4, 104), note);
      same(Buffer.concat(await all(reader.stream({ start: 1000 }))), file.subarray(1000), note);
    }
  });

  test("an error is of the task, and the next read tries again", async () => {
    await refused(() => client.videos.video("task_none").then((video) => video.open()), "not_found");
    const { id, video, file } = await finished(3_000_000);
    const reader = await opened(video);
    await emulator.scenario({ rules: [{ match: { op: "content" }, fault: { kind: "error_shape", shape: "invalid_token" } }] });
    assert.equal((await refused(() => reader.read(2_000_000, 10), "authentication")).taskId, id);
    await emulator.scenario({});
    same(await reader.read(2_000_000, 10), file.subarray(2_000_000, 2_000_010));
  });

  test("what is no position and no length is refused by its name, and nothing is sent", async () => {
    const { id, video } = await finished(3_000_000);
    const reader = await opened(video);
    const before = (await contents()).length;
    const named = async (field, work) => {
      const error = await refused(work, "invalid_request");
      assert.deepEqual([error.field, error.taskId, error.phase], [field, id, "content"], error.message);
      return error.message;
    };
    for (const value of ["a", "5", NaN, Infinity, -1, 0.5, true, {}, [], 5n, 2 ** 53]) {
      assert.match(await named("position", () => reader.read(value, 5)), /^position must be a whole number of bytes, 0 or more/);
      assert.match(await named("length", () => reader.read(2_000_000, value)), /^length must be a whole number of bytes, 0 or more/);
      for (const name of ["start", "end", "highWaterMark"]) assert.match(await named(name, () => reader.stream({ [name]: value })), new RegExp(`^${name} must be a whole number of bytes`));
    }
    for (const value of [null, undefined]) {
      await named("position", () => reader.read(value, 5));
      await named("length", () => reader.read(5, value));
    }
    assert.match(await named("highWaterMark", () => reader.stream({ highWaterMark: 0 })), /1 or more/);
    assert.match(await named("end", () => reader.stream({ start: 5, end: 4 })), /^end must not be less than start/);
    for (const call of [(options) => reader.read(0, 5, options), (options) => reader.stream(options)]) {
      assert.match(await named("highWatermark", () => call({ highWatermark: 5 })), /^there is no option highWatermark/);
      await named("signal", () => call({ signal: {} }));
      await named(null, () => call(new AbortController().signal));
    }
    assert.equal((await contents()).length, before);
  });
});

describe("a stream", () => {
  test("is a Readable of Node with the bytes from start up to end", async () => {
    const { video, file } = await finished(3_000_000);
    const reader = await opened(video);
    for (const [options, expected] of [
      [undefined, file], [{ start: 5, end: 1_000_000 }, file.subarray(5, 1_000_000)], [{ start: 2_999_990 }, file.subarray(2_999_990)], [{ end: 2 ** 40 }, file],
      [{ start: 5, end: 5 }, []], [{ start: 2 ** 40 }, []], [{ start: null, end: null, highWaterMark: null, signal: null }, file],
    ]) {
      const stream = reader.stream(options);
      assert.ok(stream instanceof Readable);
      same(Buffer.concat(await all(stream)), expected, inspect(options));
    }
    const pieces = await all(reader.stream({ start: 1, end: 200_001, highWaterMark: 60_000 }));
    assert.ok(pieces.every(Buffer.isBuffer));
    assert.deepEqual(pieces.map(({ length }) => length), [60_000, 60_000, 60_000, 20_000]);
    assert.equal(reader.stream().readableHighWaterMark, 64 * KIB);
    const gathered = [];
    await pipeline(reader.stream({ start: 7 }), new Writable({ write(piece, _, done) { gathered.push(piece); setImmediate(done); } }));
    same(Buffer.concat(gathered), file.subarray(7));
  });

  test("of the whole costs what reading it does, and seeks between streams and reads mix nothing up", async () => {
    const { video, file } = await finished(8 * MIB);
    const reader = await opened(video);
    same(Buffer.concat(await all(reader.stream())), file);
    assert.equal((await contents()).length, 2);
    const starts = [6_000_000, 100, 3_000_000];
    const [streams, reads] = await Promise.all([
      Promise.all(starts.map((start) => all(reader.stream({ start, end: start + 1_000_000, highWaterMark: 100_000 })))),
      Promise.all(starts.map((start) => reader.read(start + 500_000, 1000))),
    ]);
    for (const [at, start] of starts.entries()) {
      same(Buffer.concat(streams[at]), file.subarray(start, start + 1_000_000), start);
      same(reads[at], file.subarray(start + 500_000, start + 501_000), start);
    }
  });

  test("reads no further than its buffer while nobody takes the bytes", async () => {
    const { video } = await finished(3_000_000);
    const reader = await opened(video);
    const stream = reader.stream({ highWaterMark: 10_000 });
    await once(stream, "readable");
    await reader.read(0, 5);
    await reader.read(0, 5);
    assert.ok(stream.readableLength >= 10_000 && stream.readableLength <= 20_000, String(stream.readableLength));
    stream.destroy();
  });

  test("destroyed before its end ends its request, and the reader goes on", async () => {
    const { video, file, log, open } = await service(64 * MIB);
    const reader = await opened(video);
    const ways = {
      "left by its consumer": async () => { for await (const piece of reader.stream({ highWaterMark: 2 * MIB })) { assert.ok(piece.length > 0); break; } },
      "destroyed while nothing is read": async () => {
        const stream = reader.stream({ start: 8 * MIB, highWaterMark: 2 * MIB });
        await once(stream, "readable");
        // Until the buffer is full.
        await until(() => stream.readableLength >= 2 * MIB);
        stream.destroy();
        await once(stream, "close");
      },
      "ended by its signal": async () => {
        const stop = new AbortController();
        const stream = reader.stream({ start: 16 * MIB, highWaterMark: 2 * MIB, signal: stop.signal });
        await once(stream, "readable");
        stop.abort(new Error("enough"));
        const [error] = await once(stream, "error");
        assert.deepEqual([error.code, error.name, error.taskId, error.cause.message], ["cancelled", "AbortError", "task_1", "enough"]);
        assert.equal(getEventListeners(stop.signal, "abort").length, 0);
      },
    };
    for (const [name, way] of Object.entries(ways)) {
      await way();
      await until(() => open() === 0);
      const before = log.length;
      same(await reader.read(40 * MIB + before, 10), file.subarray(40 * MIB + before, 40 * MIB + before + 10), name);
      await until(() => open() === 0);
    }
  });

  test("with a signal that is raised already is an error, and one that ends takes its listener off", async () => {
    const { id, video, file } = await finished(300_000);
    const reader = await opened(video);
    const before = (await contents()).length;
    const [error] = await once(reader.stream({ start: 280_000, signal: AbortSignal.abort("why") }), "error");
    assert.deepEqual([error.code, error.taskId, error.cause], ["cancelled", id, "why"]);
    assert.equal((await contents()).length, before);
    const { signal } = new AbortController();
    same(Buffer.concat(await all(reader.stream({ signal }))), file);
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  test("fails as its reads do", async () => {
    const { id, video } = await finished(3_000_000);
    const reader = await opened(video);
    await emulator.scenario({ rules: [{ match: { op: "content" }, fault: { kind: "change_file" } }] });
    assert.equal((await refused(() => all(reader.stream({ start: 2_000_000 })), "integrity")).taskId, id);
  });
});

describe("an abort", () => {
  test("of open is one of the call", async () => {
    const { video, log, open } = await service(MIB, () => true);
    const stop = new AbortController();
    const opening = refused(() => video.open({ signal: stop.signal }), "cancelled");
    await until(() => log.length === 1);
    stop.abort(new Error("enough"));
    const error = await opening;
    assert.deepEqual([error.name, error.taskId, error.cause.message], ["AbortError", "task_1", "enough"]);
    await until(() => open() === 0);
    assert.equal(getEventListeners(stop.signal, "abort").length, 0);
    await refused(() => video.open({ signal: AbortSignal.abort() }), "cancelled");
    assert.equal(log.length, 1);
  });

  test("of a read ends its request and no other read", async () => {
    let holds = true;
    const { video, file, log, held, open } = await service(64 * MIB, (start) => holds && start > 16 * MIB);
    const reader = await opened(video);
    const stops = [new AbortController(), new AbortController()];
    const first = refused(() => reader.read(32 * MIB, 10, { signal: stops[0].signal }), "cancelled");
    const waiting = refused(() => reader.read(0, 10, { signal: stops[1].signal }), "cancelled");
    const last = reader.read(48 * MIB, 10);
    await until(() => held.length === 1);
    // It has not had its turn: the first read is still under way.
    stops[1].abort("impatient");
    assert.deepEqual([(await waiting).cause, (await waiting).taskId], ["impatient", "task_1"]);
    assert.equal(log.filter(({ start }) => start > 16 * MIB).length, 1);
    await until(() => open() === 1);
    holds = false;
    stops[0].abort("enough");
    assert.equal((await first).cause, "enough");
    same(await last, file.subarray(48 * MIB, 48 * MIB + 10));
    await until(() => !log.find(({ start }) => start === 32 * MIB).open);
    same(await reader.read(32 * MIB, 10), file.subarray(32 * MIB, 32 * MIB + 10));
    for (const { signal } of stops) assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  test("takes nothing out of the file", async () => {
    const { video, file } = await finished(3_000_000);
    const reader = await opened(video);
    await emulator.scenario({ rules: [{ match: { op: "content" }, times: 1, fault: { kind: "stall_body", after_bytes: 100_000 } }] });
    const stop = new AbortController();
    const reading = refused(() => reader.read(500_000, 2_000_000, { signal: stop.signal }), "cancelled");
    await until(async () => (await contents()).some((one) => one.fault && one.sent_bytes >= 100_000));
    stop.abort();
    await reading;
    same(await reader.read(500_000, 2_000_000), file.subarray(500_000, 2_500_000));
  });
});

describe("a reader that was closed", () => {
  test("ends what is under way, refuses what comes later, and leaves no request", async () => {
    const { video, log, held, open } = await service(64 * MIB, (start) => start > 16 * MIB);
    const reader = await video.open();
    const ends = [refused(() => reader.read(32 * MIB, 10), "cancelled"), refused(() => reader.read(0, 10), "cancelled"), refused(() => all(reader.stream({ start: 48 * MIB })), "cancelled")];
    await until(() => held.length === 1);
    await Promise.all([reader.close(), reader.close(), reader[Symbol.asyncDispose]()]);
    reader[Symbol.dispose]();
    for (const error of await Promise.all(ends)) {
      assert.equal(error.taskId, "task_1");
      assert.match(error.message, /^the reader was closed/);
    }
    await until(() => open() === 0);
    const before = log.length;
    for (const work of [() => reader.read(0, 5), () => reader.stream()]) {
      const error = await refused(work, "invalid_request");
      assert.match(error.message, /^the reader is closed: call open\(\) of the video again/);
      assert.equal(error.taskId, "task_1");
    }
    assert.equal(log.length, before);
    // The video can be opened again.
    const again = await opened(video);
    assert.equal((await again.read(4, 4)).length, 4);
  });

  test("ends a request that nobody reads", async () => {
    const { video, open } = await service(64 * MIB);
    const reader = await video.open();
    await reader.read(0, 4 * MIB);
    await until(() => open() === 1);
    await reader.close();
    await until(() => open() === 0);
  });
});

test("after a defect it is opened again by itself, and what it waited for is told", async () => {
  const { id, file } = await finished(3_000_000);
  // The second answer never comes, so that the read is under way when the defect does.
  await emulator.scenario({ rules: [{ match: { op: "content", nth: [2] }, fault: { kind: "hang" } }] });
  const script = `
    import { Client, JunFeiAIError } from "junfeiai";
    import { createRequire } from "node:module";
    const { __panicForTests } = createRequire(import.meta.url)("junfeiai");
    const client = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL })});
    const video = await client.videos.video("${id}");
    const reader = await video.open();
    const before = await reader.read(0, 10);
    const reading = reader.read(2_000_000, 500_000).then(() => "no", (error) => error);
    const next = reader.read(4, 4);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
    try { __panicForTests(); } catch { /* on purpose */ }
    const error = await reading;
    if (!(error instanceof JunFeiAIError) || error.code !== "internal" || error.taskId !== "${id}") throw new Error("not told: " + error);
    let bytes = 0;
    for await (const piece of reader.stream({ start: 10 })) bytes += piece.length;
    await reader.close();
    console.log(before.length, Buffer.from(await next).toString(), bytes, reader.size);
    // The defect left timers behind.
    process.exit();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (data) => { text += data; });
  assert.equal((await once(child, "close"))[0], 0);
  assert.equal(text, `10 ftyp ${file.length - 10} ${file.length}\n`);
});
