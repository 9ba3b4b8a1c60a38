// Mounts the page: the log by hand, the panels with Preact, the keys; optional parts are loaded when asked for.
import { effect } from '@preact/signals';
import { h, render } from 'preact';
import { App } from './app.ts';
import { mountCharts } from './charts/mount.ts';
import { Overlay } from './panels/overlay.tsx';
import { StatusBar } from './panels/status-bar.tsx';
import { announce } from './panels/summary.ts';
import { Toolbar } from './panels/toolbar.tsx';
import { mountRunPanel } from './runs/slot.ts';
import { helpOpen, opened, say, view } from './state/store.ts';

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`#${id} is missing from the page`);
  return found;
}

const app = new App(element('log'));

render(h(Toolbar, { app }), element('bar'));
render(h(StatusBar, { app }), element('status'));
render(h(Overlay, { app }), element('over'));
// What is not on screen at first is not loaded at first.
lazily(
  () => opened.value !== undefined,
  () => import('./panels/detail.tsx').then(({ Detail }) => render(h(Detail, { app }), element('detail'))),
);
lazily(
  () => view.value.list,
  () =>
    import('./panels/channel-list.tsx').then(({ ChannelList }) =>
      render(h(ChannelList, { app }), element('list')),
    ),
);
lazily(
  () => helpOpen.value,
  () => import('./panels/help.tsx').then(({ Help }) => render(h(Help, {}), element('dialogs'))),
);

/** Loads a panel when it is first wanted; from then on it follows its signals by itself. */
function lazily(isWanted: () => boolean, load: () => Promise<void>): void {
  const stop = effect(() => {
    if (!isWanted()) return;
    // An effect cannot end itself while it first runs.
    queueMicrotask(() => stop());
    void load();
  });
}

effect(() => {
  const { theme, embed, list } = view.value;
  document.documentElement.dataset.theme = theme;
  element('bar').hidden = embed;
  element('status').hidden = embed;
  element('list').hidden = !list;
  element('detail').hidden = opened.value === undefined;
});

// A part that cannot be loaded: the gateway has been updated under a page that is still the old one.
addEventListener('vite:preloadError', () => say('this page is older than the gateway: reload it'));

// The keys are loaded after the first picture; those pressed meanwhile wait for them.
const early: KeyboardEvent[] = [];
const keep = (event: KeyboardEvent) => early.push(event);
document.addEventListener('keydown', keep);
void import('./keys.ts').then(({ listenToKeys }) => {
  document.removeEventListener('keydown', keep);
  listenToKeys(app, early);
});
announce(app, element('summary'));
mountCharts(app, element('charts'));
mountRunPanel(app, element('panel'));
