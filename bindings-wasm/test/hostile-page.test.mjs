// Hostile values in what a page loads, in the build with the module inside, in `junfeiai/playback` and in `junfeiai/testing`. The page's
// files run in Node as they are: what only a browser has is missing, and nothing else.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as inline from "junfeiai/inline";
import { registerPlayback } from "junfeiai/playback";
import { error, fakeClient, fakeTask, fakeVideo, fakeVideos, summary } from "junfeiai/testing";
import * as page from "../node_modules/junfeiai/dist/browser.js";
import { KEY, startEmulator } from "./emulator.mjs";
import { HOSTILE, NOW, Rows, callsOf, isMeant, judge, methodsOf, namesOf, trap } from "./hostile.mjs";

const home = process.cwd();
const { warn } = console;
const unhandled = [];
const unexpected = (thrown) => { unhandled.push(thrown); };
let emulator, folder;

before(async () => {
  process.on("unhandledRejection", unexpected);
  console.warn = () => undefined;
  emulator = await startEmulator();
  folder = await mkdtemp(join(tmpdir(), "junfeiai-hostile-"));
  process.chdir(folder);
});
after(async () => {
  process.off("unhandledRejection", unexpected);
  console.warn = warn;
  process.chdir(home);
  emulator.stop();
  await rm(folder, { recursive: true, force: true });
});

let sent = [];
const service = async (url, { method }) => {
  sent.push(method);
  return Response.json(method === "POST" ? { id: `task_${sent.length}`, status: "queued" } : { code: "success", data: { task_id: String(url).split("/").at(-1), status: "FAILURE", fail_reason: "no" } });
};

/** What a page has not: the call ends with that, whatever its options are. */
const ABSENT = { page: ["checkSave", "advance", "open", "save"], inline: ["checkSave", "advance", "open", "save", "key", "pending", "forget", "resolveUnknown", "reconcile", "spending", "estimate", "resumePending"] };

for (const [build, module] of Object.entries({ page, inline })) {
  describe(`hostile values in the build ${build}`, () => {
    const near = (options = {}) => new module.Client({ apiKey: KEY, baseURL: "http://127.0.0.1:1/v1", pollIntervalMs: 1, maxAttempts: 1, fetch: service, ...options });
    let client, other, task, calls;
    before(async () => {
      await module.ready();
      [client, other] = [build === "page" ? { journal: new Rows() } : {}, {}].map((options) => new module.Client({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, maxAttempts: 1, ...options }));
      task = await other.videos.create("a ball");
      await task.wait();
      const { id } = task;
      task = client.videos.task(id);
      calls = callsOf({ client, task, video: await client.videos.video(id), state: {}, id, near, folder: null });
      await emulator.forget();
    });
    async function well() {
      for (const { videos } of [client, other]) assert.equal((await videos.get(task.id)).status, "succeeded");
      assert.deepEqual((await emulator.requests()).filter(({ method }) => method === "POST"), []);
      await new Promise((resolve) => { setImmediate(resolve); });
      assert.deepEqual(unhandled, []);
    }

    for (const type of ["Client", "Videos", "Task", "Video"]) {
      test(`in every option of ${type}, and in place of them`, async () => {
        for (const name of methodsOf(module[type].prototype)) {
          const call = calls[type][name];
          if (ABSENT[build].includes(name)) {
            // In one line, whatever is given.
            for (const [kind, value] of Object.entries(HOSTILE)) assert.ok(await judge(`${name}: ${kind}`, "", () => call({ signal: value() })), name);
            continue;
          }
          for (const option of await namesOf(call)) {
            for (const [kind, value] of Object.entries(HOSTILE)) {
              sent = [];
              // Where there are no durable waits, that is the error behind options that are right.
              const isOurs = (thrown) => isMeant(option, kind)(thrown) || (name === "waitState" && thrown.code === "config");
              const refused = await judge(`${name} ${option}: ${kind}`, option, () => call({ [option]: value() }), { now: NOW.includes(name), isOurs });
              if (refused && !isMeant(option, kind)(refused)) assert.deepEqual(sent, [], `${name} ${option}: ${kind} sent something`);
            }
          }
        }
        await well();
      });
    }

    test("in every option of a client", async () => {
      for (const option of module.__options.CLIENT) {
        const more = { requestBurst: { requestRate: 5 }, endpoint: { baseURL: undefined }, endpoints: { baseURL: undefined } }[option];
        for (const [kind, value] of Object.entries(HOSTILE)) {
          sent = [];
          const what = `${option}: ${kind}`;
          // A page judges what only the module knows with the first call. What the service is to blame for is none of the option's.
          await judge(what, option, async () => near({ ...more, [option]: value() }).videos.get("task_1"), { isOurs: ({ code }) => code === "timeout" || (option === "fetch" && code === "connection") });
          assert.ok(!sent.includes("POST"), what);
        }
      }
      await well();
    });
  });
}

