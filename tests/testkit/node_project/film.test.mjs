// Tests as the guide shows them, for node:test.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import * as hooks from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "junfeiai";
import { useEmulator } from "junfeiai-emulator";
import { film } from "./film.mjs";

const { test } = hooks;
const emulator = useEmulator(hooks);
const folder = mkdtempSync(join(tmpdir(), "film-"));
hooks.after(() => rmSync(folder, { recursive: true }));

test("a video is saved", async () => {
  const said = await film(new Client(emulator.options()), "a ball", join(folder, "ball.mp4"));
  const [created, ...more] = await emulator.requests("create");
  assert.deepEqual([created.bodyJson.prompt, created.bodyJson.seconds, created.key, more.length], ["a ball", "6", "valid", 0]);
  const id = (await emulator.requests("query"))[0].path.split("/").at(-1);
  assert.deepEqual(new Uint8Array(readFileSync(join(folder, "ball.mp4"))), await emulator.video(id));
  assert.equal(said, `${readFileSync(join(folder, "ball.mp4")).length} bytes`);
});

test("a lost answer is not paid for twice", async () => {
  await emulator.fault("drop_after_accept", { on: "create" });
  assert.equal(await film(new Client(emulator.options()), "a ball", join(folder, "lost.mp4")), "create_outcome_unknown");
  assert.equal(await emulator.createdTasks(), 1);
});

test("an account without money, and a client that takes its options from the environment", async () => {
  await emulator.fault("insufficient_user_quota", { on: "create" });
  assert.equal(await film(new Client({ pollIntervalMs: 20 }), "a ball", join(folder, "poor.mp4")), "insufficient_balance");
});

test("each test begins anew", async () => {
  assert.deepEqual([await emulator.requests(), await emulator.createdTasks()], [[], 0]);
  await assert.rejects(emulator.fault("no_such_fault"), /unknown variant/);
});
