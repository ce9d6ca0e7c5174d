// The proxy handler inside of the frameworks that people have: mounted with and without `basePath`, behind their body parsers.
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import bodyParser from "koa-bodyparser";
import { Client } from "junfeiai";
import { createProxyHandler, toNodeHandler } from "junfeiai/server";
import { KEY, startEmulator } from "./emulator.mjs";

let emulator;
before(async () => { emulator = await startEmulator(); });
after(() => { emulator.stop(); });
beforeEach(async () => { await emulator.reset(); await emulator.forget(); });

const handlerOf = (options = {}) => createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, allow: () => true, ...options });
const MOUNT = "/api/junfeiai";
const posts = async () => (await emulator.requests()).filter((r) => r.method === "POST").length;

/** A server on a free port while `work` runs. */
async function served(listener, work) {
  const server = createServer(listener);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try { return await work(`http://127.0.0.1:${server.address().port}`); } finally { server.close(); server.closeAllConnections(); }
}

/** Each framework with its own body parser in front, as a Node listener. */
const FRAMEWORKS = {
  express: (handler) => express().use(express.json()).use(MOUNT, toNodeHandler(handler)),
  "express without a parser": (handler) => express().all(`${MOUNT}/*path`, toNodeHandler(handler)),
  koa: (handler) => {
    const listen = toNodeHandler(handler);
    return new Koa().use(bodyParser()).use(async (context) => {
      context.respond = false;
      await listen(context.req, context.res, context.request.rawBody);
    }).callback();
  },
};

for (const [name, app] of Object.entries(FRAMEWORKS)) {
  for (const options of [{}, { basePath: MOUNT }]) {
    test(`the main job behind ${name}${options.basePath ? " with basePath" : ""}`, async () => {
      await served(app(handlerOf(options)), async (origin) => mainJob(new Client({ baseURL: origin + MOUNT, pollIntervalMs: 20 })));
    });
  }
}

async function mainJob(client) {
  const video = await client.videos.generate({ prompt: "ein Ball, 一个球", seconds: 6 });
  assert.equal(Buffer.compare(Buffer.from(await video.bytes()), Buffer.from(await emulator.video(video.taskId))), 0);
  const [post] = (await emulator.requests()).filter((r) => r.method === "POST");
  assert.deepEqual([post.body_json.prompt, post.key], ["ein Ball, 一个球", "valid"]);
}

test("the main job behind fastify", async () => {
  for (const options of [{}, { basePath: MOUNT }]) {
    await emulator.forget();
    const listen = toNodeHandler(handlerOf(options));
    const app = Fastify();
    app.all(`${MOUNT}/*`, (request, reply) => {
      reply.hijack();
      return listen(request.raw, reply.raw, request.body);
    });
    try {
      await app.listen({ port: 0, host: "127.0.0.1" });
      await mainJob(new Client({ baseURL: `http://127.0.0.1:${app.server.address().port}${MOUNT}`, pollIntervalMs: 20 }));
    } finally {
      app.server.closeAllConnections();
      await app.close();
    }
  }
});

test("the main job behind hono, whose requests are standard ones", async () => {
  const handler = handlerOf({ basePath: MOUNT });
  const app = new Hono().all(`${MOUNT}/*`, (context) => handler(context.req.raw));
  await mainJob(new Client({ baseURL: `https://page.example${MOUNT}`, pollIntervalMs: 20, fetch: async (url, init) => app.fetch(new Request(url, init)) }));
});

test("a body that is gone is an error of the server, which is told how to mount it", async () => {
  const told = [];
  const handler = handlerOf({ onError: (error, { taskId }) => { told.push([error.message, taskId]); } });
  const order = { method: "POST", body: '{"prompt":"x"}', headers: { "content-type": "application/json" } };
  // Koa's parser keeps what it reads to itself, unless it is handed on.
  const koa = new Koa().use(bodyParser()).use(async (context) => {
    context.respond = false;
    await toNodeHandler(handler)(context.req, context.res);
  }).callback();
  await served(koa, async (origin) => {
    const answer = await fetch(`${origin}${MOUNT}/video/generations`, order);
    assert.deepEqual([answer.status, (await answer.json()).data], [500, null]);
  });
  const used = new Request(`http://x${MOUNT}/video/generations`, order);
  await used.text();
  assert.equal((await handler(used)).status, 500);
  assert.equal(told.length, 2);
  for (const [message, taskId] of told) assert.ok(/mount the handler in front of it/.test(message) && taskId === null, message);
  assert.equal(await posts(), 0);
});

