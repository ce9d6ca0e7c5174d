// The demo page: a client without a key, through the proxy handler on the page's own origin.
import { Client, JunFeiAIError } from "junfeiai";
import { WORDS } from "./words.js";

const $ = (id) => document.getElementById(id);
const config = await (await fetch("config.json")).json();
const client = new Client({ baseURL: "/api/junfeiai", ...(config.emulator ? { pollIntervalMs: 400 } : {}) });

let words = WORDS.en;
let status = "";
let waiting;

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
  for (const option of $("seconds").options) option.textContent = `${option.value} ${words.s}`;
  say(status);
  localStorage.setItem("language", language);
}

function say(key, good = false) {
  status = key;
  $("status").textContent = words[key] ?? "";
  $("status").toggleAttribute("data-good", good);
}

function stage(state) {
  $("stage").dataset.state = state;
  $("empty").hidden = state !== "idle";
  $("working").hidden = state !== "working";
  $("video").hidden = state !== "done";
  $("create").disabled = state === "working";
  $("stop").hidden = state !== "working";
  $("again").hidden = state !== "stopped";
  $("download").hidden = state !== "done";
  $("actions").hidden = state === "idle";
}

function show(error) {
  for (const name of ["prompt", "image"]) {
    $(`${name}-error`).hidden = true;
    $(name).removeAttribute("aria-invalid");
  }
  $("error").hidden = true;
  if (!error) return;
  const field = error instanceof JunFeiAIError ? error.field : null;
  if (field === "prompt" || field === "image") {
    $(`${field}-error`).textContent = error.message;
    $(`${field}-error`).hidden = false;
    $(field).setAttribute("aria-invalid", "true");
    $(field).focus();
    return;
  }
  const small = document.createElement("small");
  small.textContent = [error.code, error.requestId].filter(Boolean).join(" · ");
  $("error").replaceChildren(error.message, small);
  $("error").hidden = false;
}

function facts(rows) {
  $("facts").replaceChildren(...rows.flatMap(([name, value]) => {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    dt.textContent = words[name];
    dd.textContent = value;
    return [dt, dd];
  }));
  $("facts").hidden = false;
}

function progress(task) {
  say(task.status);
  if (task.progress === null) $("progress").removeAttribute("value");
  else $("progress").value = task.progress;
  $("percent").textContent = task.progress === null ? "" : `${Math.round(task.progress)} %`;
}

async function follow(task) {
  waiting = new AbortController();
  // A task is paid for: it is found again after a reload.
  localStorage.setItem("task", task.id);
  const known = [["task", task.id], ...(task.billedSeconds === null ? [] : [["billed", `${task.billedSeconds} ${words.s}`]])];
  facts(known);
  $("again").onclick = () => { show(); void run(() => follow(task)); };
  stage("working");
  progress(task);
  const video = await task.wait({ signal: waiting.signal, onProgress: progress });
  localStorage.removeItem("task");
  const player = $("video");
  player.onloadedmetadata = () => {
    $("stage").style.setProperty("--shape", `${player.videoWidth} / ${player.videoHeight}`);
    facts([...known, ["frame", `${player.videoWidth} × ${player.videoHeight}`],
      ["length", `${player.duration.toFixed(1)} ${words.s}`], ["way", words.direct]]);
  };
  player.src = await video.playbackURL();
  $("download").href = player.src;
  $("download").download = `${task.id}.mp4`;
  stage("done");
  say("succeeded", true);
}

async function run(work) {
  try {
    await work();
  } catch (error) {
    const stopped = error.code === "cancelled" || error.code === "wait_timeout";
    stage(stopped || (error.taskId && error.code !== "task_failed") ? "stopped" : "idle");
    say(stopped ? "stopped" : error.code === "task_failed" ? "failed" : "");
    if (error.code === "task_failed" || error.code === "not_found") localStorage.removeItem("task");
    if (!stopped) show(error);
  }
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  show();
  const data = new FormData($("form"));
  const [prompt, model, seconds, size, image] = ["prompt", "model", "seconds", "size", "image"].map((name) => data.get(name));
  $("stage").style.setProperty("--shape", size.replace("x", " / "));
  $("facts").hidden = true;
  void run(async () => {
    stage("working");
    $("stop").hidden = true;
    say("sending");
    $("progress").removeAttribute("value");
    $("percent").textContent = "";
    if (matchMedia("(max-width: 760px)").matches) $("result").scrollIntoView({ behavior: "smooth", block: "start" });
    const task = await client.videos.create({ prompt, model, seconds, size, ...(image.size ? { image } : {}) });
    await follow(task);
  });
});

$("stop").addEventListener("click", () => waiting?.abort());
$("language").addEventListener("click", () => { speak(document.documentElement.lang === "en" ? "zh" : "en"); });
$("image").addEventListener("change", () => {
  const [file] = $("image").files;
  URL.revokeObjectURL($("preview").src);
  if (file) $("preview").src = URL.createObjectURL(file);
  $("preview").hidden = $("no-image").hidden = !file;
});
$("no-image").addEventListener("click", () => {
  $("image").value = "";
  $("image").dispatchEvent(new Event("change"));
  $("image").focus();
});

stage("idle");
speak(localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en"));
const left = localStorage.getItem("task");
if (left) {
  say("again_hint");
  void run(() => follow(client.videos.task(left)));
}
document.documentElement.dataset.ready = "true";
