// What this browser knows of its tasks, in localStorage: one item for each, so that tabs do not overwrite each other. Neither
// keys nor images are in it.
const TASK = "junfeiai-demo/task/";
const SENT = "junfeiai-demo/sent/";

/** A browser that stores nothing for this page refuses even to look. */
function storage() {
  try {
    localStorage.setItem("junfeiai-demo", "");
    return localStorage;
  } catch {
    return undefined;
  }
}
const place = storage();
export const stored = place !== undefined;

export const read = (name) => place?.getItem(name) ?? null;
export function write(name, text) {
  try {
    place?.setItem(name, text);
  } catch (error) {
    // It is full. What was paid for is on the page, and in this line.
    console.warn("not kept", name, error);
  }
}

const keep = (name, values) => write(name, JSON.stringify(values));
const drop = (name) => place?.removeItem(name);

function all(prefix) {
  return Object.keys(place ?? {}).filter((name) => name.startsWith(prefix)).flatMap((name) => {
    try {
      return [{ ...JSON.parse(read(name)), id: name.slice(prefix.length) }];
    } catch {
      return [];
    }
  }).sort((a, b) => a.at - b.at);
}

/** The tasks, the oldest first. */
export const tasks = () => all(TASK);
export const noteTask = (id, values) => keep(TASK + id, values);
export const forgetTask = (id) => drop(TASK + id);

/**
 * Create requests that were sent and whose outcome is not known: the page was closed meanwhile, or there was no answer. Noted
 * before one is sent; gone when its task is noted, or when it is certain that there is none.
 */
export const sent = () => all(SENT);
export const noteSent = (id, values) => keep(SENT + id, values);
export const forgetSent = (id) => drop(SENT + id);

/** Calls this when another tab has changed one of them. */
export const onOthers = (changed) => addEventListener("storage", ({ key }) => {
  if (key === null || key.startsWith(TASK) || key.startsWith(SENT)) changed();
});