test("what goes wrong inside is reported, and the page learns no more than before", async () => {
  const told = [];
  let id;
  const onError = (error, { request, taskId }) => { told.push([error.code ?? error.message, new URL(request.url).pathname.slice(0, 18), taskId]); };
  const send = (handler, path, init) => handler(new Request(`http://x${path}`, init));
  const order = { method: "POST", body: '{"prompt":"x"}', headers: { "content-type": "application/json" } };
  const said = async (answer) => [(await answer).status, await (await answer).text()];

  const [status, text] = await said(send(handlerOf({ onError, allow: () => { throw new Error("no database"); } }), "/video/generations", order));
  assert.ok(status === 500 && !text.includes("database"));
  await said(send(handlerOf({ onError, onCreated: (task) => { id = task.id; return Promise.reject(new Error("no room")); } }), "/video/generations", order));
  await said(send(handlerOf({ onError }), "/video/generations/task_unknown"));
  await said(send(handlerOf({ onError, apiKey: "sk-wrong" }), "/video/generations", order));
  assert.deepEqual(told, [
    ["no database", "/video/generations", null], ["no room", "/video/generations", id], ["not_found", "/video/generations", "task_unknown"],
    ["authentication", "/video/generations", null],
  ].map(([what, path, task]) => [what, path.slice(0, 18), task]));

  // Neither a callback that throws nor one that rejects changes the answer, or ends the process.
  for (const failing of [() => { throw new Error("broken"); }, () => Promise.reject(new Error("broken"))]) {
    assert.equal((await send(handlerOf({ onError: failing }), "/video/generations/task_unknown")).status, 400);
  }
  for (const bad of [null, 1, "x"]) assert.throws(() => handlerOf({ onError: bad }), /onError must be a function/);
});

test("a page that goes away is no failure", async () => {
  const told = [];
  const id = await emulator.add({ state: "finished", seconds: 6, video_bytes: 16 << 20 });
  await emulator.scenario({ content: { rate_bytes_per_s: 2 << 20 } });
  let closed;
  const gone = new Promise((resolve) => { closed = resolve; });
  const listen = toNodeHandler(handlerOf({ onError: (error) => { told.push(error); } }));
  await served((request, response) => { void listen(request, response).then(closed); }, async (origin) => {
    const controller = new AbortController();
    const answer = await fetch(`${origin}/videos/${id}/content`, { signal: controller.signal });
    await answer.body.getReader().read();
    controller.abort();
    await gone;
  });
  assert.deepEqual(told, []);
});

test("what may be paid for is told although the page went away", async () => {
  const told = [];
  const controller = new AbortController();
  const send = (handler) => handler(new Request("http://x/video/generations", {
    method: "POST", body: '{"prompt":"x"}', headers: { "content-type": "application/json" }, signal: controller.signal,
  }));
  const onError = (error, { taskId }) => { told.push([error.code ?? error.message, taskId]); };
  let id;
  await send(handlerOf({ onError, onCreated: (task) => { id = task.id; controller.abort(); throw new Error("no room"); } }));
  await emulator.scenario({ rules: [{ match: { op: "create" }, fault: { kind: "drop_after_accept" } }] });
  await send(handlerOf({ onError, allow: () => { controller.abort(); return true; } }));
  assert.deepEqual(told, [["no room", id], ["create_outcome_unknown", null]]);
});

test("a request that cannot be one ends its connection and not the process", async () => {
  const { connect } = await import("node:net");
  await served(toNodeHandler(handlerOf()), async (origin) => {
    const raw = (text) => new Promise((resolve) => {
      const socket = connect(new URL(origin).port, "127.0.0.1", () => socket.end(text));
      socket.on("error", () => undefined).on("close", resolve).resume();
    });
    for (const text of ["GET / HTTP/1.1\r\nHost: [\r\n\r\n", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", "GET // HTTP/1.1\r\nHost: x y\r\n\r\n"]) await raw(text);
    assert.equal((await fetch(`${origin}/nothing`)).status, 404);
  });
});

test("with a journal a repeated create request is answered by any process", async () => {
  const journal = join(mkdtempSync(join(tmpdir(), "junfeiai-proxy-")), "journal");
  const seen = [];
  const another = () => handlerOf({ journal, onCreated: (task) => { seen.push([task.id, task.reused]); } });
  const send = (handler, key, body = '{"prompt":"a ball"}') => handler(new Request("http://x/video/generations", {
    method: "POST", body, headers: { "content-type": "application/json", "idempotency-key": key },
  }));
  const first = await (await send(another(), "a")).json();
  // Handlers share nothing but the journal, as processes do.
  const second = await (await send(another(), "a")).json();
  assert.deepEqual([second.id, await posts()], [first.id, 1]);
  assert.deepEqual(seen, [[first.id, false], [first.id, true]]);
  const other = await send(another(), "a", '{"prompt":"another ball"}');
  assert.deepEqual([other.status, (await other.json()).code], [422, "idempotency_conflict"]);
  // Names that are no keys of a journal: too long, or with spaces.
  for (const name of ["x".repeat(4000), "two words"]) {
    const [one, two] = [await (await send(another(), name)).json(), await (await send(another(), name)).json()];
    assert.ok(one.id && one.id === two.id);
  }
  assert.equal(await posts(), 3);
  // Its answer was lost: nobody sends it again.
  await emulator.scenario({ rules: [{ match: { op: "create" }, fault: { kind: "drop_after_accept" } }] });
  for (let time = 0; time < 2; time += 1) assert.equal((await (await send(another(), "lost")).json()).code, "create_outcome_unknown");
  assert.equal(await posts(), 4);
});
