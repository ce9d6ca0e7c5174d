// The package in Chromium: without a build step, in a worker, and playing and seeking through the service worker.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { blank, launch, open, site } from "./browser.mjs";
import { KEY, root, startEmulator } from "./emulator.mjs";
import { MOST } from "./memory.mjs";

const dist = join(root, "target/npm/package/dist");
const artefacts = join(root, "target/npm/screenshots");
let browser, emulator, pages;

before(async () => {
  mkdirSync(artefacts, { recursive: true });
  [browser, emulator] = await Promise.all([launch(), startEmulator()]);
  // The worker lies at the root, as the README has it.
  pages = await site({ "/junfeiai/": dist, "/junfeiai-playback-worker.js": (_, response) => serveFile(response), "/": blank });
});
after(async () => {
  await browser?.close();
  emulator?.stop();
  pages?.stop();
});
beforeEach(async () => {
  await emulator.reset();
  await emulator.forget();
});

const options = () => ({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, dangerouslyAllowBrowser: true });
const contents = async (where = "first") => (await emulator.requests())
  .filter((r) => r.method === "GET" && r.path.includes("/content") && isFirst(r) === (where === "first"));
const isFirst = (request) => request.host === "first" || `http://${request.host}` === emulator.origin;

describe("a plain page", () => {
  test("does the main job with no header exposed to it, and warns of a key once", async () => {
    const page = await open(browser, pages.origin);
    const result = await page.evaluate(async (given) => {
      const { Client, JunFeiAIError } = await import("junfeiai");
      const { dangerouslyAllowBrowser, ...rest } = given;
      const client = new Client(rest);
      new Client(rest);
      const task = await client.videos.create({ prompt: "a ball", seconds: 6 });
      const states = [];
      const video = await task.wait({ onProgress: (t) => states.push(t.status) });
      const blob = await video.blob();
      const range = new TextDecoder().decode(await video.readRange(4, 8));
      const answer = await video.response("bytes=0-1");
      const refused = await client.videos.create({ prompt: "x", seconds: 99 }).catch((e) => [e instanceof JunFeiAIError, e.code, e.field]);
      const unknown = await client.videos.get("task_unknown").catch((e) => e.code);
      const save = await video.save("x.mp4").catch((e) => e.code);
      const durable = [await client.videos.advance({}).catch((e) => e.code)];
      try { task.waitState(); } catch (e) { durable.push(e.code); }
      const wrong = await Promise.resolve().then(() => new Client({ baseURL: "http://example.com/v1" })).then(() => "no", (e) => e.code);
      return { id: task.id, states, size: blob.size, type: blob.type, range, answer: [answer.status, answer.headers.get("content-range")], refused, unknown, save, wrong, durable };
    }, options());
    const bytes = await emulator.video(result.id);
    assert.equal(result.size, bytes.length);
    assert.equal(result.type, "video/mp4");
    assert.equal(result.range, "ftyp");
    assert.deepEqual(result.answer, [206, `bytes 0-1/${bytes.length}`]);
    assert.deepEqual(result.refused, [true, "invalid_request", "seconds"]);
    assert.deepEqual([result.unknown, result.save, result.wrong], ["not_found", "io", "config"]);
    assert.deepEqual(result.durable, ["config", "config"]);
    assert.equal(result.states.at(-1), "succeeded");
    assert.equal(page.warnings.filter((text) => text.includes("dangerouslyAllowBrowser")).length, 1);
    assert.deepEqual(page.problems, []);
  });

  test("a path names a place on the page's server in a worker and a frame without an address of their own, too", async () => {
    const { createProxyHandler, toNodeHandler } = await import("junfeiai/server");
    const handler = toNodeHandler(createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, basePath: "/api", allow: () => true }));
    const keys = [];
    const own = await site({ "/junfeiai/": dist, "/": blank, "/api/": (request, response) => {
      keys.push(request.headers["idempotency-key"]);
      handler(request, response);
    } });
    try {
      const page = await open(browser, own.origin);
      const ids = await page.evaluate(async (origin) => {
        const code = `const { Client } = await import("${origin}/junfeiai/browser.js");
          const said = await Promise.resolve().then(() => new Client({ baseURL: "/api" }).videos.create("a ball")).then(({ id }) => id, ({ message }) => message);`;
        const worker = new Worker(URL.createObjectURL(new Blob([`${code} postMessage(said);`], { type: "text/javascript" })), { type: "module" });
        const inWorker = await new Promise((resolve) => { worker.onmessage = ({ data }) => { resolve(data); }; });
        const frame = Object.assign(document.createElement("iframe"), { srcdoc: `<script type="module">${code} parent.postMessage(said);</script>` });
        const inFrame = await new Promise((resolve) => {
          addEventListener("message", ({ data }) => { resolve(data); });
          document.body.append(frame);
        });
        return [inWorker, inFrame];
      }, own.origin);
      for (const id of ids) assert.match(id, /^task_/);
      // What Chromium sends again must be known as the same request.
      assert.ok(keys.length === 2 && keys.every((key) => /^[0-9a-f]{32}$/.test(key)), String(keys));
    } finally {
      own.stop();
    }
  });

  test("asks another origin for no header more where a bundler gives the page a process", async () => {
    const asked = [];
    const api = await site({ "/": (request, response) => {
      asked.push(request.headers["access-control-request-headers"] ?? request.method);
      response.writeHead(200, { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "content-type", "Content-Type": "application/json" });
      response.end(JSON.stringify({ id: "task_1", status: "queued" }));
    } });
    try {
      const page = await open(browser, pages.origin);
      const id = await page.evaluate(async (baseURL) => {
        globalThis.process = { env: {}, versions: {}, browser: true, on() {} };
        const { Client } = await import("junfeiai");
        return new Client({ baseURL }).videos.create("a ball").then((task) => task.id, ({ code }) => code);
      }, `${api.origin}/v1`);
      assert.deepEqual([id, asked], ["task_1", ["content-type", "POST"]]);
    } finally {
      api.stop();
    }
  });

  test("keeps the key from other hosts on a redirect that the browser hides", async () => {
    const page = await open(browser, pages.origin);
    const id = await emulator.add({ state: "finished", seconds: 4 });
    await emulator.scenario({ content: { redirect: "{second}/v1/videos/{id}/content" } });
    const sizes = await page.evaluate(async ([given, task]) => {
      const { Client } = await import("junfeiai");
      const video = await new Client(given).videos.video(task);
      return [(await video.bytes()).length, (await video.readRange(0, 9)).length];
    }, [options(), id]);
    assert.deepEqual(sizes, [(await emulator.video(id)).length, 9]);
    const second = await contents("second");
    assert.ok(second.length >= 2);
    assert.ok(second.every((r) => r.key === "none"), "the key reached another host");
  });

  test("works in a module worker, with junfeiai/slim, and when the wasm file is not beside it", async () => {
    const page = await open(browser, pages.origin);
    const id = await emulator.add({ state: "finished", seconds: 4 });
    const { length } = await emulator.video(id);
    const sizes = await page.evaluate(async ([given, task, origin]) => {
      const code = `import { Client } from "${origin}/junfeiai/browser.js";
        const video = await new Client(${JSON.stringify(given)}).videos.video("${task}"); postMessage((await video.bytes()).length);`;
      const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
      const inWorker = await new Promise((resolve, reject) => { worker.onmessage = (e) => resolve(e.data); worker.onerror = (e) => reject(new Error(e.message)); });
      const { Client, ready } = await import("junfeiai/slim");
      const client = new Client(given);
      const early = await client.videos.video(task).catch((e) => e.code);
      await ready(fetch("/junfeiai/junfeiai.wasm"));
      return [inWorker, early, (await (await client.videos.video(task)).bytes()).length];
    }, [options(), id, pages.origin]);
    assert.deepEqual(sizes, [length, "config", length]);
    const lost = await open(browser, pages.origin);
    await lost.route("**/*.wasm", (route) => route.fulfill({ status: 200, contentType: "text/html", body: "<!doctype html>" }));
    const size = await lost.evaluate(async ([given, task]) => {
      const { Client } = await import("junfeiai");
      return (await (await new Client(given).videos.video(task)).bytes()).length;
    }, [options(), id]);
    assert.equal(size, length);
  });

  test("20,000 queries and 2,000 tasks leave the heap as it was", async () => {
    const browser = await launch(["--js-flags=--expose-gc"]);
    const own = await site({ "/junfeiai/": dist, "/test/": import.meta.dirname, "/": blank });
    try {
      const page = await open(browser, own.origin);
      const bytes = await page.evaluate(async () => {
        const { growth } = await import("/test/memory.mjs");
        const library = await import("junfeiai");
        const heap = async () => {
          for (let i = 0; i < 4; i += 1) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
          return performance.memory.usedJSHeapSize;
        };
        return growth(library, heap, { queries: 20_000, tasks: 2000 });
      });
      for (const [name, each] of Object.entries(bytes)) assert.ok(each < MOST, `each ${name} leaves ${each.toFixed(0)} bytes`);
    } finally {
      await browser.close();
      own.stop();
    }
  });

  test("an aborted create and a stream that is cancelled", async () => {
    const page = await open(browser, pages.origin);
    await emulator.scenario({ api: { create_latency_ms: 60_000 } });
    const { posts } = await emulator.stats();
    const outcome = page.evaluate(async (given) => {
      const { Client } = await import("junfeiai");
      const client = new Client(given);
      window.controller = new AbortController();
      const error = await client.videos.create("a ball", { signal: window.controller.signal }).catch((e) => e);
      return [error.name, error.code, error.maybeExecuted, JSON.stringify(client)];
    }, options());
    while ((await emulator.stats()).posts === posts) await new Promise((resolve) => setTimeout(resolve, 5));
    await page.evaluate(() => window.controller.abort());
    const result = await outcome;
    assert.deepEqual(result.slice(0, 3), ["AbortError", "cancelled", true]);
    assert.doesNotMatch(result[3], /f00dcafe/);
  });
});

