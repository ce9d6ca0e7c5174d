// The shim for a browser: Chromium with one page that holds the npm package; this process hands it the scenarios.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../../..");
const { blank, launch, open, site } = await import(join(root, "bindings-wasm/test/browser.mjs"));

const steps = async (request, response) => {
  response.writeHead(200, { "Content-Type": "text/javascript" }).end(await readFile(join(here, "steps.mjs")));
};
const pages = await site({ "/junfeiai/": join(root, "target/npm/package/dist"), "/steps.mjs": steps, "/": blank });
const browser = await launch();
try {
  const plain = await open(browser, pages.origin);
  for await (const line of createInterface({ input: process.stdin })) {
    const scenario = JSON.parse(line);
    // A page has the module that its clients need: one with a journal has a page of its own, with nothing stored.
    const page = scenario.client.journal ? await open(browser, pages.origin) : plain;
    const outcome = await page.evaluate(async (given) => {
      const { carryOut } = await import("/steps.mjs");
      return JSON.stringify(await carryOut(await import("junfeiai"), given));
    }, scenario);
    if (page !== plain) await page.context().close();
    process.stdout.write(`${outcome}\n`);
  }
} finally {
  await browser.close();
  pages.stop();
}
