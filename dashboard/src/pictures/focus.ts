// Gives the focus to a picture that opens, where nobody else has it.

/** Calls `take` if nothing has the focus but the page itself, or the log: a reader who types in a field stays there. */
export function whenFocusIsFree(log: HTMLElement, take: () => void): void {
  // A picture that closes at the same time lets go of it first.
  queueMicrotask(() => {
    const { activeElement } = document;
    const isHidden = activeElement?.checkVisibility({ visibilityProperty: true }) === false;
    if (activeElement === document.body || activeElement === log || isHidden) take();
  });
}
