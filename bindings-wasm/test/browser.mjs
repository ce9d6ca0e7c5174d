// A real browser, and pages served from the packed package.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--autoplay-policy=no-user-gesture-required"];
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json" };

/** Milliseconds after which something hangs, on the slowest machine. */
export const HANG = 90_000;

export const launch = (more = []) =>
  chromium.launch({ timeout: HANG, executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: [...FLAGS, "--enable-precise-memory-info", ...more] });

/** Serves folders: `{ "/": folder, "/junfeiai/": folder }`, the longest front wins; a function answers itself. */
export async function site(places) {
  const fronts = Object.keys(places).sort((a, b) => b.length - a.length);
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://x").pathname;
    const front = fronts.find((one) => path.startsWith(one));
    const place = places[front];
    if (typeof place === "function") return void place(request, response);
    const name = normalize(path.slice(front.length)) === "." ? "index.html" : normalize(path.slice(front.length));
    try {
      const bytes = await readFile(join(place, name));
      response.writeHead(200, { "Content-Type": TYPES[extname(name)] ?? "application/octet-stream", "Cache-Control": "no-cache" }).end(bytes);
    } catch {
      response.writeHead(404, { "Content-Type": "text/plain" }).end("not found");
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, stop: () => { server.close(); server.closeAllConnections(); } };
}

/** A page that holds nothing but an import map for the package. */
export const blank = (request, response) => {
  response.writeHead(200, { "Content-Type": "text/html" });
  response.end('<!doctype html><meta charset="utf-8"><title>t</title><link rel="icon" href="data:,"><script type="importmap">{"imports":{"junfeiai":"/junfeiai/browser.js","junfeiai/playback":"/junfeiai/playback.js","junfeiai/slim":"/junfeiai/slim.js"}}</script><body></body>');
};

/** A page whose errors are the test's. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(HANG);
  page.problems = [];
  page.warnings = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => { if (message.type() === "warning") page.warnings.push(message.text()); });
  await page.goto(url);
  return page;
}
