// The proxy handler: what it hands on, what it keeps back, and who may.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { Client } from "junfeiai";
import { createProxyHandler, toNodeHandler } from "junfeiai/server";
import { error } from "junfeiai/testing";
import { KEY, startEmulator } from "./emulator.mjs";

let emulator, handler, server, base, calls, verdict;

before(async () => {
  emulator = await startEmulator();
  handler = createProxyHandler({
    apiKey: KEY, baseURL: emulator.baseURL, basePath: "/api/junfeiai",
    allow: (call) => { calls.push(call); return verdict(call); },
  });
  server = createServer(toNodeHandler(handler));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${server.address().port}/api/junfeiai`;
});
after(() => { emulator.stop(); server.close(); server.closeAllConnections(); });
beforeEach(async () => { await emulator.reset(); await emulator.forget(); calls = []; verdict = () => true; });

const page = () => new Client({ baseURL: base, pollIntervalMs: 20 });
const post = (body, headers = { "content-type": "application/json" }) => fetch(`${base}/video/generations`, { method: "POST", body, headers });

test("a client without a key does the main job through it", async () => {
  const client = page();
  const task = await client.videos.create({ prompt: "a ball", seconds: 6, extra: { resolution: "720p" } });
  assert.equal(task.billedSeconds, 6);
  const video = await task.wait();
  const bytes = await emulator.video(task.id);
  assert.deepEqual(await video.bytes(), bytes);
  assert.equal(await video.playbackURL(), `${base}/videos/${task.id}/content`);
  const part = await fetch(await video.playbackURL(), { headers: { range: "bytes=0-1" } });
  assert.deepEqual([part.status, part.headers.get("content-range")], [206, `bytes 0-1/${bytes.length}`]);
  assert.deepEqual(new Uint8Array(await part.arrayBuffer()), bytes.slice(0, 2));
  const seen = await emulator.requests();
  assert.ok(seen.every((r) => r.key === "valid"));
  assert.equal(seen.filter((r) => r.method === "POST").length, 1);
  assert.equal(seen.find((r) => r.method === "POST").body_json.resolution, "720p");
  assert.deepEqual([...new Set(calls.map((call) => call.kind))], ["create", "query", "content"]);
  // The account's own data and the address of the service stay behind.
  const text = await (await fetch(`${base}/video/generations/${task.id}`)).text();
  assert.doesNotMatch(text, /quota|user_id|group|result_url|http/);
});

test("an error that passes through it says its advice once", async () => {
  await emulator.scenario({ rules: [{ match: { op: "create" }, fault: { kind: "drop_after_accept" } }] });
  const told = await (await post('{"prompt":"x","seconds":"4"}')).json();
  assert.equal(told.code, "create_outcome_unknown");
  assert.doesNotMatch(told.message, /it may have been charged/);
  const lost = await page().videos.create("x").then(() => assert.fail("it was created"), (error) => error);
  assert.equal(lost.code, "create_outcome_unknown");
  assert.equal(lost.message.match(/check your account's usage page/g).length, 1, lost.message);
  await emulator.scenario({});
  const wrong = await page().videos.create({ prompt: "x", seconds: 99, validate: "off" }).then(() => null, (error) => error);
  const parts = wrong?.message.split("; ") ?? [];
  assert.equal(new Set(parts).size, parts.length, wrong?.message);
});

test("what is not allowed is not carried out", async () => {
  verdict = ({ kind }) => kind !== "create";
  assert.equal((await post('{"prompt":"x"}')).status, 403);
  verdict = () => new Response("later", { status: 429 });
  assert.equal((await post('{"prompt":"x"}')).status, 429);
  verdict = () => { throw new Error("secret of the server"); };
  const failed = await post('{"prompt":"x"}');
  assert.equal(failed.status, 500);
  assert.doesNotMatch(await failed.text(), /secret/);
  // An error of the library's own is none of this call: no task exists, and the page may ask again.
  const { videos } = new Client({ apiKey: KEY, baseURL: emulator.baseURL });
  verdict = () => videos.get("task_unknown").then(() => true, (error) => { throw Object.assign(error, { maybeExecuted: true }); });
  const named = { "content-type": "application/json", "idempotency-key": "once more" };
  const own = await post('{"prompt":"x"}', named);
  assert.deepEqual([own.status, await own.json()], [500, { code: "proxy_error", message: "the proxy failed", data: null }]);
  verdict = () => true;
  assert.equal((await post('{"prompt":"x"}', named)).status, 200);
  await emulator.forget();
  verdict = () => 1;
  assert.equal((await post('{"prompt":"x"}')).status, 403);
  verdict = (call) => { call.order.seconds = 4; return true; };
  assert.equal((await post('{"prompt":"x","seconds":"15"}')).status, 200);
  assert.deepEqual((await emulator.requests()).map((r) => r.body_json.seconds), ["4"]);
  assert.throws(() => createProxyHandler({ apiKey: KEY }), /allow/);
});

test("what refuses a create request is no unknown outcome, whatever response it is", async () => {
  const refused = async (response) => {
    verdict = () => response;
    const told = await post('{"prompt":"x"}');
    const failed = await page().videos.create("x").then(() => assert.fail("it was created"), (error) => error);
    return { status: told.status, headers: told.headers, body: await told.text(), failed };
  };
  const plain = { headers: { "retry-after": "120", "x-why": "no", "content-type": "text/plain" } };
  for (const [status, as, code] of [[200, 403, "permission_denied"], [302, 403, "permission_denied"], [303, 403, "permission_denied"], [408, 408, "upstream"], [500, 500, "upstream"], [503, 503, "upstream"]]) {
    const { failed, ...told } = await refused(new Response("closed for maintenance", { status, ...plain }));
    assert.deepEqual([told.status, JSON.parse(told.body)], [as, { code: "forbidden", message: "closed for maintenance", data: null }]);
    assert.deepEqual(["retry-after", "x-why", "content-type"].map((name) => told.headers.get(name)), ["120", "no", "application/json"]);
    assert.deepEqual([failed.code, failed.maybeExecuted, failed.serverMessage], [code, false, "closed for maintenance"], failed.message);
  }
  for (const [response, message] of [
    [Response.error(), "this site does not allow it"], [new Response(null, { status: 204 }), "this site does not allow it"], [new Response("<h1>Closed</h1>", { status: 503 }), "this site does not allow it"],
    [Response.json({ error: "closed" }, { status: 503 }), "closed"], [Response.json({ error: { message: "closed" } }), "closed"], [Response.json({ code: "success", message: "closed", data: null }), "closed"],
    [Response.json(null, { status: 500 }), "null"],
  ]) {
    const { body, failed } = await refused(response);
    assert.deepEqual([JSON.parse(body).message, failed.maybeExecuted], [message, false], body);
  }
  // What says so itself, or which task it is, stays as it is.
  const own = { code: "closed", message: "later", data: null, more: 5 };
  const { body, failed } = await refused(Response.json(own, { status: 503 }));
  assert.deepEqual([JSON.parse(body), failed.code, failed.maybeExecuted], [own, "upstream", false]);
  assert.equal((await refused(new Response("no", { status: 402 }))).body, "no");
  verdict = () => Response.json({ id: "task_1", status: "queued" });
  assert.equal((await page().videos.create("x")).id, "task_1");
  assert.deepEqual(await emulator.requests(), []);
  // Where nothing is created it is given out as it is.
  verdict = () => new Response("closed", { status: 503 });
  const asked = await fetch(`${base}/video/generations/task_1`);
  assert.deepEqual([asked.status, await asked.text()], [503, "closed"]);
});

test("what is no call of ours ends here", async () => {
  assert.equal((await post('{"prompt":"x"}', { "content-type": "text/plain" })).status, 415);
  for (const body of ["{", ""]) {
    const told = await post(body);
    assert.deepEqual([told.status, (await told.json()).code], [400, "invalid_json"]);
  }
  assert.equal((await post("[]")).status, 400);
  const bad = await post('{"prompt":"x","seconds":"99"}');
  assert.deepEqual([bad.status, (await bad.json()).code], [400, "invalid_request"]);
  assert.equal((await fetch(`${base}/video/generations`)).status, 405);
  for (const path of ["/models", "/videos/a/b/content", "/video/generations/a/b"]) assert.equal((await fetch(base + path)).status, 404, path);
  assert.equal((await fetch(`${new URL(base).origin}/other/video/generations/task_1`)).status, 404);
  assert.deepEqual(await emulator.requests(), []);
  // A text of any form may be an id: it stays one part of the path.
  assert.equal((await fetch(`${base}/videos/..%2f..%2fx/content`)).status, 400);
  assert.ok((await emulator.requests()).every((r) => r.path.includes("..%2F..%2Fx")));
});

test("errors of the service reach the page as what they are", async () => {
  const codes = {};
  for (const [name, fault] of Object.entries({
    insufficient_balance: { kind: "error_shape", shape: "insufficient_user_quota" },
    create_outcome_unknown: { kind: "drop_after_accept" },
  })) {
    await emulator.scenario({ rules: [{ match: { op: "create" }, fault }] });
    codes[name] = await page().videos.create("a ball").then(() => "no", (error) => error.code);
  }
  assert.deepEqual(codes, { insufficient_balance: "insufficient_balance", create_outcome_unknown: "create_outcome_unknown" });
  assert.equal((await emulator.requests()).filter((r) => r.method === "POST").length, 2);
  assert.equal(await page().videos.get("task_unknown").then(() => "no", (error) => error.code), "not_found");
});

test("a create that a browser sends twice is carried out once", async () => {
  const named = (key, body = '{"prompt":"a ball"}') => post(body, { "content-type": "application/json", "idempotency-key": key });
  const posts = async () => (await emulator.requests()).filter((r) => r.method === "POST").length;
  // At the same time, and later.
  const [first, second] = await Promise.all([named("a"), named("a")]);
  const third = await named("a");
  const ids = await Promise.all([first, second, third].map(async (answer) => (await answer.json()).id));
  assert.equal(new Set(ids).size, 1);
  assert.equal(await posts(), 1);
  assert.equal((await named("a", '{"prompt":"another ball"}')).status, 422);
  // Without a task, the same request may be made again.
  verdict = () => false;
  assert.equal((await named("b")).status, 403);
  verdict = () => true;
  assert.equal((await named("b")).status, 200);
  assert.equal(await posts(), 2);
  // An unknown outcome stays one.
  await emulator.scenario({ rules: [{ match: { op: "create" }, times: 1, fault: { kind: "drop_after_accept" } }] });
  const lost = await (await named("c")).json();
  assert.equal(lost.code, "create_outcome_unknown");
  assert.deepEqual(await (await named("c")).json(), lost);
  assert.equal(await posts(), 3);
  // Whose bookkeeping fails after the create has a task all the same.
  for (const [at, failed] of [new Error("the database is gone"), error("idempotency_conflict"), error("not_found", { taskId: null })].entries()) {
    const failing = createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, allow: () => true, onCreated: () => { throw failed; }, onError: () => undefined });
    const order = () => failing(new Request("http://x/video/generations", {
      method: "POST", body: '{"prompt":"a ball"}', headers: { "content-type": "application/json", "idempotency-key": "d" },
    }));
    const answers = [await order(), await order()];
    assert.ok(answers.every(({ status }) => status === (at === 0 ? 500 : 502)));
    for (const answer of answers) assert.match((await answer.json()).message, /^the proxy failed after it created the task task_/);
    assert.equal(await posts(), 4 + at);
  }
});

test("a create that another process has not ended is no refusal, and is found later", async () => {
  const rows = new Map();
  let version = 0;
  const journal = {
    load: async (name) => rows.get(name) ?? null,
    swap: async (name, expected, value) => {
      if ((rows.get(name)?.version ?? null) !== expected) return null;
      rows.set(name, { value, version: version += 1 });
      return version;
    },
    scan: async (prefix) => [...rows].filter(([name]) => name.startsWith(prefix)).map(([name, row]) => ({ name, ...row })),
  };
  let answer, came;
  const arrived = new Promise((resolve) => { came = resolve; });
  const told = [];
  const given = { apiKey: KEY, baseURL: emulator.baseURL, journal, allow: () => true };
  const first = createProxyHandler({ ...given, fetch: () => new Promise((resolve) => { answer = resolve; came(); }) });
  const second = createProxyHandler({ ...given, createTimeoutMs: 200, fetch: () => assert.fail("it was sent again"), onError: (error) => { told.push([error.code, error.field]); } });
  const order = () => new Request("http://x/video/generations", {
    method: "POST", body: '{"prompt":"a ball"}', headers: { "content-type": "application/json", "idempotency-key": "k" },
  });
  const carried = first(order());
  await arrived;
  const waited = await second(order());
  assert.deepEqual([waited.status, await waited.json()], [502, { code: "create_outcome_unknown", message: "another process has not ended this create request", task_id: null }]);
  assert.deepEqual(told, [["timeout", "key"]]);
  answer(Response.json({ id: "task_1", status: "queued" }));
  assert.equal((await (await carried).json()).id, "task_1");
  assert.equal((await (await second(order())).json()).id, "task_1");
});

test("a platform that ends what a page leaves is told of creates, and what it ended anyway keeps nobody waiting", async (t) => {
  const order = (key) => new Request("http://x/video/generations", {
    method: "POST", body: '{"prompt":"a ball"}', headers: { "content-type": "application/json", ...(key && { "idempotency-key": key }) },
  });
  const kept = [];
  const context = { waitUntil(promise) { assert.equal(this, context); kept.push(promise); } };
  for (const key of [undefined, "kept", "kept"]) assert.equal((await handler(new Request(`${base}/video/generations`, order(key)), context)).status, 200);
  assert.equal(kept.length, 2);
  await Promise.all(kept);
  verdict = () => Promise.reject(new Error("no"));
  const refused = createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, allow: () => { throw new Error("no"); }, onError: () => undefined });
  for (const odd of [null, 5, {}, { params: {} }, { waitUntil: 5 }, { waitUntil() { throw new Error("no"); } }, { get waitUntil() { throw new Error("no"); } }]) {
    assert.equal((await refused(order(), odd)).status, 500);
  }
  // Nothing of it goes on there.
  const dead = createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, createTimeoutMs: 5_000_000, allow: () => new Promise(() => undefined) });
  const { setTimeout: real } = globalThis;
  const waiting = new Promise((resolve) => {
    t.mock.method(globalThis, "setTimeout", (call, ms, ...rest) => { if (ms < 5_000_000) return real(call, ms, ...rest); resolve(() => { call(...rest); }); return undefined; });
  });
  void dead(order("b"));
  const again = dead(order("b"));
  (await waiting)();
  const told = await again;
  assert.deepEqual([told.status, await told.json()], [502, { code: "create_outcome_unknown", message: "this create request was begun before, and has not ended", task_id: null }]);
});

test("a create in flight is never forgotten, however many there are", async () => {
  let open;
  const gate = new Promise((resolve) => { open = resolve; });
  let [carried, asked] = [0, 0];
  // More than it remembers, all of them waiting inside of `allow`, which then refuses all but the first.
  const handler = createProxyHandler({
    apiKey: KEY, baseURL: emulator.baseURL,
    allow: async ({ order }) => { asked += 1; await gate; if (order.prompt !== "ball 0") return false; carried += 1; return true; },
  });
  const order = (number) => handler(new Request("http://x/video/generations", {
    method: "POST", body: JSON.stringify({ prompt: `ball ${number}` }), headers: { "content-type": "application/json", "idempotency-key": `key ${number}` },
  }));
  const first = order(0);
  const others = Array.from({ length: 1500 }, (_, at) => order(at + 1));
  while (asked < 1501) await new Promise((resolve) => setTimeout(resolve, 5));
  const again = order(0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  open();
  const [one, two] = await Promise.all([first, again].map(async (answer) => (await (await answer).json()).id));
  assert.equal(one, two);
  assert.deepEqual([carried, asked], [1, 1501]);
  assert.ok((await Promise.all(others)).every((answer) => answer.status === 403));
  assert.equal((await emulator.requests()).filter((r) => r.method === "POST").length, 1);
});

test("an answer of the service that no response can repeat costs neither the process nor the truth", async () => {
  let sent = 0;
  const answers = {
    "a status beyond 599": () => ({ status: 999, headers: [] }),
    "a request id that no header can hold": () => ({ status: 500, headers: [["x-oneapi-request-id", "视频"]] }),
  };
  for (const [name, answer] of Object.entries(answers)) {
    // A `Response` cannot have these either: what `fetch` gives need only look like one.
    const fetch = async () => { sent += 1; return { ...answer(), arrayBuffer: async () => new TextEncoder().encode("x").buffer }; };
    const handler = createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, allow: () => true, maxAttempts: 1, fetch, onError: () => undefined });
    const order = (headers = {}) => handler(new Request("http://x/video/generations", { method: "POST", body: '{"prompt":"a ball"}', headers: { "content-type": "application/json", ...headers } }));
    for (const headers of [{}, { "idempotency-key": name.length.toString() }]) {
      const told = await order(headers);
      assert.ok(told.status >= 500 && told.status < 600, name);
      const { data, ...said } = await told.json();
      // Not the shape of an error that cost nothing.
      assert.deepEqual([said.code, said.task_id, data], ["create_outcome_unknown", null, undefined], name);
    }
    assert.equal((await handler(new Request("http://x/video/generations/task_1"))).status >= 500, true, name);
    // It is not carried out again.
    const before = sent;
    assert.equal((await (await order({ "idempotency-key": name.length.toString() })).json()).code, "create_outcome_unknown");
    assert.equal(sent, before);
  }
});

test("the first Node 20 has no ReadableStream.from", async () => {
  const { from } = ReadableStream;
  delete ReadableStream.from;
  try {
    assert.equal((await post('{"prompt":"a ball"}')).status, 200);
    // What is not read to its end ends there.
    assert.equal((await post('{"prompt":"a ball"}', { "content-type": "text/plain" })).status, 415);
  } finally {
    Object.defineProperty(ReadableStream, "from", { value: from, writable: true, configurable: true });
  }
  assert.equal((await emulator.requests()).length, 1);
});

test("a request that is too large is told so, and its connection lasts", async () => {
  const socket = connect(new URL(base).port, "127.0.0.1");
  let [told, closed] = ["", false];
  socket.on("data", (data) => { told += data; }).on("error", () => undefined).on("close", () => { closed = true; });
  const until = async (done) => { while (!done() && !closed) await new Promise((resolve) => { setTimeout(resolve, 5); }); };
  const megabytes = async (count) => {
    for (let at = 0; at < count; at += 1) if (!socket.write(Buffer.alloc(1 << 20, "x"))) await until(() => !socket.writableNeedDrain);
  };
  try {
    socket.write(`POST /api/junfeiai/video/generations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${40 << 20}\r\n\r\n`);
    await megabytes(33);
    await until(() => told.includes("the request is too large"));
    // A browser that is still sending reads no response of a connection that was cut: it would not know whether it has paid.
    await megabytes(7);
    socket.write("GET /api/junfeiai/video/generations HTTP/1.1\r\nHost: x\r\n\r\n");
    await Promise.race([until(() => told.includes("POST only")), new Promise((resolve) => { setTimeout(resolve, 60_000); })]);
    assert.deepEqual([told.match(/HTTP\/1.1 \d+/g), closed], [["HTTP/1.1 413", "HTTP/1.1 405"], false]);
  } finally {
    closed = true;
    socket.destroy();
  }
});

test("a base path may be written as people read it", async () => {
  const id = await emulator.add({ state: "finished", seconds: 6 });
  for (const [basePath, path] of [["/接口/视频 1", "/%E6%8E%A5%E5%8F%A3/%E8%A7%86%E9%A2%91%201"], ["/api/é/", "/api/%C3%A9"], ["", ""], ["/", ""], ["/api/%C3%A9", "/api/é"]]) {
    const handler = createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, basePath, allow: () => true });
    const told = await handler(new Request(`http://x${path}/video/generations/${id}`));
    assert.equal(told.status, 200, `${basePath}: ${await told.text()}`);
  }
});

