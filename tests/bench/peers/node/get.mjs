// get.mjs CANDIDATE BASE COUNT: the same query again and again; prints CPU and wall time of one in microseconds.
const [candidate, base, count] = process.argv.slice(2);
const apiKey = process.env.JUNFEIAI_API_KEY;

const candidates = {
  async junfeiai() {
    const { Client } = await import("junfeiai");
    const client = new Client({ apiKey, baseURL: base });
    return () => client.videos.get("task_1");
  },
  async fetch() {
    const headers = { Authorization: `Bearer ${apiKey}` };
    return async () => (await fetch(`${base}/video/generations/task_1`, { headers })).json();
  },
  async openai() {
    const { default: OpenAI } = await import("openai");
    const client = new OpenAI({ apiKey, baseURL: base.replace(/\/v1$/, "") });
    return () => client.videos.retrieve("task.json");
  },
};

const call = await candidates[candidate]();
for (let turn = 0; turn < 100; turn += 1) await call();
const wall = process.hrtime.bigint();
const cpu = process.cpuUsage();
for (let turn = 0; turn < count; turn += 1) await call();
const used = process.cpuUsage(cpu);
console.log((used.user + used.system) / count, Number(process.hrtime.bigint() - wall) / 1e3 / count);
