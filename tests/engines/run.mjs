// The packed npm package in every engine and bundler: each installs it as a user does, creates a task, waits, reads the video, and
// saves it where there is a disk. A row for each; `not run` says why. The tools come by the lock files beside this one.
//
//     tests/engines/run.mjs            all
//     tests/engines/run.mjs deno next  those whose names hold one of these
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { launch, open, site } from "../../bindings-wasm/test/browser.mjs";
import { KEY, root, startEmulator } from "../../bindings-wasm/test/emulator.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const place = join(root, "target/engines");
const modules = join(place, "node_modules");
const USAGE = "usage: tests/engines/run.mjs [NAME …]: the rows whose names hold one of these, such as deno, next; without a name, all";
const wanted = names();
const machine = `${process.platform}-${process.arch}`;

/** The names that are given; an option that there is not ends the program. */
function names() {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: "boolean", short: "h" } } });
    if (values.help) {
      console.log(USAGE);
      process.exit();
    }
    return positionals;
  } catch (error) {
    console.error(`engines: ${error.message}\n${USAGE}`);
    process.exit(2);
  }
}

/** Installs what a lock file names, once. */
function install(from, to) {
  const lock = readFileSync(join(from, "package-lock.json"));
  const mark = join(to, "installed-lock.json");
  if (existsSync(mark) && readFileSync(mark).equals(lock)) return;
  mkdirSync(to, { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) cpSync(join(from, name), join(to, name));
  rmSync(mark, { force: true });
  // `npm ci` refuses a lock file when an optional package for another system is not in the registry.
  execFileSync("npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: to, stdio: "inherit" });
  writeFileSync(mark, lock);
}

/** The tarball, unpacked where the programs find it: it has no dependencies, so that is installing it. */
function unpack(to) {
  const npm = join(root, "target/npm");
  const tarball = readdirSync(npm).find((name) => name.endsWith(".tgz"));
  const target = join(to, "node_modules/junfeiai");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  execFileSync("tar", ["xzf", join(npm, tarball), "-C", target, "--strip-components=1"]);
}

const tool = (name) => join(modules, ".bin", name);
const node = (major) => join(modules, `node${major}/bin/node`);
const newest = () => (existsSync(node(26)) ? node(26) : process.execPath);
const run = promisify(execFile);

let emulator, browser;

/** What every program does. `prompt` names it, so that its create requests can be counted. */
const work = `async function work(Client, options, path) {
  const client = new Client({ pollIntervalMs: 20, ...options });
  const task = await client.videos.create({ prompt: "a ball", seconds: 4 });
  const video = await task.wait();
  const bytes = (await video.bytes()).length;
  const saved = path ? (await video.save(path, { overwrite: true })).bytes : null;
  const reader = path ? await video.open() : null;
  let streamed = reader && (await reader.read(0, 1000)).length;
  if (reader) for await (const piece of reader.stream({ start: 1000 })) streamed += piece.length;
  await reader?.close();
  return JSON.stringify({ id: task.id, bytes, saved, streamed });
}`;
const options = () => JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL, dangerouslyAllowBrowser: true });
const esm = (path) => `import { Client } from "junfeiai";\n${work}\nconsole.log(await work(Client, ${options()}, ${JSON.stringify(path)}));\n`;
const cjs = (path) => `const { Client } = require("junfeiai");\n${work}\nwork(Client, ${options()}, ${JSON.stringify(path)}).then(console.log);\n`;
const page = () => `import { Client } from "junfeiai";\n${work}\nwork(Client, ${options()}).then((text) => { document.title = text; }, (error) => { document.title = String(error); });\n`;
const HTML = '<!doctype html><title>waiting</title><link rel="icon" href="data:,">';