describe("the module in parts", () => {
  /** The wasm files and their texts that a page has asked for, in order. */
  const loaded = (page) => {
    const files = [];
    page.on("request", (request) => {
      const name = new URL(request.url()).pathname.split("/").at(-1);
      if (/\.wasm$|^chunk-inline/.test(name)) files.push(name);
    });
    return files;
  };
  const first = "junfeiai-page.wasm", read = "junfeiai-page-read.wasm", more = "junfeiai-page-more.wasm";

  test("a page that creates and waits loads the first part only, one that reads the second, and everything else the third", async () => {
    const page = await open(browser, pages.origin);
    const files = loaded(page);
    await page.evaluate(async (given) => {
      const { Client } = await import("junfeiai");
      window.client = new Client(given);
      window.task = await client.videos.create("a ball");
      window.video = await (await client.videos.get(task.id)).wait({ onProgress: () => undefined });
      await client.videos.generate("a ball");
      await client.videos.create({ prompt: "x", seconds: 99 }).catch(() => undefined);
    }, options());
    assert.deepEqual(files, [first]);
    const sizes = await page.evaluate(async () => {
      let streamed = 0;
      for await (const piece of video.stream()) streamed += piece.length;
      return [(await video.bytes()).length, streamed, (await video.readRange(0, 9)).length, await (await fetch(await video.playbackURL())).blob().then((b) => b.size)];
    });
    const { length } = await emulator.video(await page.evaluate(() => task.id));
    assert.deepEqual(sizes, [length, length, 9, length]);
    assert.deepEqual(files, [first, read]);
    const report = await page.evaluate(async () => (await client.check()).ok);
    assert.equal(report, true);
    assert.deepEqual(files, [first, read, more]);
    const rest = await page.evaluate(async () => {
      const ended = [];
      for await (const { video } of client.videos.generateMany(["a", "b"])) ended.push(video !== null);
      for await (const { video } of client.videos.asCompleted([task.id])) ended.push(video !== null);
      for await (const { status } of task.watch()) ended.push(status);
      return [...ended, (await video.response("bytes=0-1")).status, (await client.models()).length > 0, (await client.balance()).usedUSD >= 0];
    });
    assert.deepEqual(rest, [true, true, true, "succeeded", 206, true, true]);
    assert.deepEqual(files, [first, read, more]);
    assert.deepEqual(page.problems, []);
  });

  test("a policy for the page that forbids to fetch them does not stop them", async () => {
    const policy = (connect) => `default-src 'none'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; connect-src ${connect}`;
    for (const [connect, expected] of [
      [`'self' ${emulator.origin}`, [first, read, more]],
      [emulator.origin, ["chunk-inline.js", "chunk-inline-read.js", "chunk-inline-more.js"]],
    ]) {
      const own = await site({ "/junfeiai/": dist, "/": (request, response) => {
        response.setHeader("Content-Security-Policy", policy(connect));
        blank(request, response);
      } });
      try {
        const page = await open(browser, own.origin);
        const files = loaded(page);
        assert.equal(await page.evaluate(async (given) => (await new (await import("junfeiai")).Client(given).check()).ok, options()), true);
        assert.deepEqual(files.filter((name) => expected.includes(name)), expected);
      } finally {
        own.stop();
      }
    }
  });

  test("a part that cannot be loaded, or is of another build, is one clear error before anything is paid, and the next call tries again", async () => {
    const page = await open(browser, pages.origin);
    const { posts } = await emulator.stats();
    const many = () => page.evaluate(async () => {
      try {
        for await (const { video } of client.videos.generateMany(["a"])) return video.taskId;
        return "nothing";
      } catch (e) {
        return [e.name, e.code, e.field, e.message];
      }
    });
    await page.route(/page-more\.wasm$|inline-more/, (route) => route.abort());
    await page.evaluate(async (given) => { window.client = new (await import("junfeiai")).Client(given); }, options());
    const lost = await many();
    assert.deepEqual(lost.slice(1, 3), ["config", "wasm"]);
    assert.match(lost[3], /junfeiai-page-more\.wasm, a part of the library, could not be loaded/);
    const read = await page.evaluate(async () => {
      const { taskId, code } = await (await client.videos.video("task_1")).response().catch((e) => e);
      return [taskId, code];
    });
    assert.deepEqual(read, ["task_1", "config"], "an error about a task names it");
    await page.unroute(/page-more\.wasm$|inline-more/);

    const file = await readFile(join(dist, "junfeiai-page-more.wasm"));
    const build = /_[0-9a-f]{8}/.exec(file.toString("latin1")).index;
    file[build + 1] = file[build + 1] === 0x30 ? 0x31 : 0x30;
    let asked = 0;
    await page.route("**/junfeiai-page-more.wasm", (route) => {
      asked += 1;
      return route.fulfill({ status: 200, contentType: "application/wasm", body: file });
    });
    const other = await many();
    assert.deepEqual(other.slice(1, 3), ["config", "wasm"]);
    assert.match(other[3], /is of another build than the page's: load the page again/);
    assert.equal(asked, 2, "it is asked for once more, past the cache");
    assert.equal((await emulator.stats()).posts, posts, "nothing was paid");

    await page.unroute("**/junfeiai-page-more.wasm");
    assert.match(await many(), /^task_/);
    assert.deepEqual(page.problems, []);
  });

  test("a first part that is none, is cut off or is of another build is one clear error, and the next call tries again", async () => {
    const file = await readFile(join(dist, "junfeiai-page.wasm"));
    const other = Buffer.from(file);
    other[other.length - 1] ^= 1;
    const answers = {
      "a text": [{ contentType: "text/plain", body: "no such file" }, /the wasm file could not be loaded \(.*\): call again/, 1],
      "half of it": [{ contentType: "application/wasm", body: file.subarray(0, file.length >> 1) }, /could not be loaded/, 1],
      "that of another build": [{ contentType: "application/wasm", body: other }, /is of another build than the page's: load the page again/, 2],
    };
    for (const [what, [answer, expected, times]] of Object.entries(answers)) {
      const page = await open(browser, pages.origin);
      const { posts } = await emulator.stats();
      let asked = 0;
      await page.route("**/junfeiai-page.wasm", (route) => {
        asked += 1;
        return route.fulfill({ status: 200, ...answer });
      });
      const create = () => page.evaluate(async (given) => {
        const { Client, JunFeiAIError } = await import("junfeiai");
        const { id, code, field, message, ...error } = await new Client(given).videos.create("a ball").catch((e) => Object.assign(e, { message: e.message, ours: e instanceof JunFeiAIError }));
        return id ?? [error.ours, code, field, message];
      }, options());
      const named = await page.evaluate(async (given) => {
        const { videos } = new (await import("junfeiai")).Client(given);
        const calls = [videos.task("task_1").wait(), videos.get("task_2"), videos.task("task_3").watch().next()];
        return Promise.all(calls.map((call) => call.catch(({ code, taskId }) => `${code} ${taskId}`)));
      }, options());
      assert.deepEqual(named, ["config task_1", "config task_2", "config task_3"], "an error about a task names it");
      asked = 0;
      const refused = await create();
      assert.deepEqual(refused.slice(0, 3), [true, "config", "wasm"], `${what}: ${refused}`);
      assert.match(refused[3], expected, what);
      assert.equal(asked, times, what);
      assert.equal((await emulator.stats()).posts, posts, "nothing was paid");
      await page.unroute("**/junfeiai-page.wasm");
      assert.match(await create(), /^task_/, what);
    }
  });

  test("an abort ends a call that waits for a part, which is there for the next one", async () => {
    const page = await open(browser, pages.origin);
    const { posts } = await emulator.stats();
    const id = await emulator.add({ state: "finished", seconds: 4 });
    let release;
    /** From now on no file comes. */
    const hold = () => {
      const held = new Promise((resolve) => { release = resolve; });
      return page.route("**/*.wasm", async (route) => {
        await held;
        await route.continue();
      });
    };
    /** What these calls end with when they are aborted. */
    const aborted = (names) => page.evaluate(async ([asked, task]) => {
      const { videos } = client;
      const calls = {
        create: (options) => videos.create("a ball", options), generate: (options) => videos.generate("a ball", options),
        stopped: ({ signal }) => videos.create("a ball", { stopSignal: signal }), generateMany: (options) => videos.generateMany(["a ball"], options).next(),
        asCompleted: (options) => videos.asCompleted([task], options).next(), get: (options) => videos.get(task, options),
        wait: (options) => videos.task(task).wait(options), watch: (options) => videos.task(task).watch(options).next(),
        check: (options) => client.check(options), models: (options) => client.models(options), balance: (options) => client.balance(options),
        bytes: (options) => video.bytes(options), readRange: (options) => video.readRange(0, 9, options), response: (options) => video.response(null, options),
      };
      return Promise.all(asked.map(async (name) => {
        const controller = new AbortController();
        const call = calls[name]({ signal: controller.signal }).then(() => ({ name: "nothing" }), (e) => e);
        setTimeout(() => { controller.abort(new Error("enough")); }, 20);
        const ended = await Promise.race([call, new Promise((resolve) => { setTimeout(resolve, 5000, { name: "a hang" }); })]);
        return [name, ended.name, ended.code, ended.cause?.message, ended.maybeExecuted, ended.taskId];
      }));
    }, [names, id]);
    const expected = (names, about) => names.map((name) => [name, "AbortError", "cancelled", "enough", false, about.includes(name) ? id : null]);

    await hold();
    await page.evaluate(async (given) => { window.client = new (await import("junfeiai")).Client(given); }, options());
    const first = ["create", "generate", "stopped", "generateMany", "asCompleted", "get", "wait", "watch", "check", "models", "balance"];
    assert.deepEqual(await aborted(first), expected(first, ["get", "wait", "watch"]));
    release();
    await page.evaluate(async (task) => { window.video = await client.videos.video(task); }, id);
    await page.unroute("**/*.wasm");
    await page.reload();
    await page.evaluate(async ([given, task]) => {
      window.client = new (await import("junfeiai")).Client(given);
      window.video = await client.videos.video(task);
    }, [options(), id]);
    await hold();
    const later = ["bytes", "readRange", "response", "watch", "check"];
    assert.deepEqual(await aborted(later), expected(later, ["bytes", "readRange", "response", "watch"]));
    release();
    assert.equal(await page.evaluate(async () => (await video.readRange(0, 9)).length), 9);
    assert.equal((await emulator.stats()).posts, posts, "nothing was paid");
    assert.deepEqual(page.problems, []);
  });

  test("after a defect the module starts over with all of its parts", async () => {
    const page = await open(browser, pages.origin);
    const files = loaded(page);
    const id = await emulator.add({ state: "finished", seconds: 4 });
    const result = await page.evaluate(async ([given, task]) => {
      const { Client, __panicForTests } = await import("junfeiai");
      const client = new Client(given);
      const before = (await client.check()).ok;
      const defect = await Promise.resolve().then(() => __panicForTests()).catch((e) => e.code);
      const video = await client.videos.video(task);
      return [before, defect, (await client.check()).ok, (await video.bytes()).length, (await video.response("bytes=0-1")).status];
    }, [options(), id]);
    assert.deepEqual(result, [true, "internal", true, (await emulator.video(id)).length, 206]);
    assert.deepEqual(files, [first, read, more]);
  });
});

describe("playback", () => {
  /** A page with a player for this task; `window.player` has what the tests look at. */
  async function player(task, where = {}) {
    const page = await open(browser, `${pages.origin}/`);
    const mode = await page.evaluate(async ([given, id, worker]) => {
      const { Client } = await import("junfeiai");
      const { registerPlayback } = await import("junfeiai/playback");
      const client = new Client(given);
      const playback = await registerPlayback(client, worker);
      const video = await client.videos.video(id);
      const element = document.createElement("video");
      element.muted = true;
      document.body.append(element);
      window.player = { client, playback, video, element };
      return [playback.mode, playback.reason];
    }, [options(), task, where]);
    return { page, mode };
  }
  const play = (page) => page.evaluate(async () => {
    const { element, video } = window.player;
    element.src = await video.playbackURL();
    await new Promise((resolve, reject) => {
      element.onloadeddata = resolve;
      element.onerror = () => reject(new Error(element.error.message));
    });
    await element.play();
    return { duration: element.duration, src: element.src, width: element.videoWidth };
  });
  const seek = (page, time) => page.evaluate(async (to) => {
    const { element } = window.player;
    element.pause();
    const seeked = new Promise((resolve, reject) => {
      element.onseeked = resolve;
      element.onerror = () => reject(new Error(element.error.message));
    });
    element.currentTime = to;
    await seeked;
    return element.currentTime;
  }, time);

  test("plays and seeks; ranges carry the key, other hosts do not get it", async () => {
    // So slow that reading from the front would take many seconds to where it seeks to.
    const total = 12 << 20;
    const id = await emulator.add({ state: "finished", seconds: 10, video_bytes: total });
    await emulator.scenario({ content: { rate_bytes_per_s: 1 << 20 } });
    const { page, mode } = await player(id);
    assert.deepEqual(mode, ["worker", null]);
    const seen = await play(page);
    assert.equal(Math.round(seen.duration), 10);
    assert.equal(seen.width, 1280);
    assert.ok(seen.src.startsWith(`${pages.origin}/junfeiai-playback/`));
    assert.ok(Math.abs(await seek(page, 8) - 8) < 0.2);
    assert.ok(Math.abs(await seek(page, 1) - 1) < 0.2);
    await page.screenshot({ path: join(artefacts, "playback.png") });
    const requests = await contents();
    assert.ok(requests.every((r) => r.key === "valid"));
    assert.ok(requests.some((r) => Number(/bytes=(\d+)/.exec(r.range ?? "")?.[1]) > 1 << 20), "no range from the middle was asked for");
    await emulator.scenario({});
    // What the element gets is exact.
    const answers = await page.evaluate(async (src) => Promise.all(["bytes=0-1", "bytes=100-", null, "bytes=99999999-"].map(async (range) => {
      const response = await fetch(src, range ? { headers: { range } } : {});
      return [response.status, response.headers.get("content-range"), (await response.arrayBuffer()).byteLength];
    })), seen.src);
    assert.deepEqual(answers, [[206, `bytes 0-1/${total}`, 2], [206, `bytes 100-${total - 1}/${total}`, total - 100], [200, null, total], [416, `bytes */${total}`, 0]]);
    // A result on another host: the key stays here.
    await emulator.scenario({ task: { result_url: "second_host" } });
    const away = await page.evaluate(async () => {
      const task = await window.player.client.videos.create({ prompt: "a ball", seconds: 4 });
      window.player.video = await task.wait();
      return task.id;
    });
    await play(page);
    const second = await contents("second");
    assert.ok(second.length >= 1, `${away} was not read from the second host`);
    assert.ok(second.every((r) => r.key === "none"));
    assert.deepEqual(page.problems, []);
  });

  test("resumes after the worker was stopped, and after a cut body", async () => {
    const id = await emulator.add({ state: "finished", seconds: 10, video_bytes: 6 << 20 });
    const { page } = await player(id);
    const { src } = await play(page);
    // What the browser itself does to idle workers.
    const session = await page.context().newCDPSession(page);
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await emulator.forget();
    assert.ok(Math.abs(await seek(page, 9) - 9) < 0.2);
    assert.ok((await contents()).every((r) => r.key === "valid"));
    await emulator.scenario({ rules: [{ match: { op: "content", nth: [1, 2, 3] }, fault: { kind: "cut_body", after_bytes: 700_000, rst: true } }] });
    const size = await page.evaluate(async (url) => (await (await fetch(url)).arrayBuffer()).byteLength, src);
    assert.equal(size, 6 << 20);
    assert.ok((await contents()).length >= 4);
    // A page that has gone takes the address with it.
    const context = page.context();
    await page.close();
    const other = await context.newPage();
    await other.goto(pages.origin);
    const left = await context.newCDPSession(other);
    await left.send("ServiceWorker.enable");
    await left.send("ServiceWorker.stopAllWorkers");
    const status = await other.evaluate(async (url) => (await fetch(url)).status, src);
    assert.equal(status, 404);
  });

  test("a wrong key is an error of the element, and nothing is stored", async () => {
    const id = await emulator.add({ state: "finished", seconds: 4 });
    const { page } = await player(id);
    await play(page);
    const stored = await page.evaluate(async () => JSON.stringify([
      Object.entries(localStorage), Object.entries(sessionStorage), await caches.keys(), await indexedDB.databases(), document.cookie, window.player.element.src,
    ]));
    assert.doesNotMatch(stored, /f00dcafe/);
    const failed = await page.evaluate(async (given) => {
      const { Client } = await import("junfeiai");
      const { registerPlayback } = await import("junfeiai/playback");
      const client = new Client({ ...given, apiKey: "sk-wrong" });
      await registerPlayback(client);
      const url = await (await client.videos.video(window.player.video.taskId)).playbackURL();
      const response = await fetch(url);
      return [response.status, (await response.text()).includes("sk-wrong")];
    }, options());
    assert.deepEqual(failed, [401, false]);
  });

  test("a worker that cannot serve this page is refused before anything is sent", async () => {
    const page = await open(browser, `${pages.origin}/deep/page`);
    const before = (await emulator.requests()).length;
    const refused = await page.evaluate(async (given) => {
      const { Client, JunFeiAIError } = await import("junfeiai");
      const { registerPlayback } = await import("junfeiai/playback");
      const client = new Client(given);
      const wrong = [
        { worker: "/other/junfeiai-playback-worker.js" }, { scope: "/other/" }, { worker: "http://127.0.0.2:9/worker.js" }, { worker: "http://[" },
        { worker: "/junfeiai/playback-worker.js", scope: "/" },
      ];
      const errors = [];
      for (const options of wrong) {
        errors.push(await registerPlayback(client, options).then(({ mode, reason }) => [mode, reason], (e) => [e instanceof JunFeiAIError, e.code, e.field, e.message]));
      }
      return [errors, (await navigator.serviceWorker.getRegistrations()).length];
    }, options());
    const [[file, scope, host, url, folder], registered] = refused;
    for (const error of refused[0]) assert.deepEqual(error.slice(0, 2), [true, "config"], String(error));
    assert.match(file[3], /scope http:\S+\/other\/ does not hold this page: put its file higher/);
    assert.match(scope[3], /does not hold this page: set scope/);
    assert.match(host[3], /must be on the page's own origin/);
    assert.match(url[3], /worker is not a URL/);
    assert.match(folder[3], /put it higher, or send it with the header Service-Worker-Allowed: \//);
    assert.deepEqual(refused[0].map(([, , field]) => field), ["worker", "scope", "worker", "worker", "scope"]);
    assert.equal(registered, 0);
    assert.equal((await emulator.requests()).length, before);
  });

  test("another service worker of the site neither answers in its place nor is taken for it", async () => {
    const text = (body) => (_, response) => { response.writeHead(200, { "Content-Type": "text/javascript" }).end(body); };
    const other = text(`addEventListener("install", () => skipWaiting()); addEventListener("activate", (event) => event.waitUntil(clients.claim()));
      addEventListener("fetch", () => {});`);
    const own = await site({ "/junfeiai/": dist, "/junfeiai-playback-worker.js": (_, response) => serveFile(response), "/app/other.js": other, "/other.js": other, "/": blank });
    const id = await emulator.add({ state: "finished", seconds: 4 });
    try {
      const found = {};
      for (const place of ["/app/", "/"]) {
        const page = await open(browser, `${own.origin}${place}page`);
        found[place] = await page.evaluate(async ([given, task, script]) => {
          const { serviceWorker } = navigator;
          await serviceWorker.register(script);
          await serviceWorker.ready;
          while (!serviceWorker.controller) await new Promise((resolve) => { setTimeout(resolve, 10); });
          const { Client } = await import("junfeiai");
          const { registerPlayback } = await import("junfeiai/playback");
          const client = new Client(given);
          const { mode, reason } = await registerPlayback(client);
          const response = await fetch(await (await client.videos.video(task)).playbackURL(), { headers: { Range: "bytes=4-7" } });
          return [mode, reason, await response.text()];
        }, [options(), id, `${place}other.js`]);
      }
      // One whose scope is nearer to the page keeps it; one of the same scope is replaced.
      assert.deepEqual([found["/app/"][0], found["/app/"][2]], ["blob", "ftyp"]);
      assert.match(found["/app/"][1], /^this page belongs to the service worker of http:\S+\/app\/: set scope/);
      assert.deepEqual(found["/"], ["worker", null, "ftyp"]);
    } finally {
      own.stop();
    }
  });

  test("without a key it plays from the server, unless an element could not ask for it", async () => {
    const seen = [];
    const { createProxyHandler, toNodeHandler } = await import("junfeiai/server");
    const handler = toNodeHandler(createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, basePath: "/api", allow: () => true }));
    const own = await site({
      "/junfeiai/": dist, "/junfeiai-playback-worker.js": (_, response) => serveFile(response), "/": blank,
      "/api/": (request, response) => {
        if (request.url.endsWith("/content")) seen.push(request.headers["x-tenant"] ?? "none");
        handler(request, response);
      },
    });
    const id = await emulator.add({ state: "finished", seconds: 4 });
    try {
      const page = await open(browser, own.origin);
      const found = await page.evaluate(async (task) => {
        const { Client } = await import("junfeiai");
        const { registerPlayback } = await import("junfeiai/playback");
        const begins = async (url) => (await (await fetch(url)).text()).slice(4, 8);
        const plain = new Client({ baseURL: "/api" });
        const video = await plain.videos.video(task);
        const known = await plain.videos.videoAt(`${location.origin}/api/videos/${task}/content`);
        const { mode, release } = await registerPlayback(plain);
        const urls = [await video.playbackURL(), await known.playbackURL()];
        const texts = [await begins(urls[0]), await begins(urls[1])];
        for (const url of urls) release(url);
        const freed = await fetch(urls[1]).then(() => "still there", () => "freed");
        const client = new Client({ baseURL: "/api", headers: { "X-Tenant": "blue" } });
        const tenant = await client.videos.video(task);
        const before = await tenant.playbackURL();
        const worker = await registerPlayback(client);
        return [mode, urls[0].endsWith(`/api/videos/${task}/content`), urls[1].startsWith("blob:"), texts, freed, await begins(before), worker.mode, await begins(await tenant.playbackURL())];
      }, id);
      assert.deepEqual(found, ["direct", true, true, ["ftyp", "ftyp"], "freed", "ftyp", "worker", "ftyp"]);
      assert.deepEqual(seen, ["none", "none", "blue", "blue"]);
    } finally {
      own.stop();
    }
  });

  test("without a worker it is a Blob, and says so", async () => {
    const id = await emulator.add({ state: "finished", seconds: 4 });
    const { page, mode } = await player(id, { worker: "/nowhere.js" });
    assert.equal(mode[0], "blob");
    assert.ok(mode[1].length > 0);
    const seen = await play(page);
    assert.ok(seen.src.startsWith("blob:"));
    assert.ok(Math.abs(await seek(page, 3) - 3) < 0.2);
  });
});

async function serveFile(response) {
  const { readFile } = await import("node:fs/promises");
  response.writeHead(200, { "Content-Type": "text/javascript" }).end(await readFile(join(dist, "playback-worker.js")));
}
