// Mounts the page: the log, the panels, the keys. What is not needed for the first picture is loaded later.
import { effect, signal } from '@preact/signals';
import { h, render } from 'preact';
import { App } from './app.ts';
import { mountCharts } from './charts/mount.ts';
import type { Series } from './charts/series.ts';
import { mountChat } from './chat/slot.ts';
import { mountFleet } from './fleet/slot.ts';
import { lazyModule } from './lazy.ts';
import { StatusBar } from './panels/status-bar.tsx';
import { Toolbar } from './panels/toolbar.tsx';
import { mountRunning } from './running/slot.ts';
import { mountRunPanel } from './runs/slot.ts';
import { LaterReload } from './screen/later-reload.ts';
import { isOnLoopback, peopleSignIn } from './state/identity.ts';
import { helpOpen, opened, streamState, viewState } from './state/store.ts';
import { noticeMissing, whenWanted } from './state/when-wanted.ts';
import { mountTimeline } from './timeline/slot.ts';

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`#${id} is missing from the page`);
  return found;
}

const app = new App(element('log'));
const { session, viewport, cursor, history } = app;

render(h(Toolbar, { session, viewport, nudge: app.nudge }), element('bar'));
render(h(StatusBar, { viewport, history }), element('status'));
whenWanted(
  () => opened.value !== undefined,
  lazyModule(() => import('./panels/detail.tsx'), noticeMissing('the detail')),
  ({ Detail }) => render(h(Detail, { cursor, history }), element('detail')),
);
whenWanted(
  () => viewState.value.list,
  lazyModule(() => import('./panels/channel-list.tsx'), noticeMissing('the channel list')),
  ({ ChannelList }) => render(h(ChannelList, {}), element('list')),
);
const helpModule = lazyModule(() => import('./panels/help.tsx'), noticeMissing('the help'));
whenWanted(
  () => helpOpen.value,
  async () => {
    const loaded = await helpModule();
    // The help's button only sets this to true. If it stayed true after a failed load, no click could try again.
    helpOpen.value = loaded !== undefined;
    return loaded;
  },
  ({ Help }) => render(h(Help, {}), element('dialogs')),
);

effect(() => {
  const { theme, embed, screen, list } = viewState.value;
  document.documentElement.dataset.theme = theme;
  element('bar').hidden = embed || screen;
  element('status').hidden = embed || screen;
  element('list').hidden = !list;
  element('detail').hidden = opened.value === undefined;
});

// The keys are loaded after the first picture. The latest keys pressed before that are kept and handled then; each of
// them also tries the load again if it failed.
const EARLY_KEYS = 20;
const early = signal<KeyboardEvent[]>([]);
const keepEarly = (event: KeyboardEvent) => {
  early.value = [...early.value, event].slice(-EARLY_KEYS);
};
document.addEventListener('keydown', keepEarly);
whenWanted(
  () => early.value.length >= 0,
  lazyModule(() => import('./keys.ts'), noticeMissing('the keys')),
  ({ listenToKeys }) => {
    document.removeEventListener('keydown', keepEarly);
    listenToKeys(app, early.value);
  },
);
const series = signal<Series | undefined>(undefined);
whenWanted(
  () => true,
  lazyModule(() => import('./after-load.ts')),
  ({ begin }) => {
    series.value = begin(app, element);
  },
);
// Where people sign in: the panels for it, and what sees to it that one person's lines never reach the next.
whenWanted(
  () => peopleSignIn.value || !isOnLoopback || streamState.value.state === 'refused',
  lazyModule(() => import('./identity/identity-watch.ts'), noticeMissing('the sign-in')),
  ({ IdentityWatch }) => new IdentityWatch(session, element),
);
effect(() => {
  document.documentElement.toggleAttribute('data-out', streamState.value.state === 'refused');
});
const reload = new LaterReload(() => viewState.value.screen);
whenWanted(
  () => viewState.value.screen,
  lazyModule(
    () => import('./screen/second-screen.ts'),
    () => reload.plan(),
  ),
  ({ SecondScreen }) => {
    reload.cancel();
    new SecondScreen(viewport, element('screen'));
  },
);
mountCharts(series, { viewport, cursor, history }, element('charts'));
mountFleet(app, element('fleet'));
mountRunning(app, element('running'));
mountTimeline(app, element('timeline'));
mountRunPanel(viewport, element('panel'));
mountChat(app, element('chat'));
