// Mounts the page: the log by hand, the panels with Preact, the keys; optional parts are loaded when asked for.
import { effect, signal } from '@preact/signals';
import { h, render } from 'preact';
import { App } from './app.ts';
import { mountCharts } from './charts/mount.ts';
import { lazyModule, whenWanted } from './lazy.ts';
import { Overlay } from './panels/overlay.tsx';
import { StatusBar } from './panels/status-bar.tsx';
import { Toolbar } from './panels/toolbar.tsx';
import { mountRunPanel } from './runs/slot.ts';
import { helpOpen, opened, viewState } from './state/store.ts';

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
whenWanted(
  () => opened.value !== undefined,
  lazyModule(() => import('./panels/detail.tsx'), 'the detail'),
  ({ Detail }) => render(h(Detail, { app }), element('detail')),
);
whenWanted(
  () => viewState.value.list,
  lazyModule(() => import('./panels/channel-list.tsx'), 'the channel list'),
  ({ ChannelList }) => render(h(ChannelList, {}), element('list')),
);
const help = lazyModule(() => import('./panels/help.tsx'), 'the help');
whenWanted(
  () => helpOpen.value,
  async () => {
    const loaded = await help();
    // Its button only opens: left open, it could not be asked for again.
    helpOpen.value = loaded !== undefined;
    return loaded;
  },
  ({ Help }) => render(h(Help, {}), element('dialogs')),
);

effect(() => {
  const { theme, embed, list } = viewState.value;
  document.documentElement.dataset.theme = theme;
  element('bar').hidden = embed;
  element('status').hidden = embed;
  element('list').hidden = !list;
  element('detail').hidden = opened.value === undefined;
});

// The keys are loaded after the first picture; the latest pressed meanwhile wait for them, and ask for them again.
const EARLY_KEYS = 20;
const early = signal<KeyboardEvent[]>([]);
const keep = (event: KeyboardEvent) => {
  early.value = [...early.value, event].slice(-EARLY_KEYS);
};
document.addEventListener('keydown', keep);
whenWanted(
  () => early.value.length >= 0,
  lazyModule(() => import('./keys.ts'), 'the keys'),
  ({ listenToKeys }) => {
    document.removeEventListener('keydown', keep);
    listenToKeys(app, early.value);
  },
);
whenWanted(
  () => true,
  lazyModule(() => import('./after-load.ts')),
  ({ begin }) => begin(app, element('summary')),
);
mountCharts(app, element('charts'));
mountRunPanel(app, element('panel'));
