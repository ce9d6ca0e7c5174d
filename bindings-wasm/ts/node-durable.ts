/** The durable waits of Node's module. */
import type { RawVideo } from "#glue";
import { guarded, take } from "./calls.js";
import type { DurableWaits, WaitState } from "./durable.js";
import { call, run, type About } from "./engine.js";

export const durable: DurableWaits = {
  begin: (task, options) => call(() => task.waitState(options) as WaitState),
  async advance(handle, state, options) {
    let id: unknown;
    try { id = (state as WaitState | null | undefined)?.task_id; } catch { /* the core says that it cannot be read */ }
    const about: About = () => ({ task_id: typeof id === "string" ? id : null });
    const client = await handle.ready(about);
    const { signal } = take(options, ["signal"], "wait", about().task_id);
    return guarded(signal, undefined, about, (inner) =>
      run(() => client.advance(state, inner) as Promise<RawVideo | [WaitState, number]>, inner, about));
  },
};
