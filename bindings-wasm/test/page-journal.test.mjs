// The journal of a page, in Chromium and Firefox: its store, and what tabs, workers, reloads and closed tabs make of it; and create requests that
// these engines themselves send again.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { join } from "node:path";
import { build } from "esbuild";
import { blank, launch, site } from "./browser.mjs";
import { KEY, root, startEmulator } from "./emulator.mjs";
import { HANG, launchFirefox, missing } from "./engines.mjs";

const dist = join(root, "target/npm/package/dist");
let emulator, pages;

before(async () => {
  const { outputFiles: [store] } = await build({
    entryPoints: [join(import.meta.dirname, "../ts/indexeddb-store.ts")], bundle: true, format: "esm", target: "es2022", write: false, logLevel: "error",
  });
  const worker = await readFile(join(dist, "playback-worker.js"));
  emulator = await startEmulator();
  pages = await site({
    "/junfeiai/": dist,
    "/junfeiai-playback-worker.js": (_, response) => { response.writeHead(200, { "Content-Type": "text/javascript" }).end(worker); },
    "/store.js": (_, response) => { response.writeHead(200, { "Content-Type": "text/javascript" }).end(store.contents); },
    "/": blank,
  });
});
after(() => {
  emulator?.stop();
  pages?.stop();
});

