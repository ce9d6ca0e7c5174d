/// <reference lib="webworker" />
/**
 * The service worker of `junfeiai/playback`: copy it to your site. It answers `…/junfeiai-playback/<id>/<name>.mp4` and
 * nothing else. The core runs in here as it is: it decides where the key may go, resumes when a body is cut, asks for a
 * fresh link when one has expired. The key is in memory only, so after a restart the worker asks the page for it again.
 */
import { wasm } from "#inline";
import { RawClient } from "#glue";
import { Handle } from "../handle.js";
import { call, setLoader } from "../engine.js";
import { JunFeiAIError } from "../errors.js";
import { Video } from "../video.js";

interface Known {
  client: Record<string, unknown>;
  taskId: string | null;
  url: string | null;
}

declare const self: ServiceWorkerGlobalScope;

setLoader({ now: wasm });
const videos = new Map<string, Promise<Video>>();

self.addEventListener("install", () => { void self.skipWaiting(); });
self.addEventListener("activate", (event) => { event.waitUntil(self.clients.claim()); });

self.addEventListener("message", (event) => {
  const data = event.data as { junfeiai?: string; id?: string } | null;
  if (data?.junfeiai === "claim") event.waitUntil(self.clients.claim());
  if (data?.junfeiai === "forget" && data.id) videos.delete(data.id);
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const [id] = request.url.startsWith(self.registration.scope)
    ? (/^junfeiai-playback\/([0-9a-f-]{36})\//.exec(request.url.slice(self.registration.scope.length)) ?? []).slice(1)
    : [];
  if (!id || request.method !== "GET") return;
  const client = event.clientId || event.resultingClientId;
  event.respondWith(answer(id, request, client).then((response) => {
    const { body } = response;
    return body ? new Response(awake(body, client, event), response) : response;
  }));
});

/** How often the page is asked for an event, and how long the first one lasts. Browsers stop a worker whose events take minutes. */
const [SIGN_MS, EVENT_MS] = [5000, 20_000];

/**
 * The body, and a worker that lives while it is read. Firefox does not count a body as work: it stops the worker half a minute after its
 * last event, and what was read by then looks like the whole. A message of the page is such an event. A player that is paused reads
 * nothing and may lose the worker: it asks for the rest.
 */
function awake(body: ReadableStream<Uint8Array>, client: string, event: FetchEvent): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let end = (): void => undefined;
  event.waitUntil(new Promise<void>((resolve) => {
    end = resolve;
    setTimeout(resolve, EVENT_MS);
  }));
  let last = Date.now();
  const sign = (): void => {
    last = Date.now();
    void self.clients.get(client).then((page) => { page?.postMessage({ junfeiai: "awake" }); });
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (Date.now() - last >= SIGN_MS) sign();
      const timer = setInterval(sign, SIGN_MS);
      try {
        const { done, value } = await reader.read();
        if (!done) {
          controller.enqueue(value);
          return;
        }
        controller.close();
        end();
      } catch (error) {
        end();
        throw error;
      } finally {
        clearInterval(timer);
      }
    },
    cancel(reason) {
      end();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

async function answer(id: string, request: Request, client: string): Promise<Response> {
  try {
    let video = videos.get(id);
    if (!video) {
      video = ask(id, client).then(open);
      videos.set(id, video);
      video.catch(() => videos.delete(id));
    }
    return await (await video).response(request.headers.get("range"), { signal: request.signal });
  } catch (error) {
    const status = error instanceof JunFeiAIError ? error.status ?? 502 : 404;
    return new Response(error instanceof Error ? error.message : "", {
      status: status >= 400 ? status : 502, headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" },
    });
  }
}

function open(known: Known): Video {
  const handle = new Handle({ options: { ...known.client, sdk_name: "playback" }, fetch: undefined });
  const raw: RawClient = handle.raw();
  return new Video(handle, call(() => raw.video(known.taskId ?? undefined, known.url ?? undefined)));
}

/** Asks the page that the request came from, then the others of this site: one of them made the address. */
async function ask(id: string, client: string): Promise<Known> {
  const first = client ? await self.clients.get(client) : undefined;
  const others = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const asked = [...new Set([first, ...others])].filter((one) => one !== undefined);
  const answers = asked.map((page) => new Promise<Known>((resolve, reject) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = (event) => { resolve(event.data as Known); };
    page.postMessage({ junfeiai: "who", id }, [channel.port2]);
    setTimeout(() => { reject(new Error("no answer")); }, 5000);
  }));
  return Promise.any(answers).catch(() => {
    throw new Error("no open page knows this video any more: make a new address with video.playbackURL()");
  });
}
