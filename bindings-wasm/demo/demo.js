// The demo page. Without a key it talks to the proxy handler on its own origin; with one, to the service itself, and a service
// worker plays the videos.
import { Client } from "junfeiai";
import { registerPlayback } from "junfeiai/playback";
import { forgetSent, forgetTask, noteSent, noteTask, onOthers, read, sent, stored, tasks, write } from "./tasks.js";
import { WORDS, detailsOf, explain } from "./words.js";

const $ = (id) => document.getElementById(id);
const config = await (await fetch("config.json")).json();
const CODEC = 'video/mp4; codecs="avc1.42E01E"';
const FIELDS = ["prompt", "image", "key"];

let words = WORDS.en;
/** The newest first. */
const cards = [];

// The client.

const clients = new Map();

/** The client of the way that is chosen, and how its videos play. */
function connect() {
  const inPage = new FormData($("form")).get("way") === "page";
  const key = $("key").value.trim();
  if (inPage && !key) throw Object.assign(new Error("a key is needed"), { field: "key", word: "needsKey" });
  const name = inPage ? key : "";
  if (!clients.has(name)) {
    const client = new Client({
      ...(inPage ? { apiKey: key, dangerouslyAllowBrowser: true } : { baseURL: "/api/junfeiai" }),
      ...(inPage && config.emulator ? { baseURL: config.baseURL } : {}),
      ...(config.emulator ? { pollIntervalMs: 400 } : {}),
    });
    const playback = registerPlayback(client);
    // Whoever plays a video hears of it.
    playback.catch(() => {});
    clients.set(name, { client, playback });
  }
  return clients.get(name);
}

// What is shown.

const say = (text) => { $("live").textContent = text; };

function speak(language) {
  words = WORDS[language] ?? WORDS.en;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = `${words.title} – JunFeiAI`;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = words[element.dataset.t];
  $("language").textContent = words.language;
  $("language").lang = language === "zh" ? "en" : "zh-CN";
  $("prompt").placeholder = words.placeholder;
  $("mode").textContent = config.emulator ? words.emulator : "";
  $("cost").textContent = config.emulator ? words.free : words.costs;
  $("keys").textContent = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ ↵" : "Ctrl ↵";
  for (const option of $("seconds").options) option.textContent = `${option.value} ${words.s}`;
  write("junfeiai-demo/language", language);
  complain();
  for (const card of cards) render(card);
}

/** What is wrong with the form, until it is sent again. */
let complaint;
function complain(error) {
  if (error !== undefined) complaint = error;
  for (const name of FIELDS) {
    $(`${name}-error`).hidden = true;
    $(name).removeAttribute("aria-invalid");
  }
  $("form-error").hidden = true;
  if (!complaint) return;
  const field = FIELDS.includes(complaint.field) ? complaint.field : undefined;
  const place = field ? $(`${field}-error`) : $("form-error");
  const { text, details } = complaint.word ? { text: words[complaint.word], details: [] } : explain(words, complaint);
  place.replaceChildren(text, ...(details.length > 0 ? [note(details)] : []));
  place.hidden = false;
  if (!field) return;
  $(field).setAttribute("aria-invalid", "true");
  if (error) $(field).focus();
}

function note(lines) {
  const small = document.createElement("small");
  small.textContent = lines.join(" · ");
  return small;
}

/** A card of the list: a task, or a create request without one. `state` is one of `TONES`. */
function add(values) {
  const element = $("card").content.firstElementChild.cloneNode(true);
  const find = (selector) => element.querySelector(selector);
  const card = { status: "asking", progress: null, media: "none", ...values, element, find };
  const does = find(".does");
  card.buttons = Object.fromEntries(Object.entries(ACTIONS).map(([name, { run, main }]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = main ? "button" : "quiet";
    button.dataset.does = name;
    button.addEventListener("click", () => { run(card); });
    does.append(button);
    return [name, button];
  }));
  find(".start").addEventListener("click", () => { void play(card, true); });
  find(".yes").addEventListener("click", () => { const { yes } = card.confirm; confirm(card); yes(); });
  find(".no").addEventListener("click", () => { const { name } = card.confirm; confirm(card); card.buttons[name].focus(); });
  cards.unshift(card);
  $("list").prepend(element);
  render(card);
  return card;
}

function remove(card) {
  card.release?.();
  cards.splice(cards.indexOf(card), 1);
  card.element.remove();
  $("empty").hidden = cards.length > 0;
}

const TONES = { sending: "", working: "", done: "good", failed: "bad", stopped: "", refused: "bad", lost: "bad", left: "bad" };

