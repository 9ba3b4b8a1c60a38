// Where the list of what runs goes: over the log, and loaded when it is first opened.
import { effect } from '@preact/signals';
import { lazyModule } from '../lazy.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing, whenWanted } from '../state/when-wanted.ts';
import type { RunningContext } from './running.ts';

export function mountRunning(context: RunningContext, host: HTMLElement): void {
  const isOpen = () => viewState.value.running;
  effect(() => {
    host.hidden = !isOpen();
  });
  whenWanted(
    isOpen,
    lazyModule(() => import('./running.ts'), noticeMissing('what runs')),
    ({ Running }) => new Running(context, host),
  );
}
