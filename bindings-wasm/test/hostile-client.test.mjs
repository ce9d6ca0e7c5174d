// Hostile values in the options of a client, in requests and in arguments, on Node's own transport: refused by name before anything is
// sent, or of no harm.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { Client } from "junfeiai";
import { HOSTILE, Rows, closed, drain, judge, optionsOf, stage, trap } from "./hostile.mjs";

const { __options } = createRequire(import.meta.url)("junfeiai");

let stand;
before(async () => { stand = await stage(); });
after(() => stand.end());

describe("hostile values", () => {
  test("in every field of a request, and in place of it", async () => {
    const free = (request) => stand.videos.estimate(request);
    const paid = (request) => stand.near().videos.create(request);
    for (const call of [free, paid]) {
      for (const [kind, value] of Object.entries(HOSTILE)) {
        for (const field of optionsOf("request")) {
          stand.sent.length = 0;
          const named = field === "key" || field === "retryFailed" ? /key|journal|retryFailed/ : new RegExp(field);
          const error = await judge(`${field}: ${kind}`, "", () => call({ prompt: "a ball", [field]: value() }));
          if (!error) continue;
          assert.match(`${error.field} ${error.message}`, named, `${field}: ${kind}`);
          assert.deepEqual(stand.sent, [], `${field}: ${kind} sent something`);
        }
        await judge(`extra: ${kind}`, "extra", () => call({ prompt: "a ball", extra: { deep: [value()] } }));
        await judge(`request: ${kind}`, /^(nul|lines|lone|long|empty|nothing)$/.test(kind) ? "prompt" : "", () => call(value()));
      }
      for (const field of optionsOf("request")) {
        const error = await judge(`${field}: a getter`, field, () => call(Object.defineProperty({ prompt: "a ball" }, field, { enumerable: true, get: trap })));
        assert.equal(error?.field, field);
      }
    }
    await stand.well();
  });

  test("as arguments", async () => {
    const arguments_ = {
      "get taskId": (value) => stand.videos.get(value).catch((error) => { if (error.code !== "not_found") throw error; }), "task taskId": (value) => stand.videos.task(value), "video taskId": (value) => stand.videos.video(value),
      "forget taskId": (value) => stand.videos.forget(value), "resolveUnknown intent": (value) => stand.videos.resolveUnknown(value), "resolveUnknown taskId": (value) => stand.videos.resolveUnknown("00", value),
      "spending since": (value) => stand.videos.spending(value), "key key": (value) => stand.videos.key(value), "asCompleted ids": (value) => drain(stand.videos.asCompleted(value)), "asCompleted, each, ids": (value) => drain(stand.videos.asCompleted([value])),
      "video url": (value) => stand.videos.video(stand.task.id, value), "videoAt url": (value) => stand.videos.videoAt(value), "advance state": (value) => stand.videos.advance(value), "resumePending folder": (value) => drain(stand.videos.resumePending(value)),
      "checkSave path": (value) => stand.videos.checkSave(value), "save path": (value) => stand.video.save(value, { overwrite: true }), "response range": (value) => closed(stand.video.response(value)),
      "response, headers, range": (value) => closed(stand.video.response({ headers: value })), "response, header, range": (value) => closed(stand.video.response({ headers: { range: value } })),
      "readRange start": (value) => stand.video.readRange(value, 9), "readRange end": (value) => stand.video.readRange(0, value).catch((error) => { if (error.field !== "range") throw error; }),
      "read position": (value) => stand.reader.read(value, 4), "read length": (value) => stand.reader.read(0, value),
    };
    for (const [name, call] of Object.entries(arguments_)) {
      const field = name.split(" ").at(-1);
      for (const [kind, value] of Object.entries(HOSTILE)) {
        // It is read up to there, if need be.
        if (name === "readRange start" && kind === "beyond") continue;
        await judge(`${name}: ${kind}`, field, () => call(value()), { now: name.startsWith("task ") });
      }
    }
    for (const [kind, value] of Object.entries(HOSTILE)) {
      const error = await judge(`a field of the state: ${kind}`, "", () => stand.videos.advance({ ...stand.state, deadline: value() }));
      if (!error) continue;
      assert.match(error.message, /deadline|^state must be/);
      assert.equal(error.taskId, stand.task.id, kind);
    }
    await stand.well();
  });

  test("in every option of a client", async () => {
    const CUSTOM = { proxy: true, caFile: true };
    for (const option of __options.CLIENT) {
      // What else an option needs.
      const more = { requestBurst: { requestRate: 5 }, logLevel: { log: () => undefined }, budget: { journal: new Rows() }, endpoint: { baseURL: undefined }, endpoints: { baseURL: undefined } }[option];
      for (const [kind, value] of Object.entries(HOSTILE)) {
        stand.sent.length = 0;
        const what = `${option}: ${kind}`;
        let made;
        const make = () => { made = stand.near({ ...(CUSTOM[option] && { fetch: undefined }), ...more, [option]: value() }); };
        const error = await judge(what, option, make, { now: true });
        if (error) assert.equal(error.code === "journal" || error.field === option, true, `${what}: ${error.field}`);
        // What a name of a host or a proxy leads to is not asked here.
        else if (!CUSTOM[option]) await made.videos.get("task_1").catch((thrown) => { if (option !== "fetch" && thrown.code !== "timeout") throw thrown; });
        assert.ok(!stand.sent.includes("POST"), what);
      }
      await judge(`${option}: a getter`, option, () => stand.near(Object.defineProperty({}, option, { enumerable: true, get: trap })), { now: true, isOurs: (error) => error instanceof RangeError });
      const error = await judge(`${option}: a getter`, option, () => new Client(Object.defineProperty({}, option, { enumerable: true, get: trap })), { now: true });
      assert.equal(error.field, option);
    }
    for (const [kind, value] of Object.entries(HOSTILE)) await judge(`options: ${kind}`, kind === "object" || kind === "bare" || kind === "endless" || kind === "nothing" ? "apiKey" : "option", () => new Client(value()), { now: true });
    await stand.well();
  });
});
