// A page without a journal keeps the ids of its tasks: a task that exists can be waited for again after a reload, or on another day.
//
//     const client = new Client({ baseURL: "/api/junfeiai" });
//     for await (const { id, video, error } of unfinished(client)) show(id, video, error); // after a reload
//     const task = await create(client, { prompt: "A small red ball", seconds: 6 });
//     show(task.id, await task.wait());
//     done(task.id); // when the user has it
const PREFIX = "junfeiai/task/";

/** The task is paid for: where its id cannot be kept, it is said at least. */
function keep(/** @type {string} */ id) {
  try {
    // One item for each task: another tab that does the same at this moment overwrites nothing.
    localStorage.setItem(PREFIX + id, new Date().toISOString());
  } catch (error) {
    console.error(`the id of the task ${id} could not be kept`, error);
  }
}

/**
 * Creates a task and keeps its id. A page that is closed while the request is under way never learns the id: where that matters, keep
 * the id on your server, in `onCreated` of the handler.
 * @param {import("junfeiai").Client} client
 * @param {import("junfeiai").VideoRequest | string} request
 */
export async function create(client, request) {
  // A page that may store nothing finds out before it pays.
  localStorage.setItem("junfeiai/kept", "");
  const task = await client.videos.create(request).catch((error) => {
    // There is a task all the same.
    if (error.taskId) keep(error.taskId);
    throw error;
  });
  keep(task.id);
  return task;
}

/** The ids of the tasks that are not done. */
export const ids = () => Object.keys(localStorage).filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length));

/**
 * Waits for them, in the order in which they end. Nothing is created.
 * @param {import("junfeiai").Client} client
 */
export const unfinished = (client) => client.videos.asCompleted(ids());

/** Takes a task off the list: its video was seen or downloaded, or it failed. */
export const done = (/** @type {string} */ id) => localStorage.removeItem(PREFIX + id);
