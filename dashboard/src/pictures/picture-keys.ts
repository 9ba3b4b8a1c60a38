// Keys of a picture that is shown instead of the log: they reach it before the log's own, and never from where something is typed or chosen.
import { viewState } from '../state/store.ts';

/** Where keys are for something else. */
const NOT_OURS = 'dialog, input, textarea, select, [contenteditable], header, aside, footer, #list, #detail';

/** `press` says whether it has handled the key. It is asked while the picture is open. */
export function listenToPictureKeys(
  isOpen: () => boolean,
  press: (key: string, target: Element) => boolean,
): void {
  const hear = (event: KeyboardEvent) => {
    if (!isOpen() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const { target, key } = event;
    if (!(target instanceof Element) || target.closest(NOT_OURS)) return;
    if (key.length === 1 && !viewState.value.keys) return;
    if (!press(key, target)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  document.addEventListener('keydown', hear, { capture: true });
}