test("what goes wrong on the server is told to onError, and the page learns nothing of its hosts, stores and limits", async () => {
  const secret = "connect ECONNREFUSED db-1.internal:5432 password=hunter2";
  const rows = (more) => ({ load: async () => null, swap: async () => 1, scan: async () => [], ...more });
  const lost = () => Promise.reject(new Error(secret));
  const inside = /internal|hunter2|127\.0\.0\.1|USD|maxCost|budget|secret prompt|ECONN/;
  const cases = {
    "a store that fails": [{ journal: rows({ load: lost, swap: lost }) }, "journal", secret],
    "a fetch that fails": [{ fetch: lost }, "create_outcome_unknown", secret],
    "an endpoint that is not there": [{ baseURL: "http://127.0.0.1:9/v1", maxAttempts: 1 }, "connect", "127.0.0.1:9"],
    "a maximum cost": [{ maxCost: 0.01 }, "invalid_request", "maxCost"],
    "another page's request": [{ journal: rows({ load: async (name) => other.get(name) ?? null, swap: async (name, _, value) => { other.set(name, { value, version: 1 }); return 1; } }) }, "idempotency_conflict", "seconds"],
  };
  const other = new Map();
  for (const [name, [options, code, said]] of Object.entries(cases)) {
    const heard = [];
    const handler = () => createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, allow: () => true, ...options, onError: (error) => { heard.push(error.message); } });
    const send = (seconds) => handler()(new Request("http://x/video/generations", {
      method: "POST", body: JSON.stringify({ prompt: "a secret prompt", seconds }), headers: { "content-type": "application/json", "idempotency-key": "k" },
    }));
    if (code === "idempotency_conflict") assert.equal((await send("6")).status, 200);
    const text = await (await send("4")).text();
    assert.equal(JSON.parse(text).code, code, `${name}: ${text}`);
    assert.doesNotMatch(text, inside, name);
    assert.ok(heard.at(-1).includes(said), `${name}: ${heard}`);
  }
  // Nor is the task hidden that was created before an error of the library's own.
  let id;
  const noting = createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, allow: () => true, onError: () => undefined, onCreated: (task) => {
    id = task.id;
    return page().videos.get("task_unknown");
  } });
  const noted = await noting(new Request("http://x/video/generations", { method: "POST", body: '{"prompt":"x"}', headers: { "content-type": "application/json" } }));
  const { message, task_id: named } = await noted.json();
  assert.deepEqual([noted.status, named, message], [502, id, `the proxy failed after it created the task ${id}`]);
  // The same where a task is asked for.
  const handler = createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, allow: () => true, fetch: lost, maxAttempts: 1, onError: () => undefined });
  assert.doesNotMatch(await (await handler(new Request("http://x/video/generations/task_1"))).text(), inside);
});

