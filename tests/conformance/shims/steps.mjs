// The npm package's shim: carries out the steps of a scenario, in Node and in a page. It converts and never decides.
/** @param library what `import("junfeiai")` gives */
export async function carryOut(library, scenario) {
  const { Client, JunFeiAIError } = library;
  const failure = (thrown) => (thrown instanceof JunFeiAIError ? { error: thrown.toJSON() } : { thrown: String(thrown) });
  const make = (options) => new Client({ dangerouslyAllowBrowser: true, ...inJavaScript(options) });
  const now = { client: undefined, task: undefined, video: undefined, kept: undefined };
  try {
    now.client = make(scenario.client);
    // In a page the module is loaded with the first call: the options are looked at then.
    await library.ready();
    void now.client.endpoint;
  } catch (thrown) {
    return { client: failure(thrown), steps: [] };
  }
  const steps = [];
  for (const { do: verb, with: given = {} } of scenario.steps) {
    try {
      steps.push(await verbs[verb](now, given, { make, failure }));
    } catch (thrown) {
      steps.push(failure(thrown));
    }
  }
  return { client: {}, steps };
}

/** The names of the options in JavaScript: camelCase, times in milliseconds. */
const NAMES = { api_key: "apiKey", base_url: "baseURL", endpoint: "endpoint", endpoints: "endpoints", video_base_url: "videoBaseURL", trusted_hosts: "trustedHosts", user_agent: "userAgent", max_attempts: "maxAttempts", proxy: "proxy", ca_file: "caFile", language: "language", create_parents: "createParents", rate_limit: "rateLimit", journal_prompts: "journalPrompts", request_rate: "requestRate", request_burst: "requestBurst", max_in_flight_creates: "maxInFlightCreates", max_cost: "maxCost", max_cost_strict: "maxCostStrict", budget: "budget" };
const TIMES = { timeout: "timeoutMs", connect_timeout: "connectTimeoutMs", create_timeout: "createTimeoutMs", idle_timeout: "idleTimeoutMs", wait_timeout: "waitTimeoutMs", poll_interval: "pollIntervalMs" };
const inJavaScript = (options) => Object.fromEntries(Object.entries(options)
  .map(([name, value]) => (name in TIMES ? [TIMES[name], value * 1000] : [NAMES[name] ?? name, value])));

const signalOf = ({ cancel }) => (cancel === "now" ? AbortSignal.abort() : undefined);
const seen = (now, task) => { now.task = task; return { task: task.toJSON(), warnings: task.warnings }; };
const videoOf = (video) => ({ task_id: video.taskId, url: video.url });
const found = (now, video) => { now.video = video; return { video: videoOf(video) }; };
const idOf = (now, { id }) => id ?? now.task.id;

