// Node's transport: connections, proxies, certificates, and how far a request was when it failed.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHTTPServer, request as requestHTTP } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, afterEach, before, describe, test } from "node:test";
import { rootCertificates } from "node:tls";
import { inspect, promisify } from "node:util";
import { Client, JunFeiAIError } from "junfeiai";
import { KEY, root } from "./emulator.mjs";

const VARIABLES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];
for (const name of VARIABLES) delete process.env[name];
// Nothing here goes by way of it.
globalThis.fetch = () => { throw new Error("fetch was called"); };

const closers = [];
afterEach(() => { for (const close of closers.splice(0)) close(); });

async function listening(server) {
  const sockets = new Set();
  server.on("connection", (socket) => { sockets.add(socket); socket.on("error", () => undefined); socket.on("close", () => sockets.delete(socket)); });
  server.listen(0, "127.0.0.1");
  closers.push(() => { server.close(); for (const socket of sockets) socket.destroy(); });
  await once(server, "listening");
  return server.address().port;
}

const SEEN = JSON.stringify({ code: "success", data: { task_id: "task_1", status: "IN_PROGRESS" } });
const MADE = JSON.stringify({ id: "task_1", status: "queued" });
/** A service that says everything is well; `log` has the connection, method and path of each request. */
async function service(answer = (request, response) => { response.end(request.method === "POST" ? MADE : SEEN); }) {
  const log = [];
  let connections = 0;
  const server = createHTTPServer((request, response) => {
    log.push({ connection: request.socket.number, method: request.method, url: request.url, headers: request.headers });
    request.resume().on("end", () => { answer(request, response, log.length); });
  });
  server.on("connection", (socket) => { socket.number = connections += 1; });
  const port = await listening(server);
  return { log, port, baseURL: `http://127.0.0.1:${port}/v1`, connections: () => connections };
}

const videosOf = (options) => new Client({ apiKey: KEY, maxAttempts: 1, pollIntervalMs: 20, ...options }).videos;
async function refused(promise, code) {
  const error = await promise.then((value) => assert.fail(`it gave ${inspect(value)}`), (thrown) => thrown);
  assert.ok(error instanceof JunFeiAIError, inspect(error));
  assert.equal(error.code, code, error.message);
  assert.doesNotMatch(inspect(error), /f00dcafe|s3cret/);
  return error;
}

describe("connections", () => {
  test("reads share one, each create has a new one that nothing else uses", async () => {
    const { log, baseURL, connections } = await service();
    const videos = videosOf({ baseURL });
    for (let at = 0; at < 5; at += 1) {
      await videos.get("task_1");
      await videos.create("a ball");
    }
    const of = (method) => log.filter((one) => one.method === method).map((one) => one.connection);
    assert.equal(new Set(of("GET")).size, 1);
    assert.equal(new Set(of("POST")).size, 5);
    assert.equal(connections(), 6);
    assert.ok(log.every(({ headers }) => headers.authorization === `Bearer ${KEY}`));
  });

  test("a call that is given up ends its own, and one that has its answer does not", async () => {
    const { log, baseURL, connections } = await service((request, response, count) => { if (count !== 2) response.end(SEEN); });
    const videos = videosOf({ baseURL });
    await videos.get("task_1");
    const stop = new AbortController();
    const given = refused(videos.get("task_1", { signal: stop.signal }), "cancelled");
    while (log.length < 2) await new Promise((resolve) => { setTimeout(resolve, 5); });
    stop.abort();
    await given;
    await videos.get("task_1");
    await videos.get("task_1");
    assert.equal(connections(), 2);
  });

  test("no time of a socket's own ends a create request", async () => {
    // An hour of Node's is a second here.
    const script = `
      import { Socket } from "node:net";
      const { setTimeout: set } = Socket.prototype;
      Socket.prototype.setTimeout = function (ms, ...rest) { return set.call(this, Math.ceil(ms / 3600), ...rest); };
      import { createRequire } from "node:module";
      const { Client } = createRequire(${JSON.stringify(import.meta.url)})("junfeiai");
      const client = new Client({ apiKey: "k", baseURL: process.argv[1], createTimeoutMs: 3_600_000, maxAttempts: 1 });
      console.log((await client.videos.create("a ball")).id);`;
    const { baseURL } = await service((request, response) => { setTimeout(() => { response.end(MADE); }, 300); });
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, baseURL], { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (data) => { out += data; });
    assert.deepEqual(await once(child, "close"), [0, null]);
    assert.equal(out.trim(), "task_1");
  });
});