/** The program said what it should: its video is whole, and one task was created. */
async function judge(text, saves) {
  const { id, bytes, saved, streamed } = JSON.parse(text.trim().split("\n").at(-1));
  const size = (await emulator.video(id)).length;
  const inFiles = saves ? size : null;
  assert.deepEqual({ bytes, saved, streamed }, { bytes: size, saved: inFiles, streamed: inFiles });
  assert.equal((await emulator.requests()).filter((request) => request.method === "POST").length, 1, "create requests");
  await emulator.forget();
}

/** Its log asks the client, and what it asks is not logged: the engine knows what a function has begun. */
const logging = () => `import { Client } from "junfeiai";
  const entries = [];
  const asked = new Promise((resolve) => {
    const log = async ({ event, fields }) => {
      entries.push(event);
      if (!fields.taskId) return;
      await null;
      resolve((await client.videos.get(fields.taskId)).id);
    };
    const client = new Client({ ...${options()}, log, logLevel: "debug" });
    client.videos.create("a ball").catch(resolve);
  });
  console.log(JSON.stringify([entries, String(await asked).startsWith("task_")]));`;

async function judgeLog(text) {
  assert.deepEqual(JSON.parse(text), [["request", "task_created"], true]);
  await emulator.forget();
}

/** A folder for a program, which finds the package above it. */
function folder(name, files, at = place) {
  const path = join(at, "work", name);
  rmSync(path, { recursive: true, force: true });
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  return path;
}