/** The sentence under the prompt. */
function sentence({ state, status, error }) {
  if (state === "sending") return words.sending;
  if (state === "working") return words[status] ?? words.unknown;
  if (state === "done") return words.succeeded;
  if (state === "stopped") return error ? words[error.code === "not_found" ? "notFound" : "waitFailed"] : words.stopped;
  return words[state];
}

/** The lines in the red box: what went wrong, and what the service said. */
function troubles({ state, error, media, reason }) {
  if (state === "lost" || state === "left") return [words.lostAdvice, ...(error ? [note(detailsOf(error))] : [])];
  if (state === "failed") {
    return [...(reason ? [`${words.reason} ${reason}`] : []), ...(error ? [note([error.code, error.requestId].filter(Boolean))] : [])];
  }
  if (media === "codec") return [words.cannotPlay];
  if (!error) return media === "error" ? [words.gone] : [];
  const { text, details } = explain(words, error);
  return [text, ...(details.length > 0 ? [note(details)] : [])];
}

function render(card) {
  const { find, state, media, buttons } = card;
  const focused = card.element.contains(document.activeElement) ? document.activeElement : undefined;
  card.element.dataset.state = state;
  card.element.dataset.media = media;
  if (card.id) card.element.dataset.task = card.id;
  find(".stage").style.setProperty("--shape", card.frame ?? card.size?.replace("x", " / ") ?? "16 / 9");
  find(".title").textContent = card.prompt;
  find(".status").textContent = sentence(card);
  find(".status").dataset.tone = TONES[state];

  const busy = state === "sending" || state === "working";
  const ready = state === "done";
  find(".working").hidden = !busy && !(ready && media === "loading");
  find("video").hidden = !(ready && media === "on");
  find(".start").hidden = !(ready && media === "none");
  find(".start-text").textContent = words.play;
  find(".none").hidden = busy || (ready && !["error", "codec"].includes(media));
  const bar = find("progress");
  bar.setAttribute("aria-label", sentence(card));
  if (state === "working" && card.progress !== null) bar.value = card.progress;
  else bar.removeAttribute("value");
  find(".percent").textContent = state === "working" && card.progress !== null ? `${Math.round(card.progress)} %` : "";

  const lines = troubles(card);
  find(".error").replaceChildren(...lines.map((line) => {
    if (typeof line !== "string") return line;
    const p = document.createElement("p");
    p.textContent = line;
    return p;
  }));
  find(".error").hidden = lines.length === 0;
  find(".way").textContent = card.mode ? words[card.mode] + (card.why ? ` ${card.why}` : "") : "";
  find(".way").hidden = !ready || !card.mode;

  for (const [name, { when, word }] of Object.entries(ACTIONS)) {
    buttons[name].hidden = !when(card);
    buttons[name].textContent = name === "download" && card.downloaded !== undefined
      ? `${words.downloading}${card.downloaded === null ? " …" : ` ${card.downloaded} %`}` : words[word];
    buttons[name].disabled = name === "download" && card.downloaded !== undefined;
  }
  find(".confirm").hidden = !card.confirm;
  find(".does").hidden = Boolean(card.confirm);
  if (card.confirm) {
    const { name } = card.confirm;
    find(".confirm p").textContent = name === "drop" ? words.confirmDrop : config.emulator ? words.confirmFree : words.confirmCharge;
    find(".yes").textContent = name === "drop" ? words.yesDrop : words.yes;
    find(".no").textContent = words.no;
  }

  find("summary").textContent = words.details;
  const billed = card.billed && state !== "failed" ? `${card.billed} ${words.s}` : undefined;
  const rows = [
    ["task", card.id], ["model", card.model], ["at", card.at && new Date(card.at).toLocaleString(document.documentElement.lang)],
    ["billed", billed], ["returned", state === "failed" ? words.returnedValue : undefined], ["frame", card.frame?.replace("/", "×")],
    ["length", card.duration && `${card.duration.toFixed(1)} ${words.s}`],
  ].filter(([, value]) => value);
  find(".facts").replaceChildren(...rows.flatMap(([name, value]) => {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    dt.textContent = words[name];
    dd.textContent = value;
    return [dt, dd];
  }));
  $("empty").hidden = cards.length > 0;
  // What had the focus may be gone: it stays on the card.
  if (focused?.offsetParent === null) Object.values(buttons).find(({ offsetParent }) => offsetParent)?.focus();
}

/** Changes a card; a new state is read out. */
function update(card, values) {
  const before = sentence(card);
  Object.assign(card, values);
  render(card);
  if (sentence(card) !== before) say([sentence(card), card.find(".error").textContent].join(" "));
}

