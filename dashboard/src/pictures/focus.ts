// Whether a picture that opens may take the focus.

/** Whether nothing has the focus but the page itself, or the log: a reader who types in a field stays there. */
export function isFocusFree(log: HTMLElement): boolean {
  return document.activeElement === document.body || document.activeElement === log;
}
