// Where the run panel goes: it is loaded when `panel=run` opens it.
import { effect } from '@preact/signals';
import { lazyModule } from '../lazy.ts';
import type { Viewport } from '../log/viewport.ts';
import { profile } from '../state/identity.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing, whenWanted } from '../state/when-wanted.ts';

export function mountRunPanel(viewport: Pick<Viewport, 'latest'>, host: HTMLElement): void {
  const isOpen = () => viewState.value.panel === 'run';
  // Whose runs are meant is known when it is known who sits here.
  const isWanted = () => isOpen() && profile.value !== undefined;
  effect(() => {
    host.hidden = !isOpen();
  });
  whenWanted(
    isWanted,
    lazyModule(() => import('./panel.tsx'), noticeMissing('the run panel')),
    ({ mountPanel }) => mountPanel(viewport, host),
  );
}
