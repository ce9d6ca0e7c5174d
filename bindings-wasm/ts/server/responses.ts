/** The responses that a page gets: those of the service, without what they say about your account. */
import { JunFeiAIError, __options, type Task } from "#main";

/** Whether it is an error of this library. What `allow` or a callback throws may be anything, even what cannot be looked at. */
export function isLibraryError(error: unknown): error is JunFeiAIError {
  try {
    return error instanceof JunFeiAIError;
  } catch {
    return false;
  }
}

/** Why a create request cannot be read. Its body can be read once. */
export const BODY_READ = "the body of the request was read by another middleware: mount the handler in front of it, or give the parsed body to the function of toNodeHandler";

export function created(task: Task): Response {
  const billed = task.billedSeconds;
  const { id, rawStatus: status, model } = task;
  return json(200, { id, task_id: id, status, model, object: "video" },
    billed === null ? {} : { "X-New-Api-Other-Ratios": JSON.stringify({ seconds: billed }) });
}

export function queried(task: Task): Response {
  const unix = (date: Date | null): number => (date ? date.getTime() / 1000 : 0);
  return json(200, {
    code: "success",
    // Without an address the page reads the video through this handler.
    data: {
      task_id: task.id, status: task.rawStatus, progress: task.progress === null ? "" : `${String(task.progress)}%`,
      fail_reason: task.failReason ?? "", model: task.model, created_at: unix(task.createdAt), start_time: unix(task.startedAt),
      finish_time: unix(task.finishedAt),
    },
  });
}

/** Errors that say what is wrong with the request, or what the service said. The others may name hosts, or what a journal's store says. */
const TOLD = [
  "invalid_request", "bad_request", "authentication", "permission_denied", "insufficient_balance", "not_found", "rate_limited", "upstream", "model_unavailable",
  "task_failed", "not_ready", "integrity",
];
export const NOT_ALLOWED = "this site does not allow it";

/** In the words of the others. */
const INSTEAD: Record<string, string> = {
  create_outcome_unknown: "no response to the create request came that can be read",
  idempotency_conflict: "this Idempotency-Key was used for another request: use a new one",
};

/** What a page may be told: nothing of the options of the server's client, such as a budget and what is left of it. */
function told(error: unknown, taskId: string | null | undefined): string {
  if (taskId) return `the proxy failed after it created the task ${taskId}`;
  if (!isLibraryError(error)) return "the proxy failed";
  if (error.serverMessage !== null) return error.serverMessage;
  const isInside = !TOLD.includes(error.code) || (__options.CLIENT as readonly (string | null)[]).includes(error.field);
  return isInside ? INSTEAD[error.code] ?? "the proxy failed" : __options.whatHappened(error);
}

/** The page adds its own advice to the message. `left`: what may exist all the same. A response with `data: null` says that there is nothing. */
export function failure(error: unknown, left?: { task_id: string | null }): Response {
  const message = told(error, left?.task_id);
  if (!isLibraryError(error)) return refusal(500, "proxy_error", message, {}, left);
  const fallback = error.code === "invalid_request" ? 400 : error.code === "idempotency_conflict" ? 422 : 502;
  // What a response cannot have, such as 999, must not take the place of what happened.
  const fits = error.status !== null && error.status >= (left ? 500 : 400) && error.status < 600;
  const status = fits ? error.status : left ? 502 : fallback;
  const headers: Record<string, string> = {};
  if (error.retryAfterMs !== null) headers["Retry-After"] = String(Math.ceil(error.retryAfterMs / 1000));
  if (error.requestId && /^[\x21-\x7e]+$/.test(error.requestId)) headers["X-Oneapi-Request-Id"] = error.requestId;
  return refusal(status, left ? error.code : error.serverCode ?? error.code, message, headers, left);
}

/** A task may exist, and no id of it is known here. */
export const outcomeUnknown = (message: string): Response => refusal(502, "create_outcome_unknown", message, {}, { task_id: null });

/**
 * What `allow` gave in place of a create request, in a form that no page takes for the outcome of one: nothing was sent. Most responses
 * of the 4xx say so as they are, and so do those of the service's own form. One with a task's id is its create's response.
 */
export async function notSent(verdict: Response): Promise<Response> {
  const { status } = verdict;
  if (status >= 400 && status < 500 && status !== 408) return verdict;
  const text = await verdict.clone().text();
  const said = objectOf(text);
  const isRefusal = typeof said["code"] === "string" && said["code"].toLowerCase() !== "success" && said["data"] === null;
  const isTask = verdict.ok && ["id", "task_id"].some((field) => typeof said[field] === "string");
  if (isRefusal && status > 0 || isTask) return verdict;
  const { error } = said;
  const words = [said["message"], (error as { message?: unknown } | null | undefined)?.message, error, /[<{]/.test(text) ? "" : text.trim()];
  const message = words.find((one) => typeof one === "string" && one !== "") as string | undefined;
  const response = refusal(status < 400 ? 403 : status, "forbidden", message?.slice(0, 500) ?? NOT_ALLOWED);
  for (const [name, value] of verdict.headers) {
    if (!/^content-(type|length|encoding)$/.test(name)) response.headers.append(name, value);
  }
  return response;
}

function objectOf(text: string): Record<string, unknown> {
  try { return Object(JSON.parse(text)) as Record<string, unknown>; } catch { return {}; }
}

export function refusal(
  status: number, code: string, message: string, headers: Record<string, string> = {}, left: object = { data: null },
): Response {
  return json(status, { code, message, ...left }, headers);
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status, headers: { "Content-Type": "application/json", "Cache-Control": "private, no-store", ...headers },
  });
}