test("what is given out may be given out again, and with several cookies", async () => {
  const refusal = new Response("not today", { status: 429, headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] });
  verdict = () => refusal;
  for (let count = 0; count < 3; count += 1) {
    const told = await post('{"prompt":"x"}');
    assert.deepEqual([told.status, await told.text(), told.headers.getSetCookie()], [429, "not today", ["a=1", "b=2"]]);
  }
});

test("what is no handler is refused, and what fails in one of the program's own is logged", async (t) => {
  for (const handler of [undefined, { apiKey: KEY, allow: () => true }, "handler"]) {
    assert.throws(() => toNodeHandler(handler), (error) => error.name === "JunFeiAIError" && error.code === "config" && error.field === "handler");
  }
  const warned = t.mock.method(console, "warn", () => undefined);
  for (const handler of [() => { throw new Error("mine"); }, async () => undefined]) {
    const server = createServer(toNodeHandler(handler)).listen(0, "127.0.0.1");
    await once(server, "listening");
    await assert.rejects(fetch(`http://127.0.0.1:${server.address().port}/`));
    server.close();
    assert.match(String(warned.mock.calls.at(-1).arguments[0]), /the handler failed/);
  }
  assert.equal(warned.mock.callCount(), 2);
});

test("options that cannot be meant are refused by their names, and null is none", async () => {
  const given = { apiKey: KEY, baseURL: emulator.baseURL, allow: () => true };
  for (const [field, value] of [["basePath", "api/junfeiai"], ["basePath", "https://films.example/api"], ["basePath", 5], ["onCreated", 5], ["onError", "x"], ["allow", undefined]]) {
    assert.throws(() => createProxyHandler({ ...given, [field]: value }), (error) => error.name === "JunFeiAIError" && error.code === "config" && error.field === field, field);
  }
  const handler = createProxyHandler({ ...given, journal: null, proxy: null });
  const told = await handler(new Request("http://x/video/generations", {
    method: "POST", body: '{"prompt":"a ball"}', headers: { "content-type": "application/json", "idempotency-key": "a" },
  }));
  assert.equal(told.status, 200, await told.text());
});

