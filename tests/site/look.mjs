// look.mjs SITE FOLDER: opens pages of the site in Chromium from their files, as a reader without a server does, on a wide and on a
// narrow screen; searches in both languages; leaves pictures in FOLDER.
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const words = process.argv.slice(2);
if (words.length !== 2 || words.some((word) => word.startsWith("-"))) {
  // The folder is emptied: nothing is guessed.
  const asked = words.includes("--help") || words.includes("-h");
  console[asked ? "log" : "error"]("usage: look.mjs SITE FOLDER; FOLDER is emptied, and gets the pictures");
  process.exit(asked ? 0 : 2);
}
const [site, pictures] = words.map((path) => resolve(path));
const PAGES = ["index", "python/index", "javascript/index", "c/index", "rust/index", "zh/index", "zh/python/index", "zh/c/index", "zh/security", "api/index", "api/python",
  "api/typescript/index", "api/c/junfeiai_8h", "source/bindings-c/examples/quickstart.c"];
const SCREENS = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
// What a reader looks for, the page that must be among the results, and where.
const SEARCHES = [
  ["search.html", "resume_pending", "python/index.html"],
  ["search.html", "budget", "python/index.html"],
  ["search.html", "IdempotencyConflictError", "api/python.html"],
  ["zh/search.html", "任务记录", "python/index.html"],
  ["zh/search.html", "重复付费", "index.html"],
  ["zh/search.html", "budget", "python/index.html"],
];

let problems = 0;
const problem = (text) => { problems += 1; console.log(text); };
const address = (name) => pathToFileURL(join(site, name)).href;

rmSync(pictures, { recursive: true, force: true });
mkdirSync(pictures, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"] });
try {
  for (const [screen, viewport] of Object.entries(SCREENS)) {
    const context = await browser.newContext({ viewport, colorScheme: "light" });
    const page = await context.newPage();
    let name = "";
    page.on("pageerror", (error) => problem(`${name} on a ${screen}: ${error}`));
    for (name of PAGES) {
      await page.goto(address(`${name}.html`));
      await page.screenshot({ path: join(pictures, `${screen}-${name.replaceAll("/", "-")}.png`) });
      const { scroll, width } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, width: document.documentElement.clientWidth }));
      // References of other tools have their own way with narrow screens.
      if (scroll > width && !/^api\/(c|typescript)/.test(name)) problem(`${name} on a ${screen}: the page is ${scroll} wide and not ${width}`);
    }
    await context.close();
  }
  const page = await (await browser.newContext({ viewport: SCREENS.desktop })).newPage();
  for (const [place, words, expected] of SEARCHES) {
    await page.goto(`${address(place)}?q=${encodeURIComponent(words)}`);
    const results = page.locator("#search-results ul.search a");
    try {
      await results.first().waitFor({ timeout: 60_000 });
      // Results come one after the other; the summary is written at the end.
      await page.waitForFunction(() => !/\.\.\.|…|Searching|搜索中|正在/.test(document.querySelector("#search-results > h2")?.textContent ?? "…"), undefined, { timeout: 60_000 });
    } catch {
      problem(`${place} finds nothing for ${words}`);
      continue;
    }
    const found = await results.evaluateAll((links) => links.map((link) => link.getAttribute("href")));
    if (!found.some((href) => href.split(/[?#]/)[0].endsWith(expected))) problem(`${place}: ${words} is found in ${found.join(", ")}, and not in ${expected}`);
    await page.screenshot({ path: join(pictures, `search-${place.startsWith("zh") ? "zh" : "en"}-${words}.png`) });
  }
} finally {
  await browser.close();
}
process.exitCode = problems ? 1 : 0;
