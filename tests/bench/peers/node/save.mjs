// save.mjs CANDIDATE URL FILE: reads a video into a file.
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const [candidate, url, file] = process.argv.slice(2);
const apiKey = process.env.JUNFEIAI_API_KEY;
const toFile = (answer) => {
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return pipeline(Readable.fromWeb(answer.body), createWriteStream(file));
};

const candidates = {
  async junfeiai() {
    const { Client } = await import("junfeiai");
    const client = new Client({ apiKey, baseURL: process.env.JUNFEIAI_BASE_URL });
    await (await client.videos.videoAt(url)).save(file, { overwrite: true });
  },
  async fetch() {
    await toFile(await fetch(url, { headers: { Authorization: `Bearer ${apiKey}` } }));
  },
  async openai() {
    const { default: OpenAI } = await import("openai");
    const place = url.lastIndexOf("/");
    const client = new OpenAI({ apiKey, baseURL: url.slice(0, place) });
    await toFile(await client.videos.downloadContent(url.slice(place + 1)));
  },
};

await candidates[candidate]();
