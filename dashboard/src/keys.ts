// Keyboard shortcuts of a single key. They are off while the reader types, and altogether with `keys=0`; only keys that
// navigate always work. Ctrl+Enter belongs to the run panel itself.
import type { Cursor } from './cursor.ts';
import type { HistoryNavigator } from './history/history-navigator.ts';
import { describeGap } from './log/gaps.ts';
import { type Item, rowOf, runOf } from './log/item.ts';
import type { RowList } from './log/row-list.ts';
import { LEVEL_TEXT } from './log/row-node.ts';
import { reasonOf } from './log/text.ts';
import { clockOf, iso } from './log/time.ts';
import type { Viewport } from './log/viewport.ts';
import { copyText } from './panels/copy.ts';
import { openTimeline } from './panels/open-timeline.ts';
import { alertsAsOf, alertsOpen, areAlertsStale } from './state/alerts.ts';
import { peopleSignIn, profile } from './state/identity.ts';
import { severe } from './state/severe.ts';
import {
  cursorRow,
  filter,
  helpOpen,
  hits,
  isWrapped,
  opened,
  showNotice,
  updateView,
  viewState,
} from './state/store.ts';
import { takeTyped } from './state/type-ahead.ts';
import { LOG_ALONE, nextTimeMode } from './state/view-state.ts';
import type { Session } from './stream/session.ts';

/** How many characters Ctrl+A copies at most. */
const COPIED_CHARS = 4_000_000;
/** Time of one slice of a search; the page handles input between slices. */
const SEEK_MS = 10;

/** What the keys act on. */
export interface KeyContext {
  session: Pick<Session, 'mark' | 'buffer'>;
  viewport: Viewport;
  cursor: Cursor;
  history: Pick<HistoryNavigator, 'export'>;
}

export interface Key {
  keys: string;
  what: string;
  /** Absent where the key is for everybody. */
  isFor?(): boolean;
  /** Absent where the element that has the focus handles the key itself. */
  run?(context: KeyContext, key: string): void;
}

export const KEYS: readonly Key[] = [
  { keys: '/', what: 'filter', run: () => document.getElementById('filter')?.focus() },
  { keys: 'Escape', what: 'close, then clear the filter', run: dismiss },
  { keys: 'Space', what: 'pause; back to where I was', run: space },
  { keys: 'G End', what: 'latest, and follow', run: (context) => context.viewport.latest() },
  { keys: 'g Home', what: 'top', run: (context) => context.viewport.top() },
  { keys: 'j ArrowDown', what: 'next row', run: (context) => step(context, 1) },
  { keys: 'k ArrowUp', what: 'previous row', run: (context) => step(context, -1) },
  { keys: 'PageDown', what: 'page down', run: (context) => context.viewport.scrollPages(1) },
  { keys: 'PageUp', what: 'page up', run: (context) => context.viewport.scrollPages(-1) },
  { keys: 'Enter', what: 'detail of the row', run: detail },
  {
    keys: 'x',
    what: 'show the entries of a row, or fold them',
    run: (context) => context.cursor.toggleFold(),
  },
  { keys: 'n', what: 'next hit', run: (context) => seek(context, 1, isHit) },
  { keys: 'N', what: 'previous hit', run: (context) => seek(context, -1, isHit) },
  { keys: '!', what: 'first error or warning since I last looked', run: () => severe.value?.look() },
  { keys: 'e', what: 'next error', run: (context) => seek(context, 1, isError) },
  { keys: 'E', what: 'previous error', run: (context) => seek(context, -1, isError) },
  { keys: 'o', what: 'next of the same run', run: (context) => seek(context, 1, sameRun(context)) },
  { keys: 'O', what: 'previous of the same run', run: (context) => seek(context, -1, sameRun(context)) },
  { keys: 'm', what: 'draw a mark', run: mark },
  { keys: 'w', what: 'wrap lines', run: () => updateView({ wrap: !isWrapped.value }, 'replace') },
  {
    keys: 't',
    what: 'timeline of the row’s run, or the newest',
    run: (context) => openTimeline(context.session.buffer),
  },
  {
    keys: 'T',
    what: 'time: local, UTC, relative, delta',
    run: () => updateView({ time: nextTimeMode(viewState.value.time) }, 'replace'),
  },
  {
    keys: 'L',
    what: 'list of channels',
    run: () => updateView({ list: !viewState.value.list }, 'replace'),
  },
  {
    keys: 'v',
    what: 'charts',
    run: () => updateView({ charts: !viewState.value.charts }, 'replace'),
  },
  { keys: '1 2 3 4 5', what: 'lowest level: all, debug, info, warn, error', run: level },
  { keys: 'c', what: 'copy the row as JSON', run: copyRow },
  { keys: 'y', what: 'copy link', run: () => copyText(location.href, 'link') },
  { keys: 'd', what: 'export what is shown as NDJSON', run: (context) => context.history.export() },
  {
    keys: 'f',
    what: 'fleet: all sources',
    run: () => updateView({ ...LOG_ALONE, fleet: !viewState.value.fleet }, 'replace'),
  },
  {
    keys: 'R',
    what: 'running now: each generation',
    run: () => updateView({ ...LOG_ALONE, running: !viewState.value.running }, 'replace'),
  },
  {
    keys: 'r',
    what: 'ask the models',
    run: () => togglePanel('run'),
  },
  { keys: 'C', what: 'chat with an agent', run: () => togglePanel('chat') },
  {
    keys: 'u',
    what: 'me: sign out, sessions, keys',
    isFor: () => peopleSignIn.value,
    run: () => togglePanel('me'),
  },
  { keys: 'U', what: 'people, roles, keys of all', isFor: isAdmin, run: () => togglePanel('people') },
  {
    keys: 'a',
    what: 'alerts that fire, and a test',
    run: () => {
      if (alertsAsOf.value > 0) alertsOpen.value = !alertsOpen.value;
      else if (areAlertsStale.value) showNotice('alerts: the gateway does not answer');
      else showNotice('no rules for alerts here');
    },
  },
  {
    keys: 'F',
    what: 'full screen, for a second screen',
    run: () => updateView({ screen: !viewState.value.screen }, 'replace'),
  },
  { keys: 'F2', what: 'in the list of conversations: rename' },
  { keys: 'Ctrl+Enter ⌘+Enter', what: 'in the prompt: start the run, or stop it' },
  {
    keys: '?',
    what: 'these keys',
    run: () => {
      helpOpen.value = true;
    },
  },
];

