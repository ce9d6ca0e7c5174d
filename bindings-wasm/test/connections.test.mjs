// A create request uses a new connection: in Node, Deno and Bun, whatever the pool holds.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";

const require = createRequire(import.meta.url);
let server, origin, posts;

/** Closes a connection without an answer at each create that is not the first request on it. */
before(async () => {
  server = createServer((socket) => {
    let [text, asked] = ["", 0];
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      text += data.toString("latin1");
      for (;;) {
        const end = text.indexOf("\r\n\r\n") + 4;
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (end < 4 || text.length < end + length) return;
        const isCreate = text.startsWith("POST");
        text = text.slice(end + length);
        asked += 1;
        if (isCreate) posts += 1;
        if (isCreate && asked > 1) return void socket.destroy();
        const body = JSON.stringify(isCreate ? { id: `task_${posts}`, status: "queued" } : { code: "success", data: { task_id: "task_1", status: "IN_PROGRESS" } });
        socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      }
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${server.address().port}`;
});
after(() => { server.close(); });
beforeEach(() => { posts = 0; });

const CREATES = 20;
const script = (more = "") => `
  ${more}
  import { createRequire } from "node:module";
  const { Client } = createRequire(${JSON.stringify(import.meta.url)})("junfeiai");
  const { videos } = new Client({ apiKey: "sk-test", baseURL: "${origin}/v1", maxAttempts: 1 });
  const ids = new Set();
  for (let at = 0; at < ${CREATES}; at += 1) {
    await videos.get("task_1");
    ids.add((await videos.create("a ball").catch((error) => ({ id: error.message }))).id);
  }
  console.log(JSON.stringify([...ids]));
  process.exit(0);`;

async function creates(program, args, text, env = {}) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"], cwd: import.meta.dirname, env: { ...process.env, ...env } });
  let out = "";
  child.stdout.on("data", (data) => { out += data; });
  child.stdin.end(text);
  assert.equal((await once(child, "close"))[0], 0, out);
  const ids = JSON.parse(out);
  assert.ok(ids.every((id) => /^task_\d+$/.test(id)), out);
  assert.equal(ids.length, CREATES);
  assert.equal(posts, CREATES, "a create was sent again");
}

test("in Node", () => creates(process.execPath, ["--input-type=module"], script()));

test("in Node, whatever the program makes of fetch and of the global agents", () => {
  // A pool of the program's own is none of ours.
  const agents = `import http from "node:http";
    globalThis.fetch = () => { throw new Error("fetch was called"); };
    http.globalAgent = new http.Agent({ keepAlive: true, maxSockets: 1 });`;
  return creates(process.execPath, ["--input-type=module"], script(agents));
});

/** Engines come with the development packages where there are builds of them for this machine. */
function engine(name, packages, file) {
  for (const one of packages) {
    try {
      const path = join(dirname(require.resolve(`${one}/package.json`)), file);
      if (existsSync(path)) return path;
    } catch { /* not for this machine */ }
  }
  return undefined;
}
const machine = `${process.platform}-${process.arch}`;
const { arch } = process;
const engines = {
  deno: [engine("deno", [`@deno/${machine}-glibc`, `@deno/${machine}`], "deno"), ["run", "--allow-all", "--quiet", "-"]],
  // What it may not read of the environment counts as not set.
  "deno without --allow-env": [engine("deno", [`@deno/${machine}-glibc`, `@deno/${machine}`], "deno"), ["run", "--no-prompt", "--allow-net=127.0.0.1", "--allow-read", "--quiet", "-"]],
  bun: [engine("bun", [`@oven/bun-linux-${arch === "arm64" ? "aarch64" : arch}`, `@oven/bun-darwin-${arch === "arm64" ? "aarch64" : arch}`], "bin/bun"), ["run", "-"]],
};
for (const [name, [path, args]] of Object.entries(engines)) {
  test(`in ${name}`, { skip: path ? false : `there is no ${name} for ${machine} in node_modules` }, () => creates(path, args, script()));
}
