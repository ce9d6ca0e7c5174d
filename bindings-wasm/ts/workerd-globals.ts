/** What Workers with an older compatibility date do not have; put in place of the globals by the build. Nothing is freed by itself there. */
const here = globalThis as { FinalizationRegistry?: unknown; WeakRef?: unknown };

const Registry = here.FinalizationRegistry ?? class {
  register(): void { /* there is nobody who would call */ }
  unregister(): void { /* see above */ }
};
const Ref = here.WeakRef ?? class {
  readonly #target: unknown;
  constructor(target: unknown) { this.#target = target; }
  deref(): unknown { return this.#target; }
};
export { Registry as FinalizationRegistry, Ref as WeakRef };