const posts = async () => (await emulator.requests()).filter((r) => r.method === "POST").length;
const options = (more) => ({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, dangerouslyAllowBrowser: true, journal: "films", ...more });
/** Waits until this is so. */
async function until(what) {
  const end = Date.now() + HANG;
  while (!(await what())) {
    if (Date.now() > end) throw new Error(`this did not come true: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

const ENGINES = {
  chromium: { start: launch, context: (browser) => browser.newContext() },
  firefox: { start: launchFirefox, context: (browser) => browser.createBrowserContext() },
};

for (const [name, { start, context: contextOf }] of Object.entries(ENGINES)) {
  describe(name, { skip: missing[name] }, () => {
    let browser, context;
    before(async () => { browser = await start(); });
    after(() => browser?.close());
    beforeEach(async () => {
      await emulator.reset();
      await emulator.forget();
      // Each test has storage of its own, which its tabs share.
      await context?.close();
      context = await contextOf(browser);
    });

    /** A tab of this test's. */
    async function tab() {
      const page = await context.newPage();
      page.setDefaultTimeout(HANG);
      await page.goto(pages.origin);
      return page;
    }
    /** A tab with a client: what is sent to a page has to be plain. */
    async function withClient(more) {
      const page = await tab();
      await page.evaluate(async (given) => {
        const { Client } = await import("junfeiai");
        globalThis.client = new Client(given);
        globalThis.all = async (steps) => {
          const found = [];
          for await (const { taskId, video, error } of steps) found.push([taskId, video ? (await video.bytes()).length : null, error?.code ?? null]);
          return found;
        };
      }, options(more));
      return page;
    }
    /** What a create request in this tab ends with. */
    const refusal = (page, request = "a ball") => page.evaluate((given) =>
      client.videos.create(given).then(() => "created", ({ code, field, maybeExecuted, message }) => ({ code, field, maybeExecuted, message })), request);

    test("a create that the browser sends again is paid for once behind a proxy handler", async () => {
      const { createProxyHandler, toNodeHandler } = await import("junfeiai/server");
      const handler = toNodeHandler(createProxyHandler({ apiKey: KEY, baseURL: emulator.baseURL, basePath: "/api", allow: () => true }));
      let arrived = 0;
      const own = await site({
        "/junfeiai/": dist, "/": blank,
        "/api/": (request, response) => {
          // The second is carried out; its connection, which was kept from the first, closes without an answer.
          const swallow = request.method === "POST" && (arrived += 1) === 2;
          if (!swallow) return void handler(request, response);
          const nowhere = { writeHead() {}, write: () => true, end() { request.socket.destroy(); }, destroy() {}, once() {}, writableEnded: true, destroyed: false };
          return void handler(request, nowhere);
        },
      });
      try {
        const page = await context.newPage();
        await page.goto(own.origin);
        const ids = await page.evaluate(async () => {
          const { Client } = await import("junfeiai");
          const { videos } = new Client({ baseURL: "/api" });
          return [(await videos.create("a ball")).id, (await videos.create("another ball")).id];
        });
        assert.equal(arrived, 3, "it was sent again");
        const posts = (await emulator.requests()).filter((r) => r.method === "POST");
        assert.equal(posts.length, 2);
        for (const id of ids) assert.ok((await emulator.video(id)).length > 0);
      } finally {
        own.stop();
      }
    });

    test("a client that is disposed sends nothing more, nor from the module that was replaced", async () => {
      const page = await tab();
      const { sent, codes } = await page.evaluate(async (given) => {
        const { Client } = await import("junfeiai");
        const answer = (data) => new Response(JSON.stringify(data), { headers: { "content-type": "application/json" } });
        let [sent, first] = [0, undefined];
        const fetch = async (_, { method }) => {
          if (method !== "POST") return answer({ code: "success", data: { task_id: "task_1", status: "IN_PROGRESS" } });
          sent += 1;
          return new Promise((resolve) => { first ??= () => { resolve(answer({ id: "task_1", status: "queued" })); }; });
        };
        const { journal, ...without } = given;
        const client = new Client({ ...without, fetch, maxInFlightCreates: 1 });
        const creates = ["a", "b", "c"].map((prompt) => client.videos.create(prompt).then(({ id }) => id, ({ code }) => code));
        while (!first) await new Promise((resolve) => { setTimeout(resolve, 5); });
        // Its module takes the place of the first one.
        await new Client({ ...without, journal }).videos.pending();
        await client.videos.get("task_1");
        client[Symbol.dispose]();
        first();
        return { codes: await Promise.all(creates), sent };
      }, options());
      assert.deepEqual([sent, codes], [1, ["task_1", "cancelled", "cancelled"]]);
    });

    describe("the store", () => {
      /** A tab with the store as `store`. */
      async function withStore(called = "rows") {
        const page = await tab();
        await page.evaluate(async (given) => {
          const { IndexedDbStore } = await import("/store.js");
          globalThis.store = new IndexedDbStore(given);
        }, called);
        return page;
      }

      test("compares and sets, durably, and a version never comes back", async () => {
        const [page, other] = [await withStore(), await withStore()];
        const found = await page.evaluate(async () => {
          const asked = [];
          const { transaction } = IDBDatabase.prototype;
          IDBDatabase.prototype.transaction = function (names, mode, how) {
            asked.push([mode, how?.durability]);
            return transaction.call(this, names, mode, how);
          };
          const text = "line 1\nline \"2\" \\ 视频 🎬";
          const empty = await store.load("a");
          const first = await store.swap("a", null, text);
          return {
            empty, first, text, asked, row: await store.load("a"),
            refused: [await store.swap("a", null, "b"), await store.swap("a", first + 1, "b"), await store.swap("b", first, "b")],
          };
        });
        assert.equal(found.empty, null);
        assert.ok(found.first >= 1);
        assert.deepEqual(found.row, { value: found.text, version: found.first });
        assert.deepEqual(found.refused, [null, null, null]);
        assert.deepEqual(new Set(found.asked.filter(([mode]) => mode === "readwrite").map(([, durability]) => durability)), new Set(["strict"]));
        // Another tab has the same rows.
        const second = await other.evaluate((version) => store.swap("a", version, ""), found.first);
        assert.ok(second > found.first);
        const rest = await page.evaluate(async ([first, second]) => {
          const late = await store.swap("a", first, "late");
          const row = await store.load("a");
          const removed = await store.swap("a", second, null);
          return { late, row, removed, gone: await store.load("a"), again: await store.swap("a", null, "again"), old: await store.swap("a", first, "late") };
        }, [found.first, second]);
        assert.deepEqual([rest.late, rest.row, rest.gone, rest.old], [null, { value: "", version: second }, null, null]);
        assert.ok(rest.removed > second && rest.again > rest.removed);
      });

      test("finds rows by the beginning of their names", async () => {
        const page = await withStore();
        const found = await page.evaluate(async () => {
          for (const row of ["c/1", "c/2", "c%", "c0", "d/1", "C/1"]) await store.swap(row, null, `value of ${row}`);
          return [(await store.scan("c/")).map(({ name, value }) => [name, value]), await store.scan("e/"), (await store.scan("")).length];
        });
        assert.deepEqual(found, [[["c/1", "value of c/1"], ["c/2", "value of c/2"]], [], 6]);
      });

      test("of many writers in two tabs one is first, and no write is lost", async () => {
        const tabs = [await withStore(), await withStore()];
        await tabs[0].evaluate(() => store.swap("count", null, "0"));
        const work = async () => {
          const firsts = await Promise.all(Array.from({ length: 10 }, () => store.swap("race", null, "x")));
          const raise = async () => {
            for (;;) {
              const { value, version } = await store.load("count");
              if ((await store.swap("count", version, String(Number(value) + 1))) !== null) return;
            }
          };
          await Promise.all(Array.from({ length: 10 }, raise));
          return firsts.filter((version) => version !== null).length;
        };
        const [one, other] = await Promise.all(tabs.map((page) => page.evaluate(work)));
        assert.equal(one + other, 1);
        assert.equal((await tabs[0].evaluate(() => store.load("count"))).value, "20");
      });

      test("says in a line why nothing can be written, and gives way to a newer version", async () => {
        const page = await withStore();
        const said = await page.evaluate(async () => {
          const message = (promise) => promise.then(() => "it was carried out", (error) => error.message);
          const open = (name, form, made) => new Promise((resolve, reject) => {
            const request = indexedDB.open(`junfeiai-journal:${name}`, form);
            request.onupgradeneeded = () => made?.(request.result);
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
          });
          const { IndexedDbStore } = await import("/store.js");
          const said = {};
          const { put } = IDBObjectStore.prototype;
          IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); };
          said.full = await message(store.swap("a", null, "x"));
          IDBObjectStore.prototype.put = function (...row) { put.apply(this, row); if (row.length > 1 && row[1] === "a") this.transaction.abort(); };
          said.aborted = await message(store.swap("a", null, "x"));
          IDBObjectStore.prototype.put = put;
          said.left = await store.load("a");
          (await open("other", 1, (database) => database.createObjectStore("films"))).close();
          said.other = await message(new IndexedDbStore("other").load("a"));
          // A newer version opens it with a higher number: the connection that is open is closed for it.
          (await open("rows", 2)).close();
          said.newer = await message(store.load("a"));
          return said;
        });
        assert.match(said.full, /may not store any more: free some space/);
        assert.match(said.aborted, /abort/i);
        assert.equal(said.left, null, "nothing was written");
        assert.match(said.other, /was not made by this library: give the journal another name/);
        assert.match(said.newer, /newer version of this library: load the page again/);
      });

      test("does not write later what was given up because another tab was in the way", async () => {
        const page = await withStore();
        const found = await page.evaluate(async () => {
          const before = await store.swap("a", null, "x");
          // A tab that is at it, and does not end.
          const database = await new Promise((resolve) => { indexedDB.open("junfeiai-journal:rows").onsuccess = ({ target }) => { resolve(target.result); }; });
          let busy = true;
          const rows = database.transaction(["rows", "numbers"], "readwrite").objectStore("rows");
          const again = () => { if (busy) rows.get("z").onsuccess = again; };
          again();
          const wait = setTimeout;
          globalThis.setTimeout = (work, ms, ...rest) => wait(work, ms / 100, ...rest);
          const given = store.swap("a", before, "y").then((version) => `version ${version}`, ({ message }) => message);
          const said = await Promise.race([given, new Promise((resolve) => { wait(resolve, 30_000, "it still waits"); })]);
          busy = false;
          globalThis.setTimeout = wait;
          return [said, await store.load("a"), before, (await store.swap("a", before, "z")) > before];
        });
        assert.match(found[0], /^it was not done within 9 s: close the other tabs of this site/);
        assert.deepEqual(found[1], { value: "x", version: found[2] });
        assert.equal(found[3], true);
      });

      test("does not begin anew what was deleted while it is in use", async () => {
        const page = await withStore();
        const found = await page.evaluate(async () => {
          await store.swap("a", null, "x");
          await new Promise((resolve, reject) => {
            const request = indexedDB.deleteDatabase("junfeiai-journal:rows");
            request.onsuccess = resolve;
            request.onerror = () => reject(request.error);
          });
          const said = [];
          for (const again of [() => store.load("a"), () => store.swap("a", null, "y"), () => store.scan("")]) said.push(await again().then(() => "done", (error) => error.message));
          return [said, (await indexedDB.databases()).some(({ name }) => name === "junfeiai-journal:rows")];
        });
        // Begun anew it would know nothing of what was paid for.
        assert.deepEqual(found, [Array(3).fill("it was deleted while it is in use: make a new client, which begins another"), false]);
      });
    });

    describe("a page with a journal", () => {
      test("notes a create request before it is sent, and one key in two tabs at once is one task", async () => {
        const tabs = [await withClient(), await withClient()];
        const request = { prompt: "a ball", seconds: 6, key: "film/1" };
        const tasks = await Promise.all([...tabs, ...tabs].map((page) => page.evaluate(async (given) => {
          const { id, reused } = await client.videos.create(given);
          return { id, reused };
        }, request)));
        assert.equal(new Set(tasks.map(({ id }) => id)).size, 1);
        assert.equal(tasks.filter(({ reused }) => !reused).length, 1);
        assert.equal(await posts(), 1);
        const found = await tabs[1].evaluate(async () => {
          const { key, state, attempt, taskId } = await client.videos.key("film/1");
          const [{ kind, prompt }] = await client.videos.pending();
          const conflict = await client.videos.create({ prompt: "a ball", seconds: 8, key: "film/1" }).catch(({ code }) => code);
          const rows = await new Promise((resolve) => {
            indexedDB.open("junfeiai-journal:films").onsuccess = ({ target: { result } }) => {
              result.transaction("rows").objectStore("rows").getAll().onsuccess = (event) => resolve(JSON.stringify(event.target.result));
            };
          });
          return { key, state, attempt, taskId, kind, prompt, conflict, rows, unknown: await client.videos.key("film/2") };
        });
        assert.deepEqual(
          [found.key, found.state, found.attempt, found.taskId, found.kind, found.prompt, found.conflict, found.unknown],
          ["film/1", "created", 1, tasks[0].id, "task", null, "idempotency_conflict", null],
        );
        assert.ok(found.rows.includes(tasks[0].id) && !found.rows.includes(KEY) && !found.rows.includes("a ball"));
        assert.equal(await posts(), 1);
      });

      test("continues after a reload: one create request, its video, and off the list when it is forgotten", async () => {
        const page = await withClient();
        const id = await page.evaluate(async () => (await client.videos.create("a ball")).id);
        await page.close();
        const later = await withClient();
        const length = (await emulator.video(id)).length;
        assert.deepEqual(await later.evaluate(() => all(client.videos.resumePending())), [[id, length, null]]);
        // What was waited for is pending until it is forgotten.
        assert.deepEqual(await later.evaluate(async () => (await client.videos.pending()).map(({ taskId, state }) => [taskId, state])), [[id, "succeeded"]]);
        assert.deepEqual(await later.evaluate((given) => client.videos.forget(given), id), true);
        assert.deepEqual(await later.evaluate(() => all(client.videos.resumePending())), []);
        assert.equal(await posts(), 1);
        const folder = await later.evaluate(() => all(client.videos.resumePending("videos")).catch(({ code, field }) => [code, field]));
        assert.deepEqual(folder, ["invalid_request", "folder"]);
      });

      test("a task is resumed in one tab at a time, and by another one when that tab is closed", async () => {
        const [one, other] = [await withClient(), await withClient()];
        const ids = await one.evaluate(async () => [(await client.videos.create("a")).id, (await client.videos.create("b")).id]);
        const work = () => {
          globalThis.steps = client.videos.resumePending();
          return steps.next().then(({ value }) => value?.taskId ?? null);
        };
        const first = await one.evaluate(work);
        assert.ok(ids.includes(first));
        assert.equal(await other.evaluate(work), null, "both are in the hands of the first tab");
        await one.close();
        // The browser releases what the tab held when it has ended it.
        let found = [];
        await until(async () => (found = [...found, ...await other.evaluate(() => all(client.videos.resumePending()))]).length > 0);
        await until(async () => {
          const left = await other.evaluate(async () => (await client.videos.pending()).map(({ taskId }) => taskId));
          for (const id of left.filter((each) => found.some(([taken]) => taken === each))) await other.evaluate((given) => client.videos.forget(given), id);
          found = [...found, ...await other.evaluate(() => all(client.videos.resumePending()))];
          return (await other.evaluate(() => client.videos.pending())).length === 0;
        });
        assert.deepEqual([...new Set(found.map(([id]) => id))].sort(), [...ids].sort());
        assert.deepEqual(found.filter(([, length, error]) => length === null || error !== null), []);
        assert.equal(await posts(), 2);
      });

      test("a tab that is closed while it sends leaves an entry without an outcome", async () => {
        const [sender, other] = [await withClient(), await withClient()];
        await emulator.scenario({ api: { create_latency_ms: 600_000 } });
        await sender.evaluate(() => { client.videos.create({ prompt: "a ball", key: "film/1" }).catch(() => undefined); });
        await until(async () => (await posts()) === 1);
        assert.deepEqual(await other.evaluate(() => client.videos.pending()), [], "its tab is there: it may still get its answer");
        await sender.close();
        await until(async () => (await other.evaluate(() => client.videos.pending())).length === 1);
        const found = await other.evaluate(async () => {
          const [{ kind, reason, key, intent }] = await client.videos.pending();
          const again = await client.videos.create({ prompt: "a ball", key: "film/1" }).catch(({ code, maybeExecuted }) => [code, maybeExecuted]);
          return { kind, reason, key, again, resolved: await client.videos.resolveUnknown(intent), left: await client.videos.pending() };
        });
        assert.deepEqual(found, { kind: "unknown", reason: "crashed", key: "film/1", again: ["create_outcome_unknown", true], resolved: true, left: [] });
        assert.equal(await posts(), 1, "nothing was sent again");
      });

      test("a worker shares it with its page", async () => {
        const page = await withClient();
        const found = await page.evaluate(async ([given, origin]) => {
          const code = `import { Client } from "${origin}/junfeiai/browser.js";
            const client = new Client(${JSON.stringify(given)});
            postMessage((await client.videos.create({ prompt: "a ball", key: "film/1" })).id);`;
          const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
          const id = await new Promise((resolve, reject) => { worker.onmessage = ({ data }) => resolve(data); worker.onerror = ({ message }) => reject(new Error(message)); });
          const { id: again, reused } = await client.videos.create({ prompt: "a ball", key: "film/1" });
          return [id === again, reused];
        }, [options(), pages.origin]);
        assert.deepEqual(found, [true, true]);
        assert.equal(await posts(), 1);
      });

      test("counts what a day costs, and says before what a video will cost", async () => {
        const page = await withClient({ budget: 0.5 });
        const found = await page.evaluate(async () => {
          const { usd, certainty } = await client.videos.estimate({ prompt: "a ball", seconds: 6 });
          await (await client.videos.create({ prompt: "a ball", seconds: 6 })).wait();
          const refused = await client.videos.create({ prompt: "a ball", seconds: 6 }).catch(({ code, field }) => [code, field]);
          const [{ creates, chargedUSD }] = await client.videos.spending();
          return { usd, certainty, refused, creates, chargedUSD, unknown: await client.videos.reconcile() };
        });
        assert.deepEqual(found, {
          usd: 0.3, certainty: "default_group", refused: ["invalid_request", "budget"], creates: 1, chargedUSD: 0.3, unknown: { entries: [], retryAfterMs: null },
        });
        assert.equal(await posts(), 1);
      });

      test("takes a store of the page's own, and refuses what is none", async () => {
        const page = await withClient({ journal: undefined });
        const found = await page.evaluate(async (given) => {
          const { Client } = await import("junfeiai");
          const { IndexedDbStore } = await import("/store.js");
          const client = new Client({ ...given, journal: new IndexedDbStore("mine") });
          const { id } = await client.videos.create({ prompt: "a ball", key: "film/1" });
          const refused = [];
          for (const journal of [true, 5, "", "postgres://user:secret@host/films", { load() {} }]) {
            refused.push(await Promise.resolve().then(() => new Client({ ...given, journal }).videos.create("a ball")).then(() => "created", ({ code, field, message }) => [code, field, message]));
          }
          Object.defineProperty(navigator, "locks", { value: undefined });
          const resumed = await all(client.videos.resumePending());
          return { known: (await client.videos.key("film/1")).taskId === id, refused, resumed: resumed.map(([taskId, , error]) => [taskId === id, error]) };
        }, options());
        assert.deepEqual([found.known, found.resumed], [true, [[true, null]]]);
        for (const [code, field, message] of found.refused) {
          assert.deepEqual([code, field], ["config", "journal"], message);
          assert.doesNotMatch(message, /secret/);
        }
        assert.equal(await posts(), 1);
      });

      test("sends nothing where the journal cannot be kept", async () => {
        const broken = {
          "no IndexedDB": [/allow this site to store data/, () => { Object.defineProperty(globalThis, "indexedDB", { value: undefined }); }],
          "no Web Locks": [/need https or localhost/, () => { Object.defineProperty(navigator, "locks", { value: undefined }); }],
          "no room": [/nothing was sent.*may not store any more/, () => { IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); }; }],
          "a newer version": [/nothing was sent.*newer version/, () => new Promise((resolve) => {
            indexedDB.open("junfeiai-journal:films", 2).onsuccess = ({ target }) => resolve(target.result.close());
          })],
        };
        for (const [what, [text, prepare]] of Object.entries(broken)) {
          const page = await withClient();
          await page.evaluate(prepare);
          const { code, field, maybeExecuted, message } = await refusal(page);
          assert.deepEqual([code, maybeExecuted], ["journal", false], `${what}: ${message}`);
          assert.match(message, text, what);
          if (field !== null) assert.equal(field, "journal");
          await page.close();
        }
        assert.equal(await posts(), 0);
      });
    });

    describe("the files", () => {
      test("a page without a journal loads nothing of it, and one with it loads nothing else", async () => {
        const files = (page) => page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name.split("/").at(-1)).filter((each) => /^page-journal|wasm$/.test(each)));
        const plain = await withClient({ journal: undefined });
        await plain.evaluate(async () => { await (await client.videos.create("a ball")).wait(); });
        assert.deepEqual(await files(plain), ["junfeiai-page.wasm"]);
        for (const [call, ...given] of [["pending"], ["key", "k"], ["estimate", "a ball"]]) {
          assert.equal(await plain.evaluate(([name, values]) => client.videos[name](...values).catch(({ code }) => code), [call, given]), "config", call);
        }
        const page = await withClient();
        assert.equal(await page.evaluate(() => { try { return client.endpoint; } catch ({ code }) { return code; } }), "config", "it is not loaded yet");
        const found = await page.evaluate(async () => {
          const { ready } = await import("junfeiai");
          await ready();
          const { endpoint } = client;
          const video = await (await client.videos.create("a ball")).wait();
          return [endpoint, (await video.bytes()).length > 0, (await client.models()).length > 0];
        });
        assert.deepEqual(found, [emulator.baseURL, true, true]);
        assert.deepEqual(await files(page), ["page-journal.js", "junfeiai-page-journal.wasm"]);
      });

      test("a client without a journal continues when one with a journal comes, and both play their videos", async () => {
        const page = await withClient({ journal: undefined });
        await emulator.scenario({ api: { create_latency_ms: 300 } });
        const found = await page.evaluate(async (given) => {
          const { Client, JunFeiAIError } = await import("junfeiai");
          const first = await client.videos.create("a ball");
          const under = client.videos.create("a second ball");
          const waiting = first.wait();
          const keeps = new Client(given);
          const noted = await keeps.videos.create("a third ball");
          const later = await client.videos.create("a fourth ball");
          const error = await keeps.videos.create({ prompt: "x", seconds: 99 }).catch((thrown) => [thrown instanceof JunFeiAIError, thrown.code]);
          const videos = [await waiting, await (await under).wait(), await noted.wait(), await later.wait(), await first.wait()];
          const sizes = [];
          for (const video of videos) sizes.push((await video.bytes()).length > 0);
          return { sizes, error, pending: (await keeps.videos.pending()).map(({ taskId }) => taskId === noted.id) };
        }, options());
        assert.deepEqual(found, { sizes: [true, true, true, true, true], error: [true, "invalid_request"], pending: [true] });
        assert.equal(await posts(), 4);
      });

      test("a client without a journal continues where that of another one cannot be loaded", async () => {
        const page = await withClient({ journal: undefined });
        const found = await page.evaluate(async (given) => {
          const { Client } = await import("junfeiai");
          const task = await client.videos.create("a ball");
          const fetched = globalThis.fetch;
          globalThis.fetch = (input, ...rest) => (String(input).endsWith("page-journal.wasm") ? Promise.resolve(new Response("no module", { headers: { "Content-Type": "application/wasm" } })) : fetched(input, ...rest));
          const keeps = new Client(given);
          const size = (await (await task.wait()).bytes()).length;
          const models = (await client.models()).length;
          const refused = await keeps.videos.create("a ball").then(() => "created", ({ code }) => code);
          const second = (await client.videos.create("a ball")).status;
          globalThis.fetch = fetched;
          return [size > 0, models > 0, refused, second, (await keeps.videos.create("a ball")).status, (await (await task.wait()).bytes()).length === size];
        }, options());
        assert.deepEqual(found, [true, true, "config", "queued", "queued", true]);
        assert.equal(await posts(), 3);
      });

      test("plays through the service worker, which is told nothing of the journal", async () => {
        const page = await withClient({ budget: 5 });
        const found = await page.evaluate(async () => {
          const { registerPlayback } = await import("junfeiai/playback");
          const { mode } = await registerPlayback(client, { worker: "/junfeiai-playback-worker.js" });
          const video = await (await client.videos.create("a ball")).wait();
          const response = await fetch(await video.playbackURL(), { headers: { Range: "bytes=4-7" } });
          return [mode, response.status, await response.text()];
        });
        assert.deepEqual(found, ["worker", 206, "ftyp"]);
      });

      test("a part that did not come is asked for again with the next call, and nothing is sent before", async () => {
        const page = await tab();
        const found = await page.evaluate(async (given) => {
          const { Client } = await import("junfeiai");
          const fetched = globalThis.fetch;
          globalThis.fetch = (input, ...rest) => (String(input).endsWith("page-journal.wasm") ? Promise.resolve(new Response("no module", { headers: { "Content-Type": "application/wasm" } })) : fetched(input, ...rest));
          const { videos } = new Client(given);
          const first = await videos.create("a ball").then(() => "created", ({ code, field }) => [code, field]);
          globalThis.fetch = (input, ...rest) => (String(input).endsWith("page-journal.wasm") ? new Promise(() => {}) : fetched(input, ...rest));
          const waiting = [{ signal: AbortSignal.timeout(50) }, { stopSignal: AbortSignal.timeout(50) }].map((options) => videos.create("a ball", options).catch(({ code }) => code));
          const pending = await videos.pending({ signal: AbortSignal.timeout(50) }).catch(({ code }) => code);
          return [first, ...await Promise.all(waiting), pending];
        }, options());
        assert.deepEqual(found, [["config", "wasm"], "cancelled", "cancelled", "cancelled"]);
        const later = await (await withClient()).evaluate(async () => (await client.videos.create("a ball")).status);
        assert.equal(later, "queued");
        assert.equal(await posts(), 1);
      });
    });
  });
}
