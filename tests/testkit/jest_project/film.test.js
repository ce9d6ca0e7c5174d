// Tests as the guide shows them, for jest, whose hooks are global.
const { Client } = require("junfeiai");
const { useEmulator } = require("junfeiai-emulator");

const emulator = useEmulator();

test("a lost answer is not paid for twice", async () => {
  await emulator.fault("drop_after_accept", { on: "create" });
  await expect(new Client(emulator.options()).videos.create("a ball")).rejects.toMatchObject({ code: "create_outcome_unknown" });
  expect(await emulator.createdTasks()).toBe(1);
});

test("each test begins anew, with fake timers, too", async () => {
  jest.useFakeTimers();
  expect(await emulator.requests()).toEqual([]);
  await emulator.fault("html_502");
  jest.useRealTimers();
  expect(process.env.JUNFEIAI_BASE_URL).toBe(emulator.baseURL);
});
