// What leaves memory behind shows after thousands of calls. The same in Node and in a page; `fetch` answers in the process.
/** @param {typeof import("junfeiai")} library @param {() => Promise<number>} heap bytes in use after a collection */
export async function growth({ Client }, heap, { queries, tasks }) {
  const answer = (data) => new Response(JSON.stringify(data), { headers: { "content-type": "application/json" } });
  let count = 0;
  const fetch = async (url, { method }) => {
    if (method === "POST") return answer({ id: `task_${count += 1}`, status: "queued" });
    return answer({ code: "success", data: { task_id: url.split("/").at(-1), status: "SUCCESS", progress: "100%", result_url: "http://127.0.0.1/v" } });
  };
  const { videos } = new Client({ apiKey: "sk-test", baseURL: "http://127.0.0.1:1/v1", fetch, pollIntervalMs: 1, dangerouslyAllowBrowser: true });
  // One signal for all: what listens to it must go with its call.
  const { signal } = new AbortController();
  const query = async (at) => { await videos.get(`task_${at}`, { signal }); };
  const task = async () => { await videos.generate("a ball", { signal, onProgress: () => undefined }); };
  const stream = async () => { videos.task("task_1"); (await videos.video("task_1")).stream({ signal }); };
  return { query: await grown(query, heap, queries), task: await grown(task, heap, tasks), stream: await grown(stream, heap, tasks) };
}

/** Bytes that each of so many calls leaves behind. @param {(at: number) => Promise<void>} work @param {() => Promise<number>} heap @param {number} times */
export async function grown(work, heap, times) {
  /** Collects in between, so that what waits to be collected does not count. Gives what is in use at the end. */
  const many = async (count) => {
    for (let at = 0; at < count; at += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, more) => work(at + more)));
      if (at % 1000 === 950) await heap();
    }
    return heap();
  };
  // What each call leaves behind is there after every round; compiled code and a heap that is laid out anew, after one.
  let before = await many(2000);
  let least = Infinity;
  for (let round = 0; round < 5 && least >= MOST / 2; round += 1) {
    const after = await many(times);
    least = Math.min(least, (after - before) / times);
    before = after;
  }
  return Math.max(0, least);
}

/** Most bytes for each call: a fraction of what one forgotten timer or listener costs. */
export const MOST = 200;
