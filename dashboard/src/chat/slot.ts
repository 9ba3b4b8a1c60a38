// Where the chat goes: beside the log, and loaded when `panel=chat` opens it.
import { effect } from '@preact/signals';
import type { App } from '../app.ts';
import { lazyModule } from '../lazy.ts';
import { profile } from '../state/identity.ts';
import { viewState } from '../state/store.ts';
import { typeAhead } from '../state/type-ahead.ts';
import { noticeMissing, whenWanted } from '../state/when-wanted.ts';

export function mountChat(app: Pick<App, 'goTo'>, host: HTMLElement): void {
  let isMounted = false;
  const isOpen = () => viewState.value.panel === 'chat';
  // Whose conversations are meant is known when it is known who sits here.
  const isWanted = () => isOpen() && profile.value !== undefined;
  const noticeAway = noticeMissing('the chat');
  effect(() => {
    host.hidden = !isOpen();
    typeAhead.value = isWanted() && !isMounted ? (typeAhead.peek() ?? '') : undefined;
  });
  whenWanted(
    isWanted,
    lazyModule(
      () => import('./panel.tsx'),
      () => {
        typeAhead.value = undefined;
        noticeAway();
      },
    ),
    ({ mountPanel }) => {
      isMounted = true;
      mountPanel(app, host);
      typeAhead.value = undefined;
    },
  );
}
