/** The same create request twice is carried out once, and answered twice. */
import type { VideoRequest } from "#main";
import { outcomeUnknown, refusal } from "./responses.js";

const KNOWN_CREATES = 1024;
/** What fits into a key of the journal, with the word in front of it. */
const SHORT_NAME = /^[\x21-\x7e]{1,150}$/;

const CREATE_MS = 180_000;
/** Beside the create request itself: `allow` and `onCreated`. */
const MARGIN_MS = 60_000;
/** `setTimeout` takes no more. */
const LONGEST_MS = 2_147_483_647;

/** The outcome of a create request: its response, and whether it is the one of every later request, since a task may exist. */
export interface Carried { response: Response; mayExist: boolean }

/**
 * The latest create requests by their `Idempotency-Key`. Browsers (Chromium, Firefox) send a POST again by themselves when a kept
 * connection closes without a response, and no script can prevent it; what may have made a task is not carried out again but answered as before. This is the
 * memory of one process; with a journal, {@link journalKey} makes it that of all processes that share the journal.
 */
export class Creates {
  /** The request by its digest, as images are inside of it. Only what has ended is ever forgotten, the oldest first. */
  readonly #known = new Map<string, { digest: string; carried: Promise<Carried> }>();
  readonly #ended = new Set<string>();
  readonly #limitMs: number;

  constructor(createMs = CREATE_MS) {
    this.#limitMs = Math.min(createMs + MARGIN_MS, LONGEST_MS);
  }

  async once(key: string | null, order: VideoRequest, work: () => Promise<Carried>): Promise<Response> {
    if (key === null) return (await work()).response;
    // As it came: whoever allows it may change it.
    const digest = await digestOf(JSON.stringify(order));
    const known = this.#known.get(key);
    if (known && known.digest !== digest) {
      return refusal(422, "idempotency_key_reused", "this Idempotency-Key was used for another request: use a new one");
    }
    if (known) return await this.#repeated(known.carried);
    const carried = work();
    this.#known.set(key, { digest, carried });
    // What ended without a response may have made a task.
    void carried.then(({ mayExist }) => { this.#end(key, mayExist); }, () => { this.#end(key, true); });
    return (await carried).response.clone();
  }

  /**
   * Waits for the first request, but not for ever: Cloudflare Workers end what a request has begun when its page goes away, and what
   * waits for that never ends.
   */
  async #repeated(carried: Promise<Carried>): Promise<Response> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const over = new Promise<undefined>((resolve) => { timer = setTimeout(resolve, this.#limitMs, undefined); });
    try {
      const ended = await Promise.race([carried, over]);
      return ended ? ended.response.clone() : outcomeUnknown("this create request was begun before, and has not ended");
    } finally {
      clearTimeout(timer);
    }
  }

  #end(key: string, mayExist: boolean): void {
    // What was refused may be tried again.
    if (!mayExist) return void this.#known.delete(key);
    this.#ended.add(key);
    const oldest = this.#ended.keys().next();
    if (this.#ended.size > KNOWN_CREATES && !oldest.done) {
      this.#ended.delete(oldest.value);
      this.#known.delete(oldest.value);
    }
  }
}

async function digestOf(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The key under which the journal knows a create request that has this `Idempotency-Key`. */
export async function journalKey(name: string): Promise<string> {
  return `page/${SHORT_NAME.test(name) ? name : await digestOf(name)}`;
}
