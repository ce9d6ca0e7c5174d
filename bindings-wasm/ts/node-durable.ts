/** The durable waits of Node's module. */
import type { RawVideo } from "#glue";
import { guarded, own, take } from "./calls.js";
import type { DurableWaits, WaitState } from "./durable.js";
import { call, run, type About } from "./engine.js";
import { JunFeiAIError } from "./errors.js";
import { copied } from "./options.js";

export const durable: DurableWaits = {
  begin: (task, options) => call(() => task.waitState(options) as WaitState),
  async advance(handle, state, options) {
    let id: unknown;
    try { id = (state as WaitState | null | undefined)?.task_id; } catch { /* refused below */ }
    const about: About = () => ({ task_id: typeof id === "string" ? id : null });
    const refuse = (why: string, cause?: unknown): JunFeiAIError =>
      own("invalid_request", "wait", `state must be what waitState or the step before returned: ${why}`, { field: "state", taskId: about().task_id ?? null, cause });
    let plain: unknown;
    try {
      plain = copied(state, (key, odd) => refuse(`it holds ${odd}${key && ` (at ${key})`}`));
    } catch (error) {
      throw error instanceof JunFeiAIError ? error : refuse("it cannot be read", error);
    }
    const client = await handle.ready(about);
    const { signal } = take(options, ["signal"], "wait", about().task_id);
    return guarded(signal, undefined, about, (inner) =>
      run(() => client.advance(plain, inner) as Promise<RawVideo | [WaitState, number]>, inner, about));
  },
};