async function bytesOf(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return { bytes: { length: bytes.length, sha256: [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") } };
}

async function waited(now, given, call) {
  const stop = new AbortController();
  if (given.cancel === "now") stop.abort();
  const states = [];
  const onProgress = (task) => {
    states.push(task.rawStatus);
    if (given.cancel === "seen") stop.abort();
  };
  const timeoutMs = given.timeout === undefined ? undefined : given.timeout * 1000;
  const video = await call({ timeoutMs, signal: stop.signal, onProgress });
  return { ...found(now, video), states };
}

async function ended(outcomes, key, failure) {
  const list = [];
  for await (const one of outcomes) list.push({ key: one[key], ...(one.error ? failure(one.error) : { video: videoOf(one.video) }) });
  return { ended: list };
}

const requestOf = ({ retry_failed: retryFailed, ...request }) => (retryFailed === undefined ? request : { ...request, retryFailed });
const NAMED = {
  task_id: "taskId", units_at_most: "unitsAtMost", billed_seconds: "billedSeconds", price_per_second: "pricePerSecond", size_ratio: "sizeRatio",
  group_ratio: "groupRatio", request_id: "requestId", charged_units: "chargedUnits",
};
const picked = (one, names) => Object.fromEntries(names.split(" ").map((name) => [name, one[NAMED[name] ?? name] ?? null]));

const verbs = {
  new_client: (now, given, { make }) => { now.client = make(given); return {}; },
  create: async (now, given) => seen(now, await now.client.videos.create(requestOf(given.request), { signal: signalOf(given) })),
  get: async (now, given) => seen(now, await now.client.videos.get(idOf(now, given))),
  task_by_id: (now, given) => seen(now, now.client.videos.task(idOf(now, given))),
  refresh: async (now) => seen(now, await now.task.refresh()),
  wait: (now, given) => waited(now, given, (options) => now.task.wait(options)),
  generate: (now, given) => waited(now, given, (options) => now.client.videos.generate(requestOf(given.request), options)),
  async watch(now) {
    const states = [];
    for await (const task of now.task.watch()) states.push(task.rawStatus);
    return { states };
  },
  wait_state(now, { timeout }) {
    const state = now.task.waitState({ timeoutMs: timeout === undefined ? undefined : timeout * 1000 });
    now.kept = JSON.stringify(state);
    return { later: state };
  },
  async advance(now, given) {
    for (;;) {
      const advanced = await now.client.videos.advance(given.state ?? JSON.parse(now.kept), { signal: signalOf(given) });
      if (advanced.done) return found(now, advanced.video);
      now.kept = JSON.stringify(advanced.state);
      if (!given.until_done) return { later: advanced.state, pauses: advanced.retryAfterMs > 0 };
      await new Promise((resolve) => { setTimeout(resolve, advanced.retryAfterMs); });
    }
  },
  task_video: (now) => found(now, now.task.video()),
  video_by_id: async (now, given) => found(now, await now.client.videos.video(idOf(now, given))),
  video_at: async (now, given) => found(now, await now.client.videos.videoAt(given.url)),
  bytes: async (now, given) => bytesOf(await now.video.bytes({ maxBytes: given.max_bytes, signal: signalOf(given) })),
  stream: async (now) => bytesOf(new Uint8Array(await new Response(now.video.stream()).arrayBuffer())),
  read_range: async (now, given) => bytesOf(await now.video.readRange(given.start, given.end)),
  async open(now, { parts }) {
    const reader = await now.video.open();
    const reads = [];
    for (const [start, length] of parts) reads.push(await bytesOf(await reader.read(start, length)));
    await reader.close();
    return { size: reader.size, reads };
  },
  save: async (now, given) => ({ summary: await now.video.save(given.path, inJavaScript(given.options ?? {})) }),
  as_completed: (now, given, { failure }) => ended(now.client.videos.asCompleted(given.ids), "id", failure),
  generate_many: (now, given, { failure }) =>
    ended(now.client.videos.generateMany(given.requests.map(requestOf), { concurrency: given.concurrency }), "index", failure),
  check: async (now, given) => ({ report: await now.client.check(given) }),
  models: async (now) => ({ models: await now.client.models() }),
  balance: async (now) => ({ balance: await now.client.balance() }),
  estimate: async (now, { request }) => ({
    estimate: picked(await now.client.videos.estimate(requestOf(request)),
      "units usd certainty units_at_most billed_seconds price_per_second size_ratio group group_ratio notes"),
  }),
  // What a create request is unknown for is its state in the other languages.
  pending: async (now) => ({
    pending: (await now.client.videos.pending()).map((one) => picked({ state: one.reason, ...one }, "kind task_id model seconds state prompt")),
  }),
  key: async (now, { key }) => {
    const known = await now.client.videos.key(key);
    return { known: known && picked(known, "state attempt task_id path") };
  },
  forget: async (now, given) => ({ found: await now.client.videos.forget(idOf(now, given)) }),
  async reconcile(now, { account_token: accountToken, account_user: accountUser }) {
    const { entries, retryAfterMs } = await now.client.videos.reconcile({ accountToken, accountUser });
    return {
      reconciled: {
        entries: entries.map((one) => picked(one, "key model seconds verdict reason task_id request_id charged_units")),
        retry_after: retryAfterMs === null ? null : retryAfterMs / 1000,
      },
    };
  },
  async resolve_unknown(now, { id }) {
    const { intent } = (await now.client.videos.pending()).find((one) => one.kind === "unknown");
    return { found: await now.client.videos.resolveUnknown(intent, id) };
  },
  async resume_pending(now, { folder }, { failure }) {
    const list = [];
    for await (const one of now.client.videos.resumePending(folder)) {
      list.push({ id: one.taskId, ...(one.error ? failure(one.error) : { summary: one.summary }) });
    }
    return { ended: list };
  },
};
