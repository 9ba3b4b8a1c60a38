// Where the chat goes: beside the log, and loaded when `panel=chat` opens it.
import { effect } from '@preact/signals';
import type { App } from '../app.ts';
import { lazyModule } from '../lazy.ts';
import { profile } from '../state/identity.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing, whenWanted } from '../state/when-wanted.ts';

export function mountChat(app: Pick<App, 'goTo'>, host: HTMLElement): void {
  const isOpen = () => viewState.value.panel === 'chat';
  effect(() => {
    host.hidden = !isOpen();
  });
  whenWanted(
    // Whose conversations are meant is known when it is known who sits here.
    () => isOpen() && profile.value !== undefined,
    lazyModule(() => import('./panel.tsx'), noticeMissing('the chat')),
    ({ mountPanel }) => mountPanel(app, host),
  );
}