/** Runs a program to its end; gives its output. */
async function output(program, args, { cwd, env = {} }) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(JUNFEIAI_|NODE_)/.test(name)));
  try {
    const { stdout } = await run(program, args, { cwd, env: { ...clean, NO_COLOR: "1", CI: "1", ...env }, timeout: 600_000, maxBuffer: 64 << 20 });
    return stdout;
  } catch (error) {
    throw new Error(`${error.message.split("\n")[0]}\n${error.stdout ?? ""}${error.stderr ?? ""}`);
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs a server, asks it, and ends it. */
async function serving(program, args, { cwd, env = {} }, port, ask) {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => { text += data; });
  try {
    for (;;) {
      if (child.exitCode !== null) throw new Error(`it ended: ${text}`);
      const answer = await fetch(`http://127.0.0.1:${port}/alive`).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return await ask(`http://127.0.0.1:${port}`);
  } catch (error) {
    throw new Error(`${error.message}\n${text.slice(-3000)}`);
  } finally {
    const ended = new Promise((resolve) => { child.once("exit", resolve); });
    if (child.exitCode === null) { child.kill("SIGKILL"); await ended; }
  }
}

/** What stands in the title of a page in the end. */
async function title(url) {
  browser ??= await launch();
  const tab = await open(browser, url);
  await tab.waitForFunction(() => document.title !== "waiting", null, { timeout: 60_000 });
  const text = await tab.title();
  await tab.context().close();
  return text;
}

async function shows(path) {
  const served = await site({ "/": path });
  try {
    await judge(await title(served.origin), false);
  } finally {
    served.stop();
  }
}

/** What a bundler made runs where nothing of the package is. */
async function elsewhere(built, file) {
  const away = mkdtempSync(join(tmpdir(), "junfeiai-moved-"));
  try {
    cpSync(built, away, { recursive: true });
    await judge(await output(newest(), [file], { cwd: away }), true);
  } finally {
    rmSync(away, { recursive: true, force: true });
  }
}

/** A reason not to run. */
class LeftOut extends Error {}
const need = (path, why) => { if (!existsSync(path)) throw new LeftOut(why); return path; };

const rows = {};
for (const major of [20, 22, 24, 26]) {
  rows[`Node ${major}${major === 26 ? " (the newest)" : ""}, ESM and CJS`] = async () => {
    const program = need(node(major), `npm has no Node ${major} for ${machine}`);
    const cwd = folder(`node${major}`, { "program.mjs": esm("esm.mp4"), "program.cjs": cjs("cjs.mp4") });
    for (const file of ["program.mjs", "program.cjs"]) await judge(await output(program, [file], { cwd }), true);
  };
}

const deno = () => need(join(modules, `@deno/${machine}-glibc/deno`), `npm has no Deno for ${machine}`);
const bun = () => need(join(modules, `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}/bin/bun`), `npm has no Bun for ${machine}`);
rows.Bun = async () => {
  await judge(await output(bun(), ["run", "program.mjs"], { cwd: folder("bun", { "program.mjs": esm("bun.mp4") }) }), true);
  await judgeLog(await output(bun(), ["run", "log.mjs"], { cwd: folder("bun-log", { "log.mjs": logging() }) }));
};
rows["Deno, every permission"] = async () => {
  const cwd = folder("deno-all", { "program.mjs": esm("deno.mp4") });
  await judge(await output(deno(), ["run", "--allow-all", "--no-prompt", "program.mjs"], { cwd }), true);
  await judgeLog(await output(deno(), ["run", "--allow-all", "--no-prompt", "log.mjs"], { cwd: folder("deno-log", { "log.mjs": logging() }) }));
};
rows["Deno, without --allow-env"] = async () => {
  const cwd = folder("deno-env", { "program.mjs": esm("deno.mp4") });
  await judge(await output(deno(), ["run", "--no-prompt", "--allow-net=127.0.0.1", `--allow-read=${place}`, `--allow-write=${cwd}`, "program.mjs"], { cwd }), true);
  // Without the permission to read its own file it says so in one line of its own.
  const text = `import { Client } from "junfeiai"; try { new Client(${options()}); } catch (error) { console.log(error.name, error.code, error.message); }`;
  const refused = await output(deno(), ["run", "--no-prompt", "--allow-net=127.0.0.1", "program.mjs"], { cwd: folder("deno-read", { "program.mjs": text }) });
  assert.match(refused, /^JunFeiAIError config .*junfeiai-node\.wasm cannot be read .*--allow-read\n$/);
};

rows.workerd = async () => {
  const program = need(join(modules, `@cloudflare/workerd-${process.platform}-${process.arch === "x64" ? "64" : process.arch}/bin/workerd`), `npm has no workerd for ${machine}`);
  const cwd = folder("workerd", {
    "worker.js": `import { Client } from "junfeiai";\nimport { createProxyHandler } from "junfeiai/server";\n${work}
      export default { async fetch(request) {
        if (new URL(request.url).pathname !== "/work") return new Response(typeof createProxyHandler);
        try { return new Response(await work(Client, ${options()})); } catch (error) { return new Response(String(error.stack), { status: 500 }); }
      } };`,
  });
  // As wrangler bundles: with these conditions, and wasm files as modules of their own.
  await output(tool("esbuild"), ["worker.js", "--bundle", "--format=esm", "--conditions=workerd,worker,browser", "--external:*.wasm", "--outfile=out/worker.js"], { cwd });
  cpSync(join(modules, "junfeiai/dist/junfeiai.wasm"), join(cwd, "out/junfeiai.wasm"));
  const port = await freePort();
  writeFileSync(join(cwd, "config.capnp"), `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [
        (name = "main", worker = (compatibilityDate = "2024-09-23", globalOutbound = "net", modules = [
          (name = "worker", esModule = embed "out/worker.js"), (name = "./junfeiai.wasm", wasm = embed "out/junfeiai.wasm")])),
        (name = "net", network = (allow = ["private", "public"])),
      ],
      sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);`);
  await serving(program, ["serve", "config.capnp"], { cwd }, port, async (origin) => {
    assert.equal(await (await fetch(origin)).text(), "function");
    const answer = await fetch(`${origin}/work`);
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    await judge(text, false);
  });
};

// Bundles for Node, moved away from node_modules.
for (const format of ["esm", "cjs"]) {
  const ending = format === "esm" ? "mjs" : "cjs";
  rows[`esbuild for Node, ${format}, moved away`] = async () => {
    // A bundle in CommonJS has no top-level await.
    const cwd = folder(`esbuild-${format}`, { "program.mjs": format === "esm" ? esm("a.mp4") : cjs("a.mp4") });
    await output(tool("esbuild"), ["program.mjs", "--bundle", "--platform=node", `--format=${format}`, `--outfile=out/bundle.${ending}`], { cwd });
    await elsewhere(join(cwd, "out"), `bundle.${ending}`);
  };
  rows[`Rollup for Node, ${format}, moved away`] = async () => {
    const cwd = folder(`rollup-${format}`, {
      "program.mjs": esm("a.mp4").replace(/console\.log\(await (.*)\);/, "$1.then(console.log);"),
      "rollup.config.mjs": `import { nodeResolve } from "@rollup/plugin-node-resolve";
        export default { input: "program.mjs", external: /^node:/, plugins: [nodeResolve({ exportConditions: ["node"] })], output: { file: "out/bundle.${ending}", format: "${format}" } };`,
    });
    await output(process.execPath, [tool("rollup"), "-c", "--silent"], { cwd });
    await elsewhere(join(cwd, "out"), `bundle.${ending}`);
  };
}
for (const name of ["webpack", "rspack"]) {
  rows[`${name} for Node, moved away`] = async () => {
    const cwd = folder(`${name}-node`, { "program.mjs": esm("a.mp4").replace(/console\.log\(await (.*)\);/, "$1.then(console.log);") });
    await bundle(name, cwd, { target: "node", filename: "bundle.cjs" });
    await elsewhere(join(cwd, "out"), "bundle.cjs");
  };
}
rows["Vite for Node (ssr, noExternal), moved away"] = async () => {
  const cwd = folder("vite-node", {
    "program.mjs": esm("a.mp4"),
    "vite.config.mjs": 'export default { logLevel: "error", ssr: { noExternal: true }, build: { ssr: "program.mjs", outDir: "out", rollupOptions: { output: { entryFileNames: "bundle.mjs" } } } };',
  });
  await output(newest(), [tool("vite"), "build"], { cwd });
  await elsewhere(join(cwd, "out"), "bundle.mjs");
};

/** Both are asked in the same way. */
async function bundle(name, cwd, { target, filename }) {
  writeFileSync(join(cwd, "bundle.mjs"), `import { createRequire } from "node:module";
    const all = createRequire(import.meta.url)(${JSON.stringify(name === "rspack" ? "@rspack/core" : "webpack")});
    (all.rspack ?? all)({ mode: "production", target: "${target}", context: ${JSON.stringify(cwd)}, entry: "./program.mjs", output: { path: ${JSON.stringify(join(cwd, "out"))}, filename: "${filename}" } },
      (error, stats) => { if (error || stats.hasErrors()) { console.error(error ?? stats.toString()); process.exit(1); } });`);
  await output(newest(), ["bundle.mjs"], { cwd });
}

// For the page. Vite and webpack: bindings-wasm/test/packaging.test.mjs.
rows["Rspack for the page"] = async () => {
  const cwd = folder("rspack-page", { "program.mjs": page() });
  await bundle("rspack", cwd, { target: "web", filename: "bundle.js" });
  writeFileSync(join(cwd, "out/index.html"), `${HTML}<script src="bundle.js"></script>`);
  await shows(join(cwd, "out"));
};
rows["Rollup for the page"] = async () => {
  const cwd = folder("rollup-page", {
    "program.mjs": page(),
    "rollup.config.mjs": 'import { nodeResolve } from "@rollup/plugin-node-resolve"; export default { input: "program.mjs", plugins: [nodeResolve({ browser: true })], output: { dir: "out", format: "esm" } };',
  });
  await output(process.execPath, [tool("rollup"), "-c", "--silent"], { cwd });
  writeFileSync(join(cwd, "out/index.html"), `${HTML}<script type="module" src="program.js"></script>`);
  await shows(join(cwd, "out"));
};
rows["esbuild for the page"] = async () => {
  const cwd = folder("esbuild-page", { "program.mjs": page() });
  await output(tool("esbuild"), ["program.mjs", "--bundle", "--format=esm", "--outdir=out"], { cwd });
  writeFileSync(join(cwd, "out/index.html"), `${HTML}<script type="module" src="program.js"></script>`);
  await shows(join(cwd, "out"));
};

// Pages without a bundler.
const plain = (name, files) => { const cwd = folder(name, files); cpSync(join(modules, "junfeiai/dist"), join(cwd, "junfeiai"), { recursive: true }); return cwd; };
rows["a page with process polyfilled"] = async () => {
  await shows(plain("polyfilled", {
    "index.html": `${HTML}<script>globalThis.global = globalThis; globalThis.process = { env: {}, browser: true, versions: {}, on() {}, nextTick: queueMicrotask };</script><script type="module" src="program.js"></script>`,
    "program.js": page().replace('"junfeiai"', '"./junfeiai/browser.js"'),
  }));
};
for (const [name, begin] of Object.entries({
  "a worker": 'const port = new Worker("./worker.js", { type: "module" });',
  "a SharedWorker": 'const { port } = new SharedWorker("./worker.js", { type: "module" }); port.start();',
  "a service worker": `await navigator.serviceWorker.register("./worker.js", { type: "module" }); await navigator.serviceWorker.ready;
    const channel = new MessageChannel(); const port = channel.port1; port.start(); (await navigator.serviceWorker.ready).active.postMessage("go", [channel.port2]);`,
})) {
  rows[name] = async () => {
    await shows(plain(name.replaceAll(" ", "-"), {
      "index.html": `${HTML}<script type="module">const told = ({ data }) => { document.title = data; };\n${begin}\nport.addEventListener("message", told);</script>`,
      "worker.js": `import { Client } from "./junfeiai/browser.js";\n${work}\nconst go = (port) => { work(Client, ${options()}).then((text) => port.postMessage(text), (error) => port.postMessage(String(error))); };
        if ("onconnect" in self) self.onconnect = ({ ports }) => go(ports[0]);
        else if ("registration" in self) self.onmessage = ({ ports, waitUntil }) => go(ports[0]);
        else go(self);`,
    }));
  };
}
rows["a policy without wasm-unsafe-eval"] = async () => {
  const cwd = plain("policy", { "program.js": page().replace('"junfeiai"', '"./junfeiai/browser.js"'), "index.html": `${HTML}<script type="module" src="program.js"></script>` });
  const served = await site({
    "/": cwd,
    "/policy": (request, response) => response.writeHead(200, { "Content-Type": "text/html", "Content-Security-Policy": "script-src 'self'" }).end(readFileSync(join(cwd, "index.html"))),
  });
  try {
    assert.match(await title(`${served.origin}/policy`), /^JunFeiAIError: .*add 'wasm-unsafe-eval' to script-src of the Content-Security-Policy$/);
    assert.equal((await emulator.requests()).length, 0);
  } finally {
    served.stop();
  }
};

// Test runners.
const jestFiles = (environment) => ({
  "package.json": JSON.stringify({ type: "commonjs", jest: { testEnvironment: environment } }),
  "work.test.cjs": `const { Client } = require("junfeiai");\n${work}\ntest("works", async () => { process.stderr.write(\`\\nRESULT \${await work(Client, ${options()}, ${environment === "node" ? '"a.mp4"' : "null"})}\\n\`); }, 60000);`,
  // jsdom has neither fetch nor streams: those of Node, as its users add them.
  "environment.cjs": `const { TestEnvironment } = require("jest-environment-jsdom");
    module.exports = class extends TestEnvironment { async setup() { await super.setup(); Object.assign(this.global, { fetch, Headers, Request, Response, ReadableStream, TextDecoder, TextEncoder, AbortController, AbortSignal }); } };`,
});
for (const environment of ["node", "jsdom"]) {
  rows[`jest, ${environment}`] = async () => {
    const cwd = folder(`jest-${environment}`, jestFiles(environment === "node" ? "node" : "./environment.cjs"));
    const { stderr } = await run(newest(), [tool("jest"), "--ci", "--testMatch", "**/*.test.cjs"], { cwd, timeout: 300_000 }).catch((error) => { throw new Error(error.stdout + error.stderr); });
    await judge(/^RESULT (.*)$/m.exec(stderr)[1], environment === "node");
  };
}
rows.vitest = async () => {
  const cwd = folder("vitest", {
    "work.test.mjs": `import { test } from "vitest";\nimport { writeFileSync } from "node:fs";\nimport { Client } from "junfeiai";\n${work}\ntest("works", async () => { writeFileSync("result", await work(Client, ${options()}, "a.mp4")); }, 60000);`,
    "vitest.config.mjs": "export default {};",
  });
  await output(newest(), [tool("vitest"), "run", "--root", cwd], { cwd });
  await judge(readFileSync(join(cwd, "result"), "utf8"), true);
};

// Next.js: a page that is rendered before, with a path as baseURL; a route handler; a server action.
const next = (name, at, flag) => async () => {
  const program = need(join(at, "node_modules/next/dist/bin/next"), "it is not installed");
  const cwd = folder(name, {
    "package.json": JSON.stringify({ name: "site", private: true, type: "module" }),
    "next.config.mjs": `export default { turbopack: { root: ${JSON.stringify(at)} }, outputFileTracingRoot: ${JSON.stringify(at)} };`,
    "app/layout.js": "export default function Layout({ children }) { return <html><body>{children}</body></html>; }",
    "app/page.js": `"use client";\nimport { useState } from "react";\nimport { Client } from "junfeiai";\n${work}
      const client = new Client({ baseURL: "/api/junfeiai" });
      export default function Page() { const [text, set] = useState("");
        return <button onClick={() => work(Client, { baseURL: "/api/junfeiai" }).then((text) => { document.title = text; }, (error) => { document.title = String(error); })}>{String(typeof client.videos.create)}</button>; }`,
    "app/api/work/route.js": `import { Client } from "junfeiai";\n${work}\nexport const dynamic = "force-dynamic";\nexport async function GET() { return new Response(await work(Client, ${options()}, "route.mp4")); }`,
    "app/api/junfeiai/[...path]/route.js": `import { createProxyHandler } from "junfeiai/server";
      const handler = createProxyHandler({ apiKey: ${JSON.stringify(KEY)}, baseURL: ${JSON.stringify(emulator.baseURL)}, basePath: "/api/junfeiai", allow: () => true });
      export { handler as GET, handler as POST };`,
    "app/action/page.js": `import { act } from "./act.js";\nexport const dynamic = "force-dynamic";\nexport default async function Page() { return <pre>{"RESULT" + await act() + "END"}</pre>; }`,
    "app/action/act.js": `"use server";\nimport { Client } from "junfeiai";\n${work}\nexport async function act() { return work(Client, ${options()}, "action.mp4"); }`,
  }, at);
  const env = { NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" };
  await output(newest(), [program, "build", ...flag], { cwd, env });
  const port = await freePort();
  await serving(newest(), [program, "start", "-H", "127.0.0.1", "-p", String(port)], { cwd, env }, port, async (origin) => {
    await emulator.forget();
    await judge(await (await fetch(`${origin}/api/work`)).text(), true);
    const html = (await (await fetch(`${origin}/action`)).text()).replaceAll("&quot;", '"');
    await judge(/RESULT(\{.*?\})END/.exec(html)[1], true);
    assert.match(await (await fetch(origin)).text(), />function</);
    browser ??= await launch();
    const tab = await open(browser, origin);
    await tab.evaluate(() => { document.title = "waiting"; });
    await tab.click("button");
    await tab.waitForFunction(() => document.title.includes("{") || document.title.includes("rror"), null, { timeout: 60_000 });
    const text = await tab.title();
    await tab.context().close();
    await judge(text, false);
  });
};
rows["Next.js 16, Turbopack"] = next("next16-turbopack", place, ["--turbopack"]);
rows["Next.js 16, webpack"] = next("next16-webpack", place, ["--webpack"]);
rows["Next.js 15, webpack"] = next("next15-webpack", join(place, "next15"), []);
rows["Next.js 15, Turbopack"] = next("next15-turbopack", join(place, "next15"), ["--turbopack"]);

// TypeScript, whose declarations are looked at as well.
const TYPED = `import { Client, JunFeiAIError, type Task } from "junfeiai";
  import { createProxyHandler } from "junfeiai/server";
  import { registerPlayback } from "junfeiai/playback";
  import { ready } from "junfeiai/slim";
  import { Video } from "junfeiai/inline";
  export const use = async (task: Task): Promise<number> => (await task.wait()).taskId?.length ?? 0;
  // @ts-expect-error an option that does not exist
  export const client = new Client({ pollInterval: 5 });
  export { createProxyHandler, registerPlayback, ready, Video, JunFeiAIError };`;
for (const [name, [compiler, more]] of Object.entries({
  'lib ["ES2022"]': ["typescript", { module: "nodenext" }],
  "node10, for sub-paths": ["typescript5", { module: "commonjs", moduleResolution: "node10" }],
  NodeNext: ["typescript", { module: "nodenext" }],
  Bundler: ["typescript", { module: "esnext", moduleResolution: "bundler" }],
})) {
  rows[`TypeScript, ${name}`] = async () => {
    const cwd = folder(`types-${name.replaceAll(/\W+/g, "-")}`, {
      "package.json": JSON.stringify({ type: name.startsWith("node10") ? "commonjs" : "module" }),
      "use.ts": TYPED,
      "tsconfig.json": JSON.stringify({ compilerOptions: { strict: true, noEmit: true, target: "es2022", lib: ["ES2022"], types: ["node"], skipLibCheck: false, ...more }, include: ["use.ts"] }),
    });
    await output(newest(), [need(join(modules, compiler, "bin/tsc"), "it is not installed"), "-p", cwd], { cwd });
  };
}

async function main() {
  // Before anything is installed.
  const unknown = wanted.filter((word) => !Object.keys(rows).some((name) => name.toLowerCase().includes(word.toLowerCase())));
  if (unknown.length > 0) {
    console.error(`engines: no row is like ${unknown.join(", ")}; there are: ${Object.keys(rows).join(", ")}`);
    process.exit(2);
  }
  install(here, place);
  install(join(here, "next15"), join(place, "next15"));
  for (const at of [place, join(place, "next15")]) unpack(at);
  emulator = await startEmulator({ second: false });
  let [passed, failed] = [0, 0];
  const table = ["| engine, bundler or framework | result | s |", "|---|---|---|"];
  try {
    for (const [name, go] of Object.entries(rows)) {
      if (wanted.length > 0 && !wanted.some((word) => name.toLowerCase().includes(word.toLowerCase()))) continue;
      const begun = Date.now();
      try {
        await emulator.forget();
        await go();
        passed += 1;
        const seconds = ((Date.now() - begun) / 1000).toFixed(1);
        table.push(`| ${name} | ok | ${seconds} |`);
        console.log(`ok     ${name} (${seconds} s)`);
      } catch (error) {
        if (error instanceof LeftOut) {
          table.push(`| ${name} | not run: ${error.message} | |`);
          console.log(`not run: ${name}: ${error.message}`);
          continue;
        }
        failed += 1;
        table.push(`| ${name} | FAILED | |`);
        console.log(`FAILED ${name}\n${String(error.message ?? error).slice(-4000)}`);
      }
    }
  } finally {
    await browser?.close();
    emulator.stop();
  }
  console.log(table.join("\n"));
  console.log(`engines: ${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}
await main();