const ACTIONS = {
  download: { word: "download", main: true, when: ({ state }) => state === "done", run: (card) => void download(card) },
  reload: { word: "playAgain", when: ({ state, media }) => state === "done" && media === "error", run: (card) => void play(card, true) },
  stop: { word: "stop", when: ({ state }) => state === "working", run: ({ waiting }) => waiting.abort() },
  again: { word: "again", main: true, when: ({ state }) => state === "stopped", run: (card) => void follow(card) },
  // Only where it is certain that nothing was charged, or that the charge is returned.
  retry: { word: "retry", main: true, when: ({ state }) => state === "failed" || state === "refused", run: (card) => confirm(card, "retry", () => retry(card)) },
  drop: {
    word: "drop", when: ({ state }) => !["sending", "working"].includes(state),
    run: (card) => (card.state === "refused" || card.state === "failed" ? drop(card) : confirm(card, "drop", () => drop(card))),
  },
};

/** Asks on the card itself, before something that cannot be taken back. */
function confirm(card, name, yes) {
  card.confirm = name && { name, yes };
  render(card);
  if (name) card.find(".no").focus();
}

// What is done.

async function create(request) {
  const { prompt, model, seconds, size, image } = request;
  const noted = { prompt, model, seconds, size, at: Date.now(), image: Boolean(image) };
  const mark = `${noted.at}-${Math.random().toString(36).slice(2)}`;
  let card, task;
  $("create").disabled = true;
  try {
    const { client } = connect();
    card = add({ ...noted, request, mark, state: "sending" });
    say(words.sending);
    if (matchMedia("(max-width: 760px)").matches) card.element.scrollIntoView({ block: "center" });
    noteSent(mark, noted);
    task = await client.videos.create({ prompt, model, seconds, size, ...(image ? { image } : {}) });
  } catch (error) {
    if (card) notCreated(card, noted, error);
    else complain(error);
    return;
  } finally {
    $("create").disabled = false;
  }
  // Noted before anything else: it is paid for.
  noteTask(task.id, noted);
  forgetSent(mark);
  Object.assign(card, { mark: undefined, id: task.id, billed: task.billedSeconds });
  void follow(card, task);
}

/** What became of a create request that ended with an error. Only an error of the library says that nothing was charged. */
function notCreated(card, noted, error) {
  const { mark } = card;
  if (error.taskId) {
    // There is a task all the same.
    noteTask(error.taskId, noted);
    forgetSent(mark);
    update(card, { id: error.taskId, mark: undefined, error, state: "stopped" });
  } else if (!error.code || error.maybeExecuted) {
    // The mark stays: it is on the list after a reload, too.
    update(card, { error, state: "lost" });
  } else {
    forgetSent(mark);
    if (error.code !== "invalid_request" && error.code !== "config") return void update(card, { error, state: "refused" });
    remove(card);
    complain(error);
  }
}

async function follow(card, task) {
  card.waiting = new AbortController();
  try {
    const waitFor = task ?? connect().client.videos.task(card.id);
    update(card, { state: "working", status: task?.status ?? "asking", progress: task?.progress ?? null, error: undefined });
    await waitFor.wait({
      signal: card.waiting.signal,
      onProgress: ({ status, progress, billedSeconds }) => update(card, { status, progress, billed: billedSeconds ?? card.billed }),
    });
    noteTask(card.id, { ...facts(card), state: "done" });
    update(card, { state: "done" });
    await play(card, false);
  } catch (error) {
    if (error.word === "needsKey") {
      update(card, { state: "stopped" });
      complain(error);
    } else if (error.code === "task_failed") {
      const reason = error.serverMessage ?? null;
      noteTask(card.id, { ...facts(card), state: "failed", reason });
      update(card, { state: "failed", error, reason });
    } else {
      update(card, { state: "stopped", error: error.code === "cancelled" ? undefined : error });
    }
  }
}

const facts = ({ prompt, model, seconds, size, at, image, billed }) => ({ prompt, model, seconds, size, at, image, billed });

/** Shows the video. What went wrong is asked of the library: an element says nothing of it. */
async function play(card, start) {
  const element = card.find("video");
  if (element.canPlayType(CODEC) === "") return void update(card, { media: "codec" });
  try {
    const { client, playback } = connect();
    card.release?.();
    update(card, { media: "loading", error: undefined });
    const [video, { mode, reason, release }] = [await client.videos.video(card.id), await playback];
    const url = await video.playbackURL();
    card.release = () => { element.removeAttribute("src"); release(url); card.release = undefined; };
    await new Promise((resolve, reject) => {
      element.onloadedmetadata = resolve;
      element.onerror = () => { video.readRange(0, 1).then(() => reject(new Error(element.error?.message)), reject); };
      element.preload = "metadata";
      element.src = url;
    });
    const { videoWidth, videoHeight, duration } = element;
    update(card, { media: "on", mode, why: reason && mode === "blob" ? reason : undefined, frame: `${videoWidth} / ${videoHeight}`, duration });
    element.onerror = () => { update(card, { media: "error" }); };
    element.setAttribute("aria-label", card.prompt);
    if (start) {
      element.focus();
      await element.play().catch(() => { /* the browser wants another click for it */ });
    }
  } catch (error) {
    update(card, { media: error.word === "needsKey" ? "none" : "error", error: error.code ? error : undefined });
    if (error.word === "needsKey") complain(error);
  }
}

