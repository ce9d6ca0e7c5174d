// bytes.mjs CANDIDATE URL LENGTH: reads a video of this length into memory.
const [candidate, url, length] = process.argv.slice(2);
const apiKey = process.env.JUNFEIAI_API_KEY;

const candidates = {
  async junfeiai() {
    const { Client } = await import("junfeiai");
    const client = new Client({ apiKey, baseURL: process.env.JUNFEIAI_BASE_URL });
    return (await client.videos.videoAt(url)).bytes();
  },
  async fetch() {
    return (await fetch(url, { headers: { Authorization: `Bearer ${apiKey}` } })).arrayBuffer();
  },
  async openai() {
    const { default: OpenAI } = await import("openai");
    const place = url.lastIndexOf("/");
    const client = new OpenAI({ apiKey, baseURL: url.slice(0, place) });
    return (await client.videos.downloadContent(url.slice(place + 1))).arrayBuffer();
  },
};

const { byteLength } = await candidates[candidate]();
if (byteLength !== Number(length)) throw new Error(`${byteLength} bytes came, not ${length}`);
