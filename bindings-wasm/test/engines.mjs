// Chromium, Firefox and WebKit behind one small interface: what a test of a page needs of them.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HANG, launch } from "./browser.mjs";
import { root } from "./emulator.mjs";

const FIREFOX = process.env.FIREFOX ?? ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find((path) => existsSync(path));
const DRIVER = ["/usr/bin/WebKitWebDriver"].find((path) => existsSync(path));
const MINI = ["4.1", "4.0"].flatMap((version) => ["x86_64", "aarch64"].map((machine) => `/usr/lib/${machine}-linux-gnu/webkit2gtk-${version}/MiniBrowser`))
  .find((path) => existsSync(path));
const XVFB = ["/usr/bin/Xvfb"].find((path) => existsSync(path));
/** A program that ends with this one, however this one ends. */
const child = (program, args, options) => spawn("setpriv", ["--pdeathsig", "TERM", program, ...args], options);
export { HANG };

/** Why an engine cannot be started here; `false` when it can. */
export const missing = {
  chromium: false,
  firefox: FIREFOX ? false : "firefox-esr is not installed",
  webkit: DRIVER && MINI && XVFB ? false : "webkit2gtk-driver or xvfb is not installed",
};

/** Waits until this is true of a page; gives what it gave. */
export async function until(page, work, ...args) {
  const end = Date.now() + HANG;
  for (;;) {
    const value = await page.evaluate(work, ...args);
    if (value) return value;
    if (Date.now() > end) throw new Error(`this did not come true: ${work}\n${await page.evaluate(() => document.body.innerText)}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => { server.once("listening", resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

async function chromium() {
  const browser = await launch();
  return {
    /** `window`: width, height; `dark`; `language`. */
    async open({ width = 1280, height = 900, dark = false, language = "en-US" } = {}) {
      const context = await browser.newContext({
        viewport: { width, height }, locale: language, colorScheme: dark ? "dark" : "light", deviceScaleFactor: width < 600 ? 2 : 1, hasTouch: width < 600,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(HANG);
      const problems = [];
      const requests = [];
      page.on("pageerror", (error) => problems.push(String(error)));
      context.on("request", (request) => requests.push(`${request.url()} ${JSON.stringify(request.headers())}`));
      return {
        problems, requests,
        goto: (url) => page.goto(url),
        reload: () => page.reload(),
        // One argument is all that it takes.
        evaluate: (work, ...args) => page.evaluate(`(${work})(...${JSON.stringify(args)})`),
        click: (selector) => page.click(selector),
        fill: (selector, text) => page.fill(selector, text),
        send: (selector) => page.locator(selector).press("Control+Enter"),
        press: (selector, key) => page.locator(selector).press(key),
        resize: (w, h) => page.setViewportSize({ width: w, height: h }),
        shot: (path) => page.screenshot({ path, fullPage: true }),
        async stopWorker() {
          const session = await context.newCDPSession(page);
          await session.send("ServiceWorker.enable");
          await session.send("ServiceWorker.stopAllWorkers");
          await session.detach();
        },
        close: () => context.close(),
      };
    },
    stop: () => browser.close(),
  };
}

/** Firefox as puppeteer has it. */
export async function launchFirefox(preferences = {}) {
  const { default: puppeteer } = await import("puppeteer-core");
  return puppeteer.launch({
    browser: "firefox", protocol: "webDriverBiDi", executablePath: FIREFOX, headless: true, protocolTimeout: HANG, timeout: HANG,
    extraPrefsFirefox: {
      "media.autoplay.default": 0,
      // As on a phone: a scrollbar takes no room.
      "ui.useOverlayScrollbars": 1,
      // A worker without work is stopped soon: the tests wait for that.
      "dom.serviceWorkers.idle_timeout": 300,
      ...preferences,
    },
  });
}

async function firefox(preferences = {}) {
  const browser = await launchFirefox(preferences);
  return {
    async open({ width = 1280, height = 900, language = "en-US" } = {}) {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      page.setDefaultTimeout(HANG);
      await page.setViewport({ width, height });
      const problems = [];
      page.on("pageerror", (error) => problems.push(String(error)));
      return {
        problems, language,
        goto: (url) => page.goto(url),
        reload: () => page.reload(),
        evaluate: (work, ...args) => page.evaluate(work, ...args),
        click: (selector) => page.locator(selector).setTimeout(HANG).click(),
        fill: (selector, text) => page.locator(selector).setTimeout(HANG).fill(text),
        async send(selector) {
          await page.focus(selector);
          await page.keyboard.down("Control");
          await page.keyboard.press("Enter");
          await page.keyboard.up("Control");
        },
        async press(selector, key) {
          await page.focus(selector);
          await page.keyboard.press(key);
        },
        resize: (w, h) => page.setViewport({ width: w, height: h }),
        shot: (path) => page.screenshot({ path, fullPage: true }),
        // By itself, see above.
        async stopWorker() {},
        close: () => context.close(),
      };
    },
    stop: () => browser.close(),
  };
}

async function webkit() {
  const { Builder, By, Key } = await import("selenium-webdriver");
  const home = mkdtempSync(join(tmpdir(), "webkit-"));
  // A screen as high as a page: the driver takes pictures of what is on it.
  const screen = child(XVFB, ["-displayfd", "3", "-screen", "0", "1600x4000x24", "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const display = await new Promise((resolve, reject) => {
    screen.stdio[3].once("data", (data) => resolve(String(data).trim()));
    screen.once("exit", () => reject(new Error("Xvfb ended")));
  });
  const cache = join(root, "target/tmp");
  mkdirSync(cache, { recursive: true });
  const port = await freePort();
  const driver = child(DRIVER, [`--port=${port}`], {
    stdio: ["ignore", "ignore", "ignore"],
    env: {
      // Which plug-ins there are takes seconds to find out.
      GST_REGISTRY: join(cache, "gstreamer.registry"), ...process.env,
      DISPLAY: `:${display}`, HOME: home, XDG_RUNTIME_DIR: home, GDK_BACKEND: "x11", NO_AT_BRIDGE: "1", GTK_A11Y: "none", DBUS_SESSION_BUS_ADDRESS: "disabled:",
    },
  });
  const end = Date.now() + HANG;
  while (!await fetch(`http://127.0.0.1:${port}/status`).then(({ ok }) => ok, () => false)) {
    if (Date.now() > end) throw new Error("WebKitWebDriver does not answer");
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  const stop = () => {
    driver.kill();
    screen.kill();
    rmSync(home, { recursive: true, force: true });
  };
  let session;
  try {
    session = await new Builder().usingServer(`http://127.0.0.1:${port}`).withCapabilities({
      browserName: "MiniBrowser", "webkitgtk:browserOptions": { binary: MINI, args: ["--automation"] },
    }).build();
    await session.manage().setTimeouts({ script: HANG, pageLoad: HANG });
  } catch (error) {
    stop();
    throw error;
  }
  const evaluate = async (work, ...args) => {
    const [ok, value] = await session.executeAsyncScript(`const done = arguments[arguments.length - 1];
      Promise.resolve((${work})(...arguments[0])).then((value) => done([true, value]), (error) => done([false, String(error) + "\\n" + error.stack]));`, args);
    if (!ok) throw new Error(value);
    return value;
  };
  const find = (selector) => session.findElement(By.css(selector));
  /** The size of the page, whatever the window adds to it. */
  const resize = async (width, height) => {
    for (let i = 0; i < 3; i += 1) {
      const [inner, outer] = [await evaluate(() => [innerWidth, innerHeight]), await session.manage().window().getRect()];
      if (inner[0] === width && inner[1] === height) return;
      await session.manage().window().setRect({ x: 0, y: 0, width: outer.width + width - inner[0], height: outer.height + height - inner[1] });
    }
  };
  return {
    async open({ width = 1280, height = 900 } = {}) {
      await session.get("about:blank");
      await resize(width, height);
      return {
        problems: [],
        goto: (url) => session.get(url),
        reload: () => session.navigate().refresh(),
        evaluate,
        async click(selector) {
          // The driver clicks where the element is; what it draws may be behind what the page knows.
          await evaluate((s) => new Promise((drawn) => {
            document.querySelector(s).scrollIntoView({ block: "center" });
            requestAnimationFrame(() => requestAnimationFrame(drawn));
          }), selector);
          await find(selector).click();
        },
        async fill(selector, text) {
          await evaluate((s) => { document.querySelector(s).value = ""; }, selector);
          await find(selector).sendKeys(text);
        },
        send: (selector) => find(selector).sendKeys(Key.chord(Key.CONTROL, Key.ENTER)),
        press: (selector, key) => find(selector).sendKeys(Key[key.toUpperCase()]),
        resize,
        async shot(path) {
          const [w, h, whole] = await evaluate(() => [innerWidth, innerHeight, document.documentElement.scrollHeight]);
          await resize(w, Math.min(whole, 3900));
          await evaluate(() => new Promise((drawn) => { requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(drawn, 100))); }));
          writeFileSync(path, Buffer.from(await session.takeScreenshot(), "base64"));
          await resize(w, h);
        },
        close: () => session.get("about:blank"),
      };
    },
    async stop() {
      await session.quit().catch(() => {});
      stop();
    },
  };
}

export const engines = { chromium, firefox, webkit };
