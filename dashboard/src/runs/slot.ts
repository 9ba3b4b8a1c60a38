// Where the run panel goes: loaded when `panel=run` opens it.
import { effect } from '@preact/signals';
import type { App } from '../app.ts';
import { lazyModule, whenWanted } from '../lazy.ts';
import { viewState } from '../state/store.ts';

export function mountRunPanel(app: App, host: HTMLElement): void {
  const isOpen = () => viewState.value.panel === 'run';
  effect(() => {
    host.hidden = !isOpen();
  });
  whenWanted(
    isOpen,
    lazyModule(() => import('./panel.tsx'), 'the run panel'),
    ({ mountPanel }) => mountPanel(app, host),
  );
}