async function download(card) {
  try {
    const { client } = connect();
    update(card, { downloaded: null, error: undefined });
    const video = await client.videos.video(card.id);
    // Read by the library, which resumes and checks it, and not by a link: not every browser asks the service worker for those.
    const blob = await video.blob({ onProgress: ({ bytes, total }) => update(card, { downloaded: total ? Math.round(bytes / total * 100) : null }) });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${card.id}.mp4` });
    link.click();
    setTimeout(() => { URL.revokeObjectURL(link.href); }, 60_000);
    update(card, { downloaded: undefined });
  } catch (error) {
    update(card, { downloaded: undefined, error: error.word === "needsKey" ? undefined : error });
    if (error.word === "needsKey") complain(error);
  }
}

/** A new task for the same request. An image is not kept over a reload. */
function retry(card) {
  if (card.image && !card.request) {
    for (const name of ["prompt", "model", "seconds"]) $(name).value = card[name];
    for (const input of $("form").elements.size) input.checked = input.value === card.size;
    return complain({ field: "image", word: "chooseImage" });
  }
  const { prompt, model, seconds, size } = card;
  if (card.state === "refused") remove(card);
  $("videos").focus({ preventScroll: true });
  void create(card.request ?? { prompt, model, seconds, size });
}

function drop(card) {
  if (card.id) forgetTask(card.id);
  if (card.mark) forgetSent(card.mark);
  remove(card);
  $("videos").focus();
}

/** Takes over what is stored: what earlier visits left, and what other tabs do. */
function takeOver() {
  const [known, marks] = [tasks(), sent()];
  for (const card of cards.filter(({ state, mark }) => state === "left" && !marks.some(({ id }) => id === mark))) remove(card);
  for (const task of known) {
    const card = cards.find(({ id }) => id === task.id);
    if (!card) add({ ...task, state: task.state ?? "stopped" });
    else if (card.state === "stopped" && task.state) update(card, { state: task.state, reason: task.reason, error: undefined });
  }
  for (const { id, ...request } of marks) {
    if (!cards.some(({ mark }) => mark === id)) add({ ...request, mark: id, state: "left" });
  }
}

// The form.

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("create").disabled) return;
  complain(null);
  const data = new FormData($("form"));
  const [prompt, model, seconds, size, image] = ["prompt", "model", "seconds", "size", "image"].map((name) => data.get(name));
  void create({ prompt, model, seconds, size, image: image.size ? image : undefined });
});
$("form").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat || event.isComposing) return;
  event.preventDefault();
  $("form").requestSubmit();
});
$("language").addEventListener("click", () => { speak(document.documentElement.lang === "en" ? "zh" : "en"); });
$("image").addEventListener("change", () => {
  const [file] = $("image").files;
  URL.revokeObjectURL($("preview").src);
  if (file) $("preview").src = URL.createObjectURL(file);
  $("image-name").textContent = file?.name ?? "";
  $("preview").hidden = $("no-image").hidden = !file;
});
$("no-image").addEventListener("click", () => {
  $("image").value = "";
  $("image").dispatchEvent(new Event("change"));
  $("image").focus();
});
function chooseWay() {
  const way = new FormData($("form")).get("way");
  $("key-field").hidden = way !== "page";
  write("junfeiai-demo/way", way);
}
for (const input of $("form").elements.way) {
  input.checked = input.value === (read("junfeiai-demo/way") ?? "server");
  input.addEventListener("change", chooseWay);
}
// The emulator's key opens nothing.
if (config.emulator) $("key").value = config.key;
chooseWay();

if (!stored) document.querySelector("[data-t=kept]").dataset.t = "notKept";
takeOver();
onOthers(takeOver);
speak(read("junfeiai-demo/language") ?? (navigator.language.startsWith("zh") ? "zh" : "en"));
// Of those that were running, nothing is created anew; with a key that has to be typed in first, they wait for a click.
if ($("key").value || $("key-field").hidden) for (const card of cards.filter(({ state }) => state === "stopped")) void follow(card);
document.documentElement.dataset.ready = "true";
