/**
 * Runs a call with a callback. What the callback throws ends the call, and is what the call ends with.
 */
export async function withCallback<A extends unknown[], T>(
  signal: AbortSignal | null | undefined,
  callback: ((...values: A) => void) | undefined,
  work: (signal: AbortSignal | undefined, tell: ((...values: A) => void) | undefined) => Promise<T>,
): Promise<T> {
  if (!callback) return work(signal ?? undefined, undefined);
  const inner = new AbortController();
  const raised = (): void => { inner.abort(signal?.reason); };
  if (signal?.aborted) raised();
  signal?.addEventListener("abort", raised);
  let thrown: { error: unknown } | undefined;
  const tell = (...values: A): void => {
    if (thrown) return;
    try {
      callback(...values);
    } catch (error) {
      thrown = { error };
      inner.abort(error);
    }
  };
  try {
    return await work(inner.signal, tell);
  } catch (error) {
    throw thrown ? thrown.error : error;
  } finally {
    signal?.removeEventListener("abort", raised);
  }
}
