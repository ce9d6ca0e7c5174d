// The packed tarball, installed as a user installs it: Node ESM and CJS, TypeScript strict, Vite, webpack, publint, attw.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { launch, open, site } from "./browser.mjs";
import { KEY, root, startEmulator } from "./emulator.mjs";

const run = promisify(execFile);
const here = dirname(dirname(fileURLToPath(import.meta.url)));
const npm = join(root, "target/npm");
const tarball = join(npm, readdirSync(npm).find((name) => name.endsWith(".tgz")));
const tool = (name) => join(here, "node_modules/.bin", name);
const binary = resolve(process.env.JUNFEIAI_EMULATOR ?? join(root, "target/debug/junfeiai-emulator"));
// The other engines and bundlers: tests/engines/run.mjs.
const newest = join(here, "node_modules/node26/bin/node");
let folder, emulator, browser, task;

/** Every example of the repository's documents, by the collector that all languages use. */
async function documented() {
  const { stdout } = await run("python3", [join(root, "tests/docs/blocks.py"), "ts"]);
  return JSON.parse(stdout).map(({ file, line, text }) => [`${file.replaceAll(/\W/g, "-")}-${line}.mts`, text]);
}

const node = (...args) => run(process.execPath, args, { cwd: folder });

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "junfeiai-pack-"));
  // Without a registry: the package has no dependencies, so unpacking it is installing it.
  mkdirSync(join(folder, "node_modules"));
  await run("tar", ["xzf", tarball, "-C", join(folder, "node_modules")]);
  cpSync(join(folder, "node_modules/package"), join(folder, "node_modules/junfeiai"), { recursive: true });
  rmSync(join(folder, "node_modules/package"), { recursive: true });
  // The guide's tests import the emulator's package.
  await run(process.execPath, [join(root, "tests/emulator/npm/pack.mjs"), "--program", binary, "--out", join(folder, "testkit")]);
  symlinkSync(join(folder, "testkit/package"), join(folder, "node_modules/junfeiai-emulator"));
  symlinkSync(join(here, "node_modules/@types"), join(folder, "node_modules/@types"));
  symlinkSync(join(here, "node_modules/undici-types"), join(folder, "node_modules/undici-types"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  [emulator, browser] = await Promise.all([startEmulator(), launch()]);
  task = await emulator.add({ state: "finished", seconds: 4 });
  const program = (load) => `${load}
    const client = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL, dangerouslyAllowBrowser: true })});`;
  writeFileSync(join(folder, "esm.mjs"), `${program('import { Client } from "junfeiai"; import { createRequire } from "node:module"; import { createProxyHandler } from "junfeiai/server";')}
    const same = createRequire(import.meta.url)("junfeiai").Client === Client;
    console.log((await (await client.videos.video("${task}")).bytes()).length, same, typeof createProxyHandler);`);
  writeFileSync(join(folder, "cjs.cjs"), `${program('const { Client } = require("junfeiai"); const { createProxyHandler } = require("junfeiai/server");')}
    client.videos.video("${task}").then((video) => video.bytes()).then((bytes) => console.log(bytes.length, true, typeof createProxyHandler));`);
  writeFileSync(join(folder, "page.js"), `${program('import { Client } from "junfeiai";')}
    const keeps = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL, dangerouslyAllowBrowser: true, journal: "films" })});
    const read = async (from) => (await (await from.videos.video("${task}")).bytes()).length;
    const both = async () => {
      const lengths = [await read(client), (await keeps.videos.pending()).length, await read(keeps)];
      return lengths[0] === lengths[2] && lengths[1] === 0 ? lengths[0] : lengths;
    };
    both().then((length) => { document.title = String(length); }, (error) => { document.title = String(error); });`);
  writeFileSync(join(folder, "index.html"), '<!doctype html><title>waiting</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>');
});
after(async () => {
  await browser?.close();
  emulator?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function shows(place) {
  const page = await open(browser, place.origin);
  await page.waitForFunction(() => document.title !== "waiting", null, { timeout: 120_000 });
  assert.equal(await page.title(), String((await emulator.video(task)).length));
  assert.deepEqual(page.problems, []);
}

describe("the tarball", () => {
  test("holds what it should and no more", async () => {
    const { stdout } = await run("tar", ["tzf", tarball]);
    const files = stdout.trim().split("\n").map((name) => name.replace("package/", ""));
    for (const needed of ["package.json", "README.md", "README.zh-CN.md", "LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY-LICENSES.txt", "dist/junfeiai.wasm", "dist/junfeiai-page.wasm", "dist/junfeiai-page-read.wasm", "dist/junfeiai-page-more.wasm", "dist/junfeiai-page-journal.wasm", "dist/page-journal.js", "dist/junfeiai-node.wasm", "dist/browser.js", "dist/node.cjs", "dist/node.js", "dist/playback-worker.js", "dist/cli.js", "examples/postgres-store.mjs", "examples/redis-store.mjs", "examples/page-tasks.mjs"]) {
      assert.ok(files.includes(needed), needed);
    }
    assert.ok(files.every((name) => /^(package\.json|README(\.zh-CN)?\.md|LICENSE-(MIT|APACHE)|THIRD-PARTY-LICENSES\.txt|examples\/.*|dist\/.*)$/.test(name)), files.join("\n"));
    const manifest = JSON.parse(readFileSync(join(folder, "node_modules/junfeiai/package.json"), "utf8"));
    assert.equal(manifest.dependencies, undefined);
    assert.doesNotMatch(JSON.stringify(manifest), /postinstall|preinstall/);
    // Nothing of the machine that built it.
    for (const name of files.filter((one) => one.endsWith(".js") || one.endsWith(".cjs") || one.endsWith(".wasm"))) {
      assert.doesNotMatch(readFileSync(join(folder, "node_modules/junfeiai", name), "latin1"), /\/root\/|\/home\/|\.cargo\/registry/, name);
    }
  });

  test("in Node: ESM and CJS, one module for both", async () => {
    const size = String((await emulator.video(task)).length);
    for (const file of ["esm.mjs", "cjs.cjs"]) {
      assert.equal((await node(file)).stdout.trim(), `${size} true function`);
    }
  });

  test("TypeScript: strict, ESM and CJS, and the documents' examples", async () => {
    const examples = await documented();
    assert.ok(examples.length >= 8);
    for (const [name, code] of examples) writeFileSync(join(folder, name), `${code}\nexport {};\n`);
    writeFileSync(join(folder, "common.cts"), `import { Client, JunFeiAIError, type Task } from "junfeiai";
      import { createProxyHandler } from "junfeiai/server";
      const client: Client = new Client(); const go = async (task: Task): Promise<number> => (await task.wait()).taskId?.length ?? 0;
      // @ts-expect-error an option that does not exist
      new Client({ pollInterval: 5 });
      // @ts-expect-error a field that does not exist
      client.videos.create({ prompt: "x", sceonds: 5 });
      export { go, createProxyHandler, JunFeiAIError };`);
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({
      compilerOptions: {
        strict: true, exactOptionalPropertyTypes: true, noEmit: true, target: "es2022", module: "nodenext", lib: ["es2023", "dom", "dom.iterable", "esnext.disposable"],
        types: ["node"], skipLibCheck: false,
      },
      include: ["*.mts", "*.cts"],
    }));
    await run(process.execPath, [join(here, "node_modules/typescript/bin/tsc"), "-p", folder]).catch((error) => assert.fail(error.stdout));
  });

  test("the examples of the package fit the types of junfeiai, pg and ioredis", async () => {
    const place = join(folder, "stores");
    mkdirSync(join(place, "node_modules"), { recursive: true });
    symlinkSync(join(here, "node_modules/ioredis"), join(place, "node_modules/ioredis"));
    for (const name of ["postgres-store.mjs", "redis-store.mjs", "page-tasks.mjs"]) cpSync(join(here, "examples", name), join(place, name));
    writeFileSync(join(place, "use.mts"), `import { Client } from "junfeiai"; import { Redis } from "ioredis"; import type { Pool } from "pg";
      import { postgresStore } from "./postgres-store.mjs"; import { redisStore } from "./redis-store.mjs";
      export const use = (pool: Pool) => [new Client({ journal: postgresStore(pool) }), new Client({ journal: redisStore(new Redis({ autoResendUnfulfilledCommands: false }), { journal: "films" }) })];
      // @ts-expect-error no pool
      postgresStore(5);`);
    writeFileSync(join(place, "tsconfig.json"), JSON.stringify({
      compilerOptions: { strict: true, noEmit: true, allowJs: true, checkJs: true, target: "es2022", module: "nodenext", lib: ["es2023", "dom", "esnext.disposable"], types: ["node"], skipLibCheck: true },
      include: ["*.mts", "*.mjs"],
    }));
    await run(process.execPath, [join(here, "node_modules/typescript/bin/tsc"), "-p", place]).catch((error) => assert.fail(error.stdout));
  });

  test("the documents' examples run in Node, but for those that need a page or do not end", async () => {
    const { transform } = await import("esbuild");
    const env = { ...process.env, JUNFEIAI_API_KEY: KEY, JUNFEIAI_BASE_URL: emulator.baseURL, JUNFEIAI_EMULATOR: binary };
    const examples = (await documented()).filter(([, code]) => !/document\.|\.listen\(|^declare /m.test(code));
    assert.ok(examples.length >= 6);
    for (const [name, code] of examples) {
      const place = mkdtempSync(join(folder, "example-"));
      writeFileSync(join(place, "example.mjs"), (await transform(code, { loader: "ts", format: "esm", target: "es2022" })).code);
      await run(process.execPath, ["example.mjs"], { cwd: place, env, timeout: 60_000 }).catch((error) => assert.fail(`${name}: ${error.stderr}`));
    }
  });

  test("in the newest Node", { skip: existsSync(newest) ? false : `npm has no Node 26 for ${process.platform}-${process.arch}` }, async () => {
    const size = String((await emulator.video(task)).length);
    for (const file of ["esm.mjs", "cjs.cjs"]) {
      assert.equal((await run(newest, [file], { cwd: folder })).stdout.trim(), `${size} true function`);
    }
  });

  test("bundled by esbuild for Node, ESM and CJS, and moved away", async () => {
    const { build } = await import("esbuild");
    const size = String((await emulator.video(task)).length);
    const away = mkdtempSync(join(tmpdir(), "junfeiai-moved-"));
    try {
      for (const [format, file] of [["esm", "esm.mjs"], ["cjs", "cjs.cjs"]]) {
        const text = readFileSync(join(folder, file), "utf8").replace(/const same = .*/, "const same = true;");
        await build({ stdin: { contents: text, resolveDir: folder }, bundle: true, platform: "node", format, outfile: join(away, file), logLevel: "error" });
        assert.equal((await run(process.execPath, [file], { cwd: away })).stdout.trim(), `${size} true function`);
      }
    } finally {
      rmSync(away, { recursive: true, force: true });
    }
  });

  test("TypeScript with lib [\"ES2022\"], NodeNext and Bundler, its declarations checked", async () => {
    for (const [module, moduleResolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
      const place = join(folder, `types-${moduleResolution}`);
      mkdirSync(place);
      writeFileSync(join(place, "package.json"), JSON.stringify({ type: "module" }));
      writeFileSync(join(place, "use.ts"), `import { Client, type ManyOptions } from "junfeiai"; import { createProxyHandler } from "junfeiai/server";
        import { registerPlayback } from "junfeiai/playback"; import { ready } from "junfeiai/slim"; import { Video } from "junfeiai/inline";
        export const options: ManyOptions = { onCreated: ({ index, taskId }) => console.log(index + 1, taskId.length), onProgress: ({ task }) => task.id };
        // @ts-expect-error an option that does not exist
        export const client = new Client({ pollInterval: 5 });
        export { createProxyHandler, registerPlayback, ready, Video };`);
      writeFileSync(join(place, "tsconfig.json"), JSON.stringify({
        compilerOptions: { strict: true, noEmit: true, target: "es2022", lib: ["ES2022"], types: ["node"], skipLibCheck: false, module, moduleResolution }, include: ["use.ts"],
      }));
      await run(process.execPath, [join(here, "node_modules/typescript/bin/tsc"), "-p", place]).catch((error) => assert.fail(error.stdout));
    }
  });

  test("publint and attw find nothing", async () => {
    await run(tool("publint"), ["run", tarball, "--strict"]).catch((error) => assert.fail(error.stdout + error.stderr));
    // The wasm file and the worker are no modules to import.
    await run(tool("attw"), [tarball, "--exclude-entrypoints", "./junfeiai.wasm", "./playback-worker.js", "--ignore-rules", "cjs-resolves-to-esm", "--profile", "node16", "--format", "ascii", "--no-color"])
      .catch((error) => assert.fail(error.stdout + error.stderr));
  });
});

describe("bundlers, with no plugin", () => {
  test("Vite build", async () => {
    await run(tool("vite"), ["build", "--outDir", "out-vite", "--logLevel", "warn"], { cwd: folder });
    assert.ok(readdirSync(join(folder, "out-vite/assets")).some((name) => name.endsWith(".wasm")));
    const place = await site({ "/": join(folder, "out-vite") });
    await shows(place).finally(place.stop);
  });

  test("Vite's own server", async () => {
    const { createServer } = await import("vite");
    const server = await createServer({ root: folder, logLevel: "error", server: { port: 0, host: "127.0.0.1" } });
    await server.listen();
    try {
      await shows({ origin: `http://127.0.0.1:${server.httpServer.address().port}` });
    } finally {
      await server.close();
    }
  });

  test("webpack", async () => {
    await run(tool("webpack"), ["--mode", "production", "--entry", "./page.js", "--output-path", join(folder, "out-webpack")], { cwd: folder });
    writeFileSync(join(folder, "out-webpack/index.html"), '<!doctype html><title>waiting</title><link rel="icon" href="data:,"><script src="main.js"></script>');
    assert.ok(readdirSync(join(folder, "out-webpack")).some((name) => name.endsWith(".wasm")));
    const place = await site({ "/": join(folder, "out-webpack") });
    await shows(place).finally(place.stop);
  });

  test("the example of a page that keeps its tasks: after a reload the task is waited for, and none is created", async () => {
    await emulator.forget();
    const place = await site({
      "/": join(folder, "node_modules/junfeiai"),
      "/keeps": (request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end(`<!doctype html><title>t</title><link rel="icon" href="data:,">
        <script type="module">import { Client } from "/dist/browser.js"; import * as tasks from "/examples/page-tasks.mjs";
        window.tasks = tasks; window.client = new Client(${JSON.stringify({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, dangerouslyAllowBrowser: true })});</script>`),
    });
    try {
      const page = await open(browser, `${place.origin}/keeps`);
      await page.waitForFunction(() => "client" in window);
      const id = await page.evaluate(async () => (await window.tasks.create(window.client, "a ball")).id);
      await page.reload();
      await page.waitForFunction(() => "client" in window);
      const ended = await page.evaluate(async () => {
        const all = [];
        for await (const { id, video } of window.tasks.unfinished(window.client)) {
          all.push([id, (await video.bytes()).length]);
          window.tasks.done(id);
        }
        return { all, left: window.tasks.ids() };
      });
      assert.deepEqual(ended, { all: [[id, (await emulator.video(id)).length]], left: [] });
      assert.equal((await emulator.requests()).filter((request) => request.method === "POST").length, 1);
      assert.deepEqual(page.problems, []);
    } finally {
      place.stop();
    }
  });

  test("a page whose policy forbids WebAssembly names the directive, and sends nothing", async () => {
    const place = await site({
      "/": folder,
      "/policy": (request, response) => response.writeHead(200, { "Content-Type": "text/html", "Content-Security-Policy": "script-src 'self'" })
        .end('<!doctype html><title>waiting</title><link rel="icon" href="data:,"><script type="module" src="/forbidden.js"></script>'),
    });
    writeFileSync(join(folder, "forbidden.js"), readFileSync(join(folder, "page.js"), "utf8").replace('"junfeiai"', '"/node_modules/junfeiai/dist/browser.js"'));
    await emulator.forget();
    try {
      const page = await open(browser, `${place.origin}/policy`);
      await page.waitForFunction(() => document.title !== "waiting", null, { timeout: 120_000 });
      assert.match(await page.title(), /^JunFeiAIError: .*add 'wasm-unsafe-eval' to script-src of the Content-Security-Policy$/);
      assert.deepEqual(await emulator.requests(), []);
    } finally {
      place.stop();
    }
  });

  test("a plain page", async () => {
    const place = await site({
      "/": folder,
      "/plain": (request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end(readFileSync(join(folder, "index.html"), "utf8")
        .replace("<script", '<script type="importmap">{"imports":{"junfeiai":"/node_modules/junfeiai/dist/browser.js"}}</script><script')),
    });
    await shows({ origin: `${place.origin}/plain` }).finally(place.stop);
  });
});