describe("junfeiai/playback", () => {
  test("names what is wrong, and needs no service worker for that", async () => {
    const client = new page.Client({ apiKey: KEY, baseURL: "http://127.0.0.1:1/v1", fetch: service });
    const playback = await registerPlayback(client);
    const video = await client.videos.video("task_1");
    assert.deepEqual(await namesOf((options) => registerPlayback(client, options)), ["worker", "scope"]);
    for (const [kind, value] of Object.entries(HOSTILE)) {
      assert.ok(await judge(`client: ${kind}`, "client", () => registerPlayback(value())), kind);
      await judge(`options: ${kind}`, "option", () => registerPlayback(client, value()));
      for (const option of ["worker", "scope"]) await judge(`${option}: ${kind}`, option, () => registerPlayback(client, { [option]: value() }));
      assert.ok(await judge(`video: ${kind}`, "video", () => playback.url(value())), kind);
      // There is no such video: that is found out behind the options.
      await judge(`signal: ${kind}`, "signal", () => playback.url(video, { signal: value() }), { isOurs: ({ code }) => !["invalid_request", "internal"].includes(code) });
      await judge(`release: ${kind}`, "url", () => playback.release(value()), { now: true });
    }
  });
});

describe("junfeiai/testing", () => {
  /** A mistake of the test's: a `TypeError` that names it, or what a getter of its own throws. */
  const mistake = (field) => (thrown) => (thrown instanceof TypeError && thrown.message.includes(field)) || thrown instanceof RangeError;

  test("names what is wrong of an error, and no value stops the module", async () => {
    const real = new inline.Client({ apiKey: KEY, baseURL: "http://127.0.0.1:1/v1", fetch: service });
    const task = real.videos.task("task_1");
    const attributes = ["message", "phase", "status", "serverCode", "serverMessage", "requestId", "taskId", "taskIds", "lastStatus", "field", "retryAfterMs", "attempts", "maybeExecuted", "transient"];
    assert.throws(() => error("io", { zzz: 1 }), (thrown) => { assert.deepEqual(thrown.message.split("there are ")[1].split(", ").sort(), [...attributes, "cause"].sort()); return true; });
    for (const [kind, value] of Object.entries(HOSTILE)) {
      await judge(`kind: ${kind}`, "", () => { error(value()); }, { now: true, isOurs: mistake("kind of") });
      await judge(`attributes: ${kind}`, "", () => { error("io", value()); }, { now: true, isOurs: mistake("attribute") });
      for (const name of attributes) await judge(`${name}: ${kind}`, name, () => { JSON.stringify(error("io", { [name]: value() })); }, { now: true, isOurs: mistake(name) });
      error("io", { cause: value() });
    }
    // Neither module was started over: what was made before is as good as before.
    assert.equal((await task.refresh()).id, "task_1");
    assert.equal(error("io", { message: "this happened" }).code, "io");
  });

  test("names what is wrong of a fake", async () => {
    const made = {
      results: (value) => fakeClient(value), options: (value) => fakeClient({}, value), statuses: (value) => fakeVideos({}, { statuses: value }), content: (value) => fakeVideos({}, { content: value }),
      attributes: (value) => fakeTask(value), status: (value) => fakeTask({ status: value }), id: (value) => fakeTask({ id: value }), "of a video": (value) => fakeVideo(value),
      taskId: (value) => fakeVideo({ taskId: value }), url: (value) => fakeVideo({ url: value }), "of a summary": (value) => summary(value),
    };
    for (const [what, make] of Object.entries(made)) {
      for (const [kind, value] of Object.entries(HOSTILE)) {
        const words = { results: /result|method/, options: /option/, attributes: /attribute/, "of a video": /video/, "of a summary": /summary/ }[what] ?? new RegExp(what);
        await judge(`${what}: ${kind}`, "", () => { make(value()); }, { now: true, isOurs: (thrown) => (thrown instanceof TypeError && words.test(thrown.message)) || thrown instanceof RangeError });
      }
    }
    assert.throws(() => fakeClient({}, { status: ["failed"] }), /no option status; there are statuses, content/);
  });

  test("a fake judges as the real one does", async () => {
    const client = fakeClient();
    const calls = callsOf({ client, task: fakeTask({ status: "succeeded" }), video: fakeVideo(), state: { task_id: "task_1" }, id: "task_1", near: () => client, folder: "pending" });
    for (const type of ["Client", "Videos", "Task", "Video"]) {
      for (const [name, call] of Object.entries(calls[type])) {
        for (const option of await namesOf(call)) {
          for (const [kind, value] of Object.entries(HOSTILE)) {
            const isOwn = (thrown) => /^on[A-Z]/.test(option) && (thrown instanceof RangeError || thrown instanceof TypeError);
            await judge(`${name} ${option}: ${kind}`, option, () => call({ [option]: value() }), { now: NOW.includes(name), isOurs: (thrown) => isMeant(option, kind)(thrown) || isOwn(thrown) });
          }
          await judge(`${name} ${option}: a getter`, option, () => call(Object.defineProperty({}, option, { enumerable: true, get: trap })), { now: NOW.includes(name) });
        }
      }
    }
    assert.deepEqual(unhandled, []);
  });
});