const byKey = new Map(KEYS.flatMap((key) => key.keys.split(' ').map((name) => [name, key] as const)));

/** `early` holds the keys that were pressed before this module was loaded; they are handled first. */
export function listenToKeys(context: KeyContext, early: readonly KeyboardEvent[]): void {
  document.addEventListener('copy', (event) => {
    // Rows on screen are cut and consist of cells, so a selection of several rows copies their full text instead.
    const { rows, scroller } = context.viewport;
    const isAll = getSelection()?.containsNode(scroller);
    const lines = isAll ? allLines(rows) : context.viewport.selectedItems().map(lineOf);
    if (lines.length < 2 || !event.clipboardData) return;
    event.clipboardData.setData('text/plain', lines.join('\n'));
    event.preventDefault();
    if (!isAll) return;
    const left = rows.size - lines.length;
    showNotice(
      `${lines.length} rows copied${left > 0 ? `, ${left} older ones left out: export has all (d)` : ''}`,
    );
  });
  for (const event of early) press(context, event);
  document.addEventListener('keydown', (event) => press(context, event));
}

/** Says once what opens the row that the cursor has come to. */
let hasHinted = false;

function step(context: KeyContext, direction: 1 | -1): void {
  seek(context, direction);
  if (!hasHinted && !opened.value) showNotice('Enter opens the row');
  hasHinted = true;
}

/** Handles one key, wherever the focus is. */
function press(context: KeyContext, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
  const name = event.key === ' ' ? 'Space' : event.key;
  const target = event.target as HTMLElement;
  if (target.closest('dialog, input, textarea, select, [contenteditable]')) return;
  if (takeTyped(event.key)) {
    event.preventDefault();
    return;
  }
  // A focused button handles Space and Enter itself.
  if (target.closest('button, summary, a') && (name === 'Space' || name === 'Enter')) return;
  const isNavigation = name.length > 1 && name !== 'Space';
  if (!viewState.value.keys && !isNavigation) return;
  const key = byKey.get(name);
  if (!key?.run || key.isFor?.() === false) return;
  event.preventDefault();
  key.run(context, name);
}

function isAdmin(): boolean {
  return peopleSignIn.value && profile.value?.grants.admin === true;
}

function togglePanel(panel: 'run' | 'chat' | 'me' | 'people'): void {
  updateView({ panel: viewState.value.panel === panel ? 'none' : panel }, 'replace');
}

