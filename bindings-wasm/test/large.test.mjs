// Large bodies, which bypass Node's HTTP parser: ts/node-intake.ts.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer as createHTTPServer } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, before, test } from "node:test";
import { setTimeout as passed } from "node:timers/promises";
import { Client } from "junfeiai";
import { Emulator } from "../../tests/emulator/npm/index.mjs";
import { KEY, root } from "./emulator.mjs";

const PROGRAM = process.env.JUNFEIAI_EMULATOR ?? join(root, "target/debug/junfeiai-emulator");

for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]) delete process.env[name];

const SIZE = 96 * 1024 * 1024;
const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex");
let BODY, HASH, SMALL;
/** A video of this size; nowhere in it are bytes as they are elsewhere. */
async function videoOf(videoBytes) {
  const emulator = await Emulator.start({ program: PROGRAM, videoBytes });
  const bytes = await emulator.video(await emulator.addTask("finished", { seconds: 4 }));
  await emulator.stop();
  return Buffer.from(bytes);
}
before(async () => {
  BODY = await videoOf(SIZE);
  HASH = hashOf(BODY);
  SMALL = await videoOf(1_000_000);
});

const closers = [];
afterEach(async () => { for (const close of closers.splice(0)) await close(); });
async function listening(server) {
  const sockets = new Set();
  server.on("connection", (socket) => { sockets.add(socket); socket.on("error", () => undefined); socket.on("close", () => sockets.delete(socket)); });
  server.listen(0, "127.0.0.1");
  closers.push(() => { server.close(); for (const socket of sockets) socket.destroy(); });
  await once(server, "listening");
  return server.address().port;
}

const videoAt = (port) => new Client({ apiKey: KEY, baseURL: `http://127.0.0.1:${port}/v1` }).videos.videoAt(`http://127.0.0.1:${port}/v1/video.mp4`);
async function hashOfStream(video) {
  const hash = createHash("sha256");
  let length = 0;
  for await (const piece of video.stream()) {
    hash.update(piece);
    length += piece.length;
  }
  return [length, hash.digest("hex")];
}

test("is read whole; its connection is closed at its end, that of a small one is kept", async () => {
  const connections = [];
  let count = 0;
  const server = createHTTPServer((request, response) => {
    connections.push(request.socket.number);
    // Not at places where one read would end.
    const body = request.url === "/v1/video.mp4" ? BODY : SMALL;
    response.writeHead(200, { "Content-Length": body.length });
    for (let at = 0; at < body.length; at += 777_777) response.write(body.subarray(at, at + 777_777));
    response.end();
  });
  server.on("connection", (socket) => { socket.number = count += 1; });
  const port = await listening(server);
  const { videos } = new Client({ apiKey: KEY, baseURL: `http://127.0.0.1:${port}/v1` });
  for (const [path, body] of [["small", SMALL], ["video", BODY], ["small", SMALL]]) {
    assert.deepEqual(await hashOfStream(await videos.videoAt(`http://127.0.0.1:${port}/v1/${path}.mp4`)), [body.length, hashOf(body)]);
  }
  assert.deepEqual(connections, [1, 1, 2]);
});

test("what a server sends behind it is nobody's", async () => {
  const port = await listening(createServer((socket) => {
    socket.once("data", () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
      socket.write(BODY);
      socket.write(Buffer.alloc(3_000_000, "x"));
    });
  }));
  assert.deepEqual(await hashOfStream(await videoAt(port)), [SIZE, HASH]);
});

test("one that breaks off goes on where it was", async () => {
  const ranges = [];
  const cut = 80 * 1024 * 1024 + 5;
  const port = await listening(createHTTPServer((request, response) => {
    ranges.push(request.headers.range);
    const begin = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "bytes=0-")[1]);
    response.writeHead(206, { "Content-Length": SIZE - begin, "Content-Range": `bytes ${begin}-${SIZE - 1}/${SIZE}`, ETag: '"1"' });
    if (begin === 0) response.write(BODY.subarray(0, cut), () => { response.socket.destroySoon(); });
    else response.end(BODY.subarray(begin));
  }));
  assert.deepEqual(await hashOfStream(await videoAt(port)), [SIZE, HASH]);
  assert.equal(ranges.length, 2);
  assert.equal(ranges[1], `bytes=${cut}-${SIZE - 1}`);
});

test("a reader that stops is waited for", async () => {
  let given = 0;
  const port = await listening(createHTTPServer((request, response) => {
    response.writeHead(200, { "Content-Length": SIZE });
    (async () => {
      for (let at = 0; at < SIZE; at += 65_536) {
        if (!response.write(BODY.subarray(at, at + 65_536))) await once(response, "drain");
        given = at + 65_536;
      }
      response.end();
    })().catch(() => undefined);
  }));
  const reader = (await videoAt(port)).stream().getReader();
  // Beyond what the parser still has.
  let length = 0;
  while (length < 4 * 1024 * 1024) length += (await reader.read()).value.length;
  let before;
  do {
    before = given;
    await passed(300);
  } while (given > before);
  assert.ok(given < SIZE * 0.75, `${given} bytes were sent to a reader that took ${length}`);
  for (let part = await reader.read(); !part.done; part = await reader.read()) length += part.value.length;
  assert.equal(length, SIZE);
});

test("over TLS it is in memory and in a file what the server has", async () => {
  const folder = await mkdtemp(join(tmpdir(), "junfeiai-large-"));
  const ca = join(folder, "ca.pem");
  const emulator = spawn(PROGRAM, ["--port", "0", "--api-key", KEY, "--time-scale", "600", "--quiet", "--exit-with-stdin", "--video-bytes", String(SIZE), "--tls-ca", ca],
    { stdio: ["pipe", "pipe", "inherit"] });
  closers.push(async () => { emulator.stdin.end(); await rm(folder, { recursive: true, force: true }); });
  const origin = (await createInterface({ input: emulator.stdout })[Symbol.asyncIterator]().next()).value.split(" ").at(-1);
  const video = await new Client({ apiKey: KEY, baseURL: `${origin}/v1`, caFile: ca, pollIntervalMs: 20 }).videos.generate("a ball");
  const bytes = await video.bytes();
  assert.equal(bytes.length, SIZE);
  const file = join(folder, "video.mp4");
  const { attempts } = await video.save(file);
  assert.equal(attempts, 1);
  assert.equal(hashOf(await readFile(file)), hashOf(bytes));
});
