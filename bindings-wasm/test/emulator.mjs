// The service's stand-in, as a process that ends with this one.
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Emulator } from "../../tests/emulator/npm/index.mjs";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const KEY = "sk-test-f00dcafe";

export async function startEmulator({ scenario, timeScale = 600, second = true } = {}) {
  const program = process.env.JUNFEIAI_EMULATOR ?? resolve(root, process.env.CARGO_TARGET_DIR || "target", "debug/junfeiai-emulator");
  const emulator = await Emulator.start({ program, apiKey: KEY, timeScale, secondHost: second, ...(scenario && { scenario }) });
  const ask = async (...call) => JSON.parse(String(await emulator.call(...call)));
  return {
    origin: emulator.origin, second: emulator.secondOrigin, baseURL: emulator.baseURL,
    scenario: (value) => emulator.setScenario(value),
    requests: () => ask("GET", "requests"),
    forget: () => emulator.clearRequests(),
    stats: () => emulator.stats(),
    reset: () => emulator.reset(),
    add: async (task) => (await ask("POST", "tasks", task)).id,
    video: (id) => emulator.video(id),
    stop: () => emulator.stop(),
  };
}
