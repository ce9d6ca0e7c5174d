/** What a page's HTTP request asks for, and the create request in its body. */
import type { VideoRequest } from "#main";
import { BODY_READ, refusal } from "./responses.js";

/** What a page asks for. */
export interface ProxyCall {
  kind: "create" | "query" | "content";
  /** The task that is meant; `null` for a create. */
  taskId: string | null;
  /** The request of a create. Change it to narrow it, for example to one model or fewer seconds. */
  order: VideoRequest | null;
  /** The page's HTTP request, with its cookies. Its body is read already. */
  request: Request;
}

/** Images are sent inside the request, a third larger than they are. */
const LARGEST_REQUEST = 32 * 1024 * 1024;
const FIELDS = ["model", "prompt", "seconds", "duration", "size", "image", "images"] as const;

export function routeOf(path: string, base: string | undefined): { kind: ProxyCall["kind"]; taskId: string | null } | null {
  if (base !== undefined) {
    const front = base.replace(/\/+$/, "");
    if (!path.startsWith(`${front}/`)) return null;
    path = path.slice(front.length);
  }
  const front = base === undefined ? "" : "^";
  const found = new RegExp(`${front}/(?:video/generations(?:/([^/]+))?|videos/([^/]+)/content)$`).exec(path);
  if (!found) return null;
  const [, asked, content] = found;
  if (content !== undefined) return { kind: "content", taskId: decode(content) };
  return asked === undefined ? { kind: "create", taskId: null } : { kind: "query", taskId: decode(asked) };
}

function decode(text: string): string {
  try { return decodeURIComponent(text); } catch { return text; }
}

export async function readRequest(request: Request): Promise<VideoRequest | Response> {
  // A page of another site can send anything but this without being asked first.
  if (!(request.headers.get("content-type") ?? "").toLowerCase().startsWith("application/json")) {
    return refusal(415, "invalid_request", "Content-Type must be application/json");
  }
  const body = await readCapped(request);
  if (body === null) return refusal(413, "invalid_request", "the request is too large");
  let order: unknown;
  try { order = JSON.parse(body); } catch { /* refused below */ }
  if (typeof order !== "object" || order === null || Array.isArray(order)) {
    return refusal(400, "invalid_json", "the body is not a JSON object");
  }
  const { ...extra } = order as Record<string, unknown>;
  const known: Record<string, unknown> = {};
  for (const field of FIELDS) {
    if (field in extra) known[field] = extra[field];
    delete extra[field];
  }
  return { ...known, extra } as VideoRequest;
}

async function readCapped(request: Request): Promise<string | null> {
  if (request.bodyUsed) throw new Error(BODY_READ);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > LARGEST_REQUEST) return null;
    chunks.push(chunk);
  }
  return new TextDecoder().decode(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

