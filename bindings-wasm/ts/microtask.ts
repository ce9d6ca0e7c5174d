/** How the glue of this copy of the package begins a microtask. A module of its own, since the engine and the glue need each other. */
let begin: (work: () => void) => void = queueMicrotask;

export function setMicrotask(how: typeof begin): void {
  begin = how;
}

export const microtask = (work: () => void): void => { begin(work); };