describe("how far a request was", () => {
  test("without a name, without a listener, without TLS: not sent", async () => {
    const unknown = await refused(videosOf({ baseURL: "https://junfeiai.invalid/v1" }).create("x"), "connect");
    assert.match(unknown.message, /the host name was not found/);
    assert.equal(unknown.maybeExecuted, false);
    const closed = await listening(createServer());
    closers.splice(0).forEach((close) => close());
    const none = await refused(videosOf({ baseURL: `http://127.0.0.1:${closed}/v1` }).create("x"), "connect");
    assert.match(none.message, /no connection: .*ECONNREFUSED/);
    assert.equal(none.maybeExecuted, false);
    const { port, log } = await service();
    const plain = await refused(videosOf({ baseURL: `https://127.0.0.1:${port}/v1` }).create("x"), "connect");
    assert.match(plain.message, /no secure connection/);
    assert.equal(plain.maybeExecuted, false);
    assert.deepEqual(log, []);
  });

  test("a handshake that is reset: not sent, and tried again", async () => {
    let count = 0;
    const port = await listening(createServer((socket) => { count += 1; socket.once("data", () => { socket.resetAndDestroy(); }); }));
    const error = await refused(videosOf({ baseURL: `https://127.0.0.1:${port}/v1`, maxAttempts: 2 }).create("x"), "connect");
    assert.deepEqual([error.maybeExecuted, error.attempts, count], [false, 2, 2]);
  });

  test("a connection that is not made in time: not sent", async () => {
    const port = await listening(createServer());
    const error = await refused(videosOf({ baseURL: `https://127.0.0.1:${port}/v1`, connectTimeoutMs: 50 }).create("x"), "connect");
    assert.match(error.message, /no connection in time/);
    assert.equal(error.maybeExecuted, false);
  });

  test("given up while its connection is made: not sent", async () => {
    const proxy = await tunnel(0);
    const stop = new AbortController();
    const created = videosOf({ baseURL: "https://junfeiai.invalid/v1", proxy: `http://127.0.0.1:${proxy.port}` }).create("x", { signal: stop.signal });
    while (proxy.log.length === 0) await new Promise((resolve) => { setTimeout(resolve, 5); });
    stop.abort();
    await assert.rejects(created, { code: "cancelled", maybeExecuted: false });
  });

  test("once it has left, nobody knows", async () => {
    for (const [end, cut] of [["destroy", ""], ["resetAndDestroy", ""], ["destroy", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"], ["resetAndDestroy", "HTTP/1.1 2"]]) {
      let count = 0;
      const port = await listening(createServer((socket) => { count += 1; socket.once("data", () => { socket.write(cut, () => { socket[end](); }); }); }));
      const error = await refused(videosOf({ baseURL: `http://127.0.0.1:${port}/v1`, maxAttempts: 4 }).create("x"), "create_outcome_unknown");
      assert.deepEqual([error.maybeExecuted, count], [true, 1], `${end} ${cut}`);
    }
  });

  test("an offer to speak another protocol ends it at once", async () => {
    const port = await listening(createServer((socket) => { socket.once("data", () => { socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n"); }); }));
    const error = await refused(videosOf({ baseURL: `http://127.0.0.1:${port}/v1` }).create("x"), "create_outcome_unknown");
    assert.match(error.message, /the connection was closed without an answer/);
    assert.equal(error.maybeExecuted, true);
  });

  test("another endpoint is taken when no secure connection can be made", async () => {
    const { port, baseURL, log } = await service();
    const client = new Client({ apiKey: KEY, endpoints: [`https://127.0.0.1:${port}/v1`, baseURL] });
    assert.equal((await client.videos.create("a ball")).id, "task_1");
    assert.equal(client.endpoint, baseURL);
    assert.equal(log.length, 1);
  });

  test("what a check says of it", async () => {
    const { port } = await service();
    const step = async (url, name) => (await new Client({ apiKey: KEY, baseURL: url }).check()).entries[0].steps.find((one) => one.name === name)?.status;
    assert.equal(await step("https://junfeiai.invalid/v1", "dns"), "fail");
    assert.equal(await step(`https://127.0.0.1:${port}/v1`, "tls"), "fail");
    assert.equal(await step(`https://127.0.0.1:${port}/v1`, "connect"), "ok");
  });
});

test("the bytes of a header are UTF-8", async () => {
  const sent = [];
  const port = await listening(createServer((socket) => {
    socket.on("data", (data) => {
      sent.push(data.toString("latin1").split(" ")[1]);
      socket.write(sent.length === 1 ? "HTTP/1.1 302 Found\r\nLocation: /视频\r\nContent-Length: 0\r\n\r\n" : `HTTP/1.1 200 OK\r\nContent-Length: ${SEEN.length}\r\n\r\n${SEEN}`);
    });
  }));
  await videosOf({ baseURL: `http://127.0.0.1:${port}/v1` }).get("task_1");
  assert.deepEqual(sent, ["/v1/video/generations/task_1", "/%E8%A7%86%E9%A2%91"]);
});

describe("certificates", () => {
  let emulator, folder, ca, origin;
  // It is steered without TLS, whatever its certificate is.
  const scenario = async (value) => {
    const asked = requestHTTP(`http://${origin.split("://")[1]}/__emulator/scenario`, { method: "PUT" });
    // The answer is waited for: a server may drop a request whose client has closed its side.
    const [answer] = await once(asked.end(JSON.stringify(value)), "response");
    assert.equal(answer.resume().statusCode, 204);
  };

  const posted = async () => {
    const [answer] = await once(requestHTTP(`http://${origin.split("://")[1]}/__emulator/stats`).end(), "response");
    let text = "";
    for await (const piece of answer) text += piece;
    return JSON.parse(text).posts;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "junfeiai-tls-"));
    ca = join(folder, "ca.pem");
    const program = process.env.JUNFEIAI_EMULATOR ?? join(root, "target/debug/junfeiai-emulator");
    emulator = spawn(program, ["--port", "0", "--api-key", KEY, "--time-scale", "600", "--quiet", "--exit-with-stdin", "--tls-ca", ca], { stdio: ["pipe", "pipe", "inherit"] });
    origin = (await createInterface({ input: emulator.stdout })[Symbol.asyncIterator]().next()).value.split(" ").at(-1);
  });
  after(async () => {
    emulator.stdin.end();
    await rm(folder, { recursive: true, force: true });
  });
  const over = (options) => videosOf({ baseURL: `${origin}/v1`, ...options });

  test("of a CA that is given are believed, besides Node's own", async () => {
    const video = await over({ caFile: ca }).generate("a ball");
    assert.ok((await video.bytes()).length > 0);
    const asked = await refused(over().create("x"), "connect");
    assert.match(asked.message, /no secure connection: .*give the CA that signed it as caFile/);
    assert.equal(asked.maybeExecuted, false);
  });

  test("of NODE_EXTRA_CA_CERTS are believed, alone and beside caFile", async () => {
    const other = join(folder, "other.pem");
    await writeFile(other, rootCertificates[0]);
    for (const caFile of [undefined, other]) {
      const script = `import { Client } from "junfeiai";
        const { videos } = new Client(${JSON.stringify({ apiKey: KEY, baseURL: `${origin}/v1`, maxAttempts: 1, caFile })});
        console.log(await videos.create("a ball").then((task) => task.id, (error) => error.code));`;
      for (const [extra, said] of [[ca, /^task_/], [undefined, /^connect$/]]) {
        const env = { ...process.env };
        delete env.NODE_EXTRA_CA_CERTS;
        if (extra) env.NODE_EXTRA_CA_CERTS = extra;
        const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { cwd: import.meta.dirname, env });
        assert.match(stdout.trim(), said, `${caFile} ${extra}`);
      }
    }
  });

  test("that are wrong say what to do, whatever the environment says", async () => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      for (const [certificate, advice] of [["expired", /the server has to renew it, or this machine's date is wrong/], ["wrong_name", /it is for another host: correct the base URL/]]) {
        await scenario({ tls: { certificate } });
        const error = await refused(over({ caFile: ca }).create("x"), "connect");
        assert.match(error.message, advice);
        assert.equal(error.maybeExecuted, false);
      }
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      await scenario({});
    }
  });

  test("that cannot be read are refused when the client is made", async () => {
    const broken = join(folder, "broken.pem");
    await writeFile(broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    await writeFile(join(folder, "none.pem"), "nothing");
    for (const [caFile, text] of [[join(folder, "missing.pem"), /cannot be used: ENOENT/], [join(folder, "none.pem"), /it holds no PEM certificate/], [broken, /cannot be used/], [5, /caFile must be a string/]]) {
      assert.throws(() => new Client({ apiKey: KEY, caFile }), (error) => error.code === "config" && error.field === "caFile" && text.test(error.message), String(caFile));
    }
  });

  test("are those of the server behind a proxy, too", async () => {
    const proxy = await tunnel();
    const video = await over({ caFile: ca, proxy: `http://us%65r:s3cret@127.0.0.1:${proxy.port}` }).generate("a ball");
    assert.ok((await video.bytes()).length > 0);
    // One for the create request, one for all reads.
    assert.equal(proxy.log.length, 2);
    for (const { url, headers, bytes } of proxy.log) {
      assert.equal(url, origin.split("://")[1]);
      assert.equal(headers["proxy-authorization"], `Basic ${Buffer.from("user:s3cret").toString("base64")}`);
      assert.equal(headers.authorization, undefined);
      // TLS from the first byte.
      assert.equal(bytes()[0], 0x16);
      assert.ok(!bytes().includes(KEY));
    }
    let opens;
    const open = new Promise((resolve) => { opens = resolve; });
    const slow = await tunnel(200, open);
    const [posts, stop] = [await posted(), new AbortController()];
    const stopped = over({ caFile: ca, proxy: `http://127.0.0.1:${slow.port}` }).create("x", { stopSignal: stop.signal });
    while (slow.log.length === 0) await new Promise((resolve) => { setTimeout(resolve, 5); });
    stop.abort();
    opens();
    // The connection stands, and nothing is written to it.
    await assert.rejects(stopped, { code: "cancelled", maybeExecuted: false });
    assert.equal(await posted(), posts);
    const refuser = await tunnel(407);
    const error = await refused(over({ caFile: ca, proxy: `http://user:s3cret@127.0.0.1:${refuser.port}` }).create("x"), "connect");
    assert.match(error.message, /the proxy answered HTTP 407/);
    assert.equal(error.maybeExecuted, false);
  });
});

/** A proxy that makes tunnels, not before it may, and notes what was asked of it. */
async function tunnel(status = 200, open = undefined) {
  const log = [];
  const server = createHTTPServer((request, response) => { log.push({ url: request.url, headers: request.headers }); response.end(request.method === "POST" ? MADE : SEEN); });
  server.on("connect", async (request, socket) => {
    let bytes = Buffer.alloc(0);
    log.push({ url: request.url, headers: request.headers, bytes: () => bytes });
    await open;
    if (status === 0) return;
    if (status !== 200) return void socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
    const [host, port] = request.url.split(":");
    const out = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.on("data", (data) => { bytes = Buffer.concat([bytes, data.subarray(0, 4096 - bytes.length)]); });
      socket.pipe(out).pipe(socket);
    });
    out.on("error", () => { socket.destroy(); });
    closers.push(() => { out.destroy(); });
  });
  return { log, port: await listening(server) };
}

describe("proxies", () => {
  const withVariables = async (variables, work) => {
    Object.assign(process.env, variables);
    try { return await work(); } finally { for (const name of Object.keys(variables)) delete process.env[name]; }
  };

  test("of this machine take plain http to it, those of the environment do not", async () => {
    const { baseURL, log } = await service();
    const near = await tunnel();
    await videosOf({ baseURL, proxy: `127.0.0.1:${near.port}` }).create("x");
    assert.deepEqual([near.log.length, log.length], [1, 0]);
    assert.ok(near.log[0].url.startsWith(`${baseURL}/`), near.log[0].url);
    await withVariables({ HTTP_PROXY: `http://127.0.0.1:${near.port}`, ALL_PROXY: `http://127.0.0.1:${near.port}` }, () => videosOf({ baseURL }).create("x"));
    assert.deepEqual([near.log.length, log.length], [1, 1]);
  });

  test("of the environment take https, but to hosts that are excepted", async () => {
    const proxy = await tunnel(502);
    const url = `http://user:s3cret@127.0.0.1:${proxy.port}`;
    for (const [variables, asked] of [[{ HTTPS_PROXY: url }, 1], [{ https_proxy: url }, 1], [{ ALL_PROXY: url }, 1], [{ HTTPS_PROXY: url, NO_PROXY: "a.example,.invalid" }, 0], [{ HTTP_PROXY: url }, 0]]) {
      proxy.log.length = 0;
      const error = await withVariables(variables, () => refused(videosOf({ baseURL: "https://junfeiai.invalid/v1" }).create("x"), "connect"));
      assert.equal(proxy.log.length, asked, inspect(variables));
      assert.match(error.message, asked ? /the proxy answered HTTP 502/ : /the host name was not found/);
    }
    const report = await withVariables({ HTTPS_PROXY: url }, () => new Client({ apiKey: KEY, baseURL: "https://junfeiai.invalid/v1" }).check());
    assert.match(report.steps.find(({ name }) => name === "proxy").detail, /set in the environment: HTTPS_PROXY$/);
    assert.doesNotMatch(inspect(report, { depth: 9 }), /s3cret/);
    await withVariables({ HTTPS_PROXY: url }, () => refused(videosOf({ baseURL: "https://junfeiai.invalid/v1", proxy: "" }).create("x"), "connect"));
    assert.equal(proxy.log.length, 1);
  });

  test("that make no tunnel in time are given up", async () => {
    const proxy = await tunnel(0);
    const error = await refused(videosOf({ baseURL: "https://junfeiai.invalid/v1", proxy: `http://127.0.0.1:${proxy.port}`, connectTimeoutMs: 100 }).create("x"), "connect");
    assert.match(error.message, /no connection in time/);
  });

  test("that cannot be used are refused", async () => {
    for (const [proxy, text] of [["socks5://user:s3cret@127.0.0.1:1080", /SOCKS proxy, which is not supported/], ["user:s3cret@", /is not a URL/], [5, /proxy must be a string/]]) {
      assert.throws(() => new Client({ apiKey: KEY, proxy }), (error) => error.code === "config" && error.field === "proxy" && text.test(error.message) && !/s3cret/.test(inspect(error)), String(proxy));
    }
    const error = await withVariables({ ALL_PROXY: "socks5://user:s3cret@127.0.0.1:1080" }, () => refused(videosOf({ baseURL: "https://junfeiai.invalid/v1" }).create("x"), "connect"));
    assert.match(error.message, /ALL_PROXY names a SOCKS proxy, which is not supported; nothing was sent/);
    for (const option of [{ proxy: "http://a.example" }, { caFile: "ca.pem" }]) {
      const [field] = Object.keys(option);
      assert.throws(() => new Client({ apiKey: KEY, fetch: () => undefined, ...option }), (error) => error.code === "config" && error.field === field);
    }
  });
});

test("a failure in a program of its own is a line that can be read, and not the package's code", async () => {
  const script = `import { createRequire } from "node:module";
    const { Client } = createRequire(${JSON.stringify(import.meta.url)})("junfeiai");
    await new Client({ apiKey: "k", baseURL: "http://127.0.0.1:1/v1", maxAttempts: 1 }).videos.get("task_1");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr.on("data", (data) => { text += data; });
  assert.equal((await once(child, "close"))[0], 1);
  assert.match(text, /JunFeiAIError: .*no connection/);
  assert.ok(text.length < 3000 && text.split("\n").every((line) => line.length < 300), text);
});
