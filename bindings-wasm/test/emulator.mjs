// The service's stand-in, as a process that ends with this one.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const KEY = "sk-test-f00dcafe";

export async function startEmulator({ scenario, timeScale = 600, second = true } = {}) {
  const program = process.env.JUNFEIAI_EMULATOR ?? join(root, "target/debug/junfeiai-emulator");
  const args = ["--port", "0", "--api-key", KEY, "--time-scale", String(timeScale), "--quiet", "--exit-with-stdin"];
  if (second) args.push("--second-port", "0");
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  child.on("error", (error) => { throw error; });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const origin = (await lines.next()).value.split(" ").at(-1);
  const other = second ? (await lines.next()).value.split(" ").at(-1) : undefined;
  const call = async (method, path, body) => {
    const response = await fetch(`${origin}/__emulator/${path}`, { method, body: body && JSON.stringify(body), headers: { "content-type": "application/json" } });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  const emulator = {
    origin, second: other, baseURL: `${origin}/v1`,
    scenario: (value) => call("PUT", "scenario", value),
    requests: async () => (await call("GET", "requests")).json(),
    forget: () => call("DELETE", "requests"),
    stats: async () => (await call("GET", "stats")).json(),
    reset: () => call("POST", "reset"),
    add: async (task) => (await (await call("POST", "tasks", task)).json()).id,
    video: async (id) => new Uint8Array(await (await call("GET", `video/${id}`)).arrayBuffer()),
    stop: () => { child.stdin.end(); },
  };
  if (scenario) await emulator.scenario(scenario);
  return emulator;
}
