// Where a picture goes: over the log, and loaded when it is first opened.
import { effect } from '@preact/signals';
import type { LazyModule } from '../lazy.ts';
import { whenWanted } from '../state/when-wanted.ts';

export function mountPicture<T>(
  host: HTMLElement,
  isOpen: () => boolean,
  load: LazyModule<T>,
  mount: (loaded: T) => void,
): void {
  effect(() => {
    host.hidden = !isOpen();
  });
  whenWanted(isOpen, load, mount);
}
