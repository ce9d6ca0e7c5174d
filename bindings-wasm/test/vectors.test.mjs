// The shared corpus `tests/vectors` through the package: JSON and dates are read by the engine here, natively by crates.
//
// The answer of a row is what `fetch` gives; what comes out of the public API is compared. Not compared is what this API
// does not show: the phase `content`, redirects of a query (they are followed) and a bill for a length that no request has.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { Client, JunFeiAIError } from "junfeiai";
import { KEY, root } from "./emulator.mjs";

const engine = { fetch: globalThis.fetch, now: Date.now };
afterEach(() => {
  globalThis.fetch = engine.fetch;
  Date.now = engine.now;
});

/** A call that is answered so. The answer is no `Response`, which would refuse or tidy some of the statuses and headers. */
async function answered({ status, headers = [], body }, { baseURL = "https://junfeiai.com/v1", now }, call) {
  globalThis.fetch = async () => ({ status, headers, arrayBuffer: async () => new TextEncoder().encode(body).buffer });
  Date.now = now === undefined ? engine.now : () => now * 1000;
  const client = new Client({ apiKey: KEY, baseURL, maxAttempts: 1, fetch: (...all) => globalThis.fetch(...all) });
  try {
    return { ok: okOf(await call(client.videos)) };
  } catch (error) {
    assert.ok(error instanceof JunFeiAIError, String(error));
    return { error: errorOf(error) };
  } finally {
    globalThis.fetch = engine.fetch;
    Date.now = engine.now;
    client[Symbol.dispose]();
  }
}

/** What the API does not show of a row. */
const HIDDEN = Symbol("hidden");

const unix = (date) => (date === null ? null : date.getTime() / 1000);

const okOf = (task) => ({
  task_id: task.id, status: task.status, raw_status: task.rawStatus, progress: task.progress, video_url: task.videoURL,
  fail_reason: task.failReason, model: task.model, billed_seconds: task.billedSeconds, created_at: unix(task.createdAt),
  finished_at: unix(task.finishedAt), billed_differs: task.warnings.some(({ code }) => code.startsWith("billed")),
});

const errorOf = (error) => ({
  kind: error.code, code: error.serverCode, http_status: error.status, request_id: error.requestId,
  retry_after: error.retryAfterMs === null ? null : error.retryAfterMs / 1000, maybe_executed: error.maybeExecuted,
  transient: error.transient, server_message: error.serverMessage, field: error.field, task_id: error.taskId, text: error.message,
});

const get = (input) => answered(input, { baseURL: input.base_url }, (videos) => videos.get(input.task_id ?? "task_1"));

async function create(input) {
  const seconds = input.asked_seconds ?? undefined;
  // What is no whole number is refused before there is an answer.
  const askable = seconds === undefined || /^\d+$/.test(seconds);
  const is = await answered(input, {}, (videos) => videos.create({ prompt: "a ball", seconds: askable ? seconds : undefined, validate: "off" }));
  if (!askable && is.ok) is.ok.billed_differs = HIDDEN;
  return is;
}

async function retryAfter({ value, now_unix: now }) {
  const headers = value === null ? [] : [["Retry-After", value]];
  const { error } = await answered({ status: 429, headers, body: "" }, { now }, (videos) => videos.get("task_1"));
  return { seconds: error.retry_after };
}

/** What a row's expectation does not find in what came out. */
function differences(expected, is, path = "") {
  if (is === HIDDEN) return [];
  if (expected === null || typeof expected !== "object") {
    return expected === is ? [] : [`${path} is ${JSON.stringify(is)}, expected ${JSON.stringify(expected)}`];
  }
  return Object.entries(expected).flatMap(([key, wanted]) => {
    if (key === "message_contains") return wanted.filter((piece) => !is?.text?.includes(piece)).map((piece) => `${piece} is not in ${is?.text}`);
    return differences(wanted, is?.[key], `${path}.${key}`);
  });
}

const followed = (phase, status, headers) => phase === "query" && status >= 301 && headers.some(([name]) => name.toLowerCase() === "location");

/** Rows of a file by the call that shows them; at least so many are there. */
const FILES = {
  "query.json": { least: 150, of: () => get },
  "create.json": { least: 120, of: () => create },
  "errors.json": { least: 120, of: ({ phase, status, headers }) => (followed(phase, status, headers) ? undefined : { query: get, create }[phase]) },
  "retry_after.json": { least: 40, of: () => retryAfter },
};

describe("the vectors", () => {
  for (const [file, { least, of }] of Object.entries(FILES)) {
    test(`${file}: the same as natively`, async () => {
      const { vectors } = JSON.parse(await readFile(join(root, "tests/vectors", file), "utf8"));
      const failed = [];
      let count = 0;
      for (const { name, input, expect } of vectors) {
        const decode = of(input);
        if (!decode) continue;
        count += 1;
        const found = differences(expect, await decode(input));
        if (found.length > 0) failed.push(`${name}: ${found.join("; ")}`);
      }
      assert.ok(count >= least, `${count} rows of ${file} were compared, at least ${least} are expected`);
      assert.deepEqual(failed, [], `${failed.length} of ${count} rows differ`);
    });
  }
});