test("a client without a key names each of its create requests, one with a key does not", async () => {
  const seen = async (options) => {
    const names = [];
    const listening = (url, init) => { names.push(new Headers(init.headers).get("idempotency-key")); return fetch(url, init); };
    const client = new Client({ ...options, fetch: listening, pollIntervalMs: 20 });
    await client.videos.create("a ball");
    await client.videos.create("a ball").then((task) => task.refresh());
    return names;
  };
  const [one, two, query] = await seen({ baseURL: base });
  assert.match(one, /^[0-9a-f]{32}$/);
  assert.match(two, /^[0-9a-f]{32}$/);
  assert.notEqual(one, two);
  assert.equal(query, null);
  assert.deepEqual(await seen({ baseURL: emulator.baseURL, apiKey: KEY }), [null, null, null]);
});

test("a player that goes away ends the transfer", async () => {
  const id = await emulator.add({ state: "finished", seconds: 6, video_bytes: 16 << 20 });
  await emulator.scenario({ content: { rate_bytes_per_s: 2 << 20 } });
  const controller = new AbortController();
  const answer = await fetch(`${base}/videos/${id}/content`, { signal: controller.signal });
  await answer.body.getReader().read();
  controller.abort();
  // Nothing more is sent, long before all of it was.
  const sent = async () => (await emulator.requests()).find((r) => r.path.endsWith("/content")).sent_bytes;
  for (let before = -1, now = await sent(); before !== now; before = now, now = await sent()) {
    assert.ok(now < 16 << 20, "the transfer went on to its end");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
});
