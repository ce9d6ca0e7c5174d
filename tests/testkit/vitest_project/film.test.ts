// Tests as the guide shows them, for vitest.
import * as hooks from "vitest";
import { Client } from "junfeiai";
import { useEmulator } from "junfeiai-emulator";
// @ts-expect-error a module without types
import { film } from "./film.mjs";

const { expect, test } = hooks;
const emulator = useEmulator(hooks);

test("a lost answer is not paid for twice", async () => {
  await emulator.fault("drop_after_accept", { on: "create" });
  expect(await film(new Client(emulator.options()), "a ball", "ball.mp4")).toBe("create_outcome_unknown");
  expect(await emulator.createdTasks()).toBe(1);
});

test("each test begins anew, with fake timers, too", async () => {
  hooks.vi.useFakeTimers();
  expect(await emulator.requests()).toEqual([]);
  await emulator.fault("html_502");
  hooks.vi.useRealTimers();
  expect(process.env.JUNFEIAI_BASE_URL).toBe(emulator.baseURL);
});