function dismiss(context: KeyContext): void {
  if (opened.value) context.cursor.close();
  else if (viewState.value.timeline !== '') updateView({ timeline: '', versus: '' }, 'replace');
  else if (viewState.value.fleet || viewState.value.running)
    updateView({ fleet: false, running: false }, 'replace');
  else if (viewState.value.screen) updateView({ screen: false }, 'replace');
  else if (viewState.value.q !== '' || viewState.value.hl !== '' || viewState.value.range)
    updateView({ q: '', hl: '', range: undefined });
  else {
    cursorRow.value = undefined;
    getSelection()?.removeAllRanges();
  }
}

function space(context: KeyContext): void {
  if (context.viewport.follow.mode === 'follow') context.viewport.pause();
  else context.viewport.whereIWas();
}

function detail(context: KeyContext): void {
  const item = context.viewport.rows.get(context.viewport.current());
  if (item) context.cursor.open(item);
}

/** Counts searches: a new search ends the one before. */
let searches = 0;

/**
 * Moves the cursor to the next item in a direction that `wanted` accepts. The search runs in slices, because a
 * highlighted expression may take milliseconds for each item.
 */
function seek(context: KeyContext, direction: 1 | -1, wanted: (item: Item) => boolean = () => true): void {
  const search = ++searches;
  const { rows: shown } = context.viewport;
  let place = cursorRow.value ? context.viewport.current() + direction : context.viewport.edge(direction);
  const searchSlice = () => {
    if (search !== searches || context.viewport.rows !== shown) return;
    const deadline = performance.now() + SEEK_MS;
    // Rows may have been evicted since the last slice; the search goes on with the oldest that is left.
    if (direction > 0) place = Math.max(place, shown.first);
    for (; place >= shown.first && place < shown.end; place += direction) {
      const item = shown.get(place);
      if (item && wanted(item)) {
        context.cursor.select(item);
        return;
      }
      if (performance.now() < deadline) continue;
      place += direction;
      setTimeout(searchSlice);
      return;
    }
    showNotice(direction > 0 ? 'no more below' : 'no more above');
  };
  searchSlice();
}

function isError(item: Item): boolean {
  // That a generation failed has a row of its own, where it happened.
  return (item.kind === 'entry' || (item.kind === 'fold' && !item.isGeneration)) && item.level >= 4;
}

function isHit(item: Item): boolean {
  if (item.kind !== 'entry' && item.kind !== 'fold') return false;
  const text = item.kind === 'fold' ? item.text : item.msg;
  return hits.value.some((pattern) => pattern.test(text)) || reasonOf(item, filter.value.why) !== '';
}

function sameRun(context: KeyContext): (item: Item) => boolean {
  const item = context.viewport.rows.get(context.viewport.current());
  const run = item && runOf(item);
  return (other) => run !== undefined && runOf(other) === run;
}

function mark(context: KeyContext): void {
  context.session.mark(`mark ${clockOf(Date.now())}`);
  context.viewport.invalidate();
}

function level(_: KeyContext, key: string): void {
  updateView({ level: (['', 'debug', 'info', 'warn', 'error'] as const)[Number(key) - 1] ?? '' });
}

function copyRow(context: KeyContext): void {
  const item = context.viewport.rows.get(context.viewport.current());
  const row = item && rowOf(item);
  if (item?.kind === 'fold' && item.said !== '') copyText(item.said, 'text');
  else if (row?.kind === 'entry') copyText(row.raw, 'entry');
}

/** The lines of the whole list, on screen or not; if they are too long to copy, only the latest of them. */
function allLines(shown: RowList): string[] {
  const lines: string[] = [];
  let room = COPIED_CHARS;
  for (let place = shown.end - 1; place >= shown.first; place--) {
    const item = shown.get(place);
    const line = item ? lineOf(item) : '';
    room -= line.length;
    if (room < 0 && lines.length > 0) break;
    lines.push(line);
  }
  return lines.reverse();
}

function lineOf(item: Item): string {
  if (item.kind === 'mark') return `-- ${item.text}`;
  if (item.kind === 'gap') return `-- ${describeGap(item)}`;
  const row = item.kind === 'fold' ? item.shown : item;
  const text = item.kind === 'fold' ? item.label + item.text : item.msg;
  return `${iso(row.time)} ${LEVEL_TEXT[item.level]} ${row.source} ${row.channel} ${text}`;
}
