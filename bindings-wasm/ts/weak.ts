/** Listeners that keep nothing alive. */

/** Takes listeners off a signal when the stream that they were for is gone. */
export const gone = new FinalizationRegistry<() => void>((deafen) => { deafen(); });

/** A listener that does not keep what it calls alive. */
export function weakly(target: WeakRef<() => void>): () => void {
  return () => { target.deref()?.(); };
}
