/** How the glue of this copy of the package begins a microtask. A module of its own, since the engine and the glue need each other. */
let begin: (work: () => void) => void = queueMicrotask;

export function setMicrotask(how: typeof begin): void {
  begin = how;
}

/** Has what begins a microtask called in a way of the caller's. */
export function around(how: (before: typeof begin) => typeof begin): void {
  begin = how(begin);
}

export const microtask = (work: () => void): void => { begin(work); };
