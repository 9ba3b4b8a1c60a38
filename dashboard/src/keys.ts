// Single-key shortcuts, none with Ctrl but the run panel's own; off while typing, and altogether with `keys=0`.
import type { App } from './app.ts';
import { describeGap } from './log/gaps.ts';
import type { Item, RowList } from './log/row-list.ts';
import { LEVEL_TEXT, runOf } from './log/row-node.ts';
import { clockOf, iso } from './log/time.ts';
import { nextTime } from './panels/status-bar.tsx';
import { helpOpen, opened, say, update, viewState } from './state/store.ts';

/** What Ctrl+A copies at most. */
const COPIED_CHARS = 4_000_000;
/** What a search takes at a time; the page answers in between. */
const SEEK_MS = 10;

export interface Key {
  keys: string;
  what: string;
  /** Absent where it belongs to what has the focus. */
  run?(app: App, key: string): void;
}

export const KEYS: readonly Key[] = [
  { keys: '/', what: 'filter', run: () => document.getElementById('filter')?.focus() },
  { keys: 'Escape', what: 'close, then clear the filter', run: dismiss },
  { keys: 'Space', what: 'pause; back to where I was', run: space },
  { keys: 'G End', what: 'latest, and follow', run: (app) => app.viewport.latest() },
  { keys: 'g Home', what: 'top', run: (app) => app.viewport.top() },
  { keys: 'j ArrowDown', what: 'next row', run: (app) => seek(app, 1) },
  { keys: 'k ArrowUp', what: 'previous row', run: (app) => seek(app, -1) },
  { keys: 'PageDown', what: 'page down', run: (app) => app.viewport.scrollPages(1) },
  { keys: 'PageUp', what: 'page up', run: (app) => app.viewport.scrollPages(-1) },
  { keys: 'Enter', what: 'detail of the row', run: detail },
  { keys: 'x', what: 'expand or fold a generation', run: (app) => app.cursor.toggleFold() },
  { keys: 'n', what: 'next hit', run: (app) => seek(app, 1, hit(app)) },
  { keys: 'N', what: 'previous hit', run: (app) => seek(app, -1, hit(app)) },
  { keys: 'e', what: 'next error', run: (app) => seek(app, 1, isError) },
  { keys: 'E', what: 'previous error', run: (app) => seek(app, -1, isError) },
  { keys: 'o', what: 'next of the same run', run: (app) => seek(app, 1, sameRun(app)) },
  { keys: 'O', what: 'previous of the same run', run: (app) => seek(app, -1, sameRun(app)) },
  { keys: 'm', what: 'draw a mark', run: mark },
  { keys: 'w', what: 'wrap lines', run: () => update({ wrap: !isWrapped() }, 'replace') },
  {
    keys: 't',
    what: 'time: local, UTC, relative, delta',
    run: () => update({ time: nextTime() }, 'replace'),
  },
  { keys: '1 2 3 4 5', what: 'lowest level: all, debug, info, warn, error', run: level },
  { keys: 'c', what: 'copy the row as JSON', run: copyRow },
  { keys: 'y', what: 'copy link', run: (app) => app.copy(location.href, 'link') },
  { keys: 'd', what: 'export what is shown as NDJSON', run: (app) => app.past.export() },
  {
    keys: 'r',
    what: 'run panel',
    run: () => update({ panel: viewState.value.panel === 'run' ? 'none' : 'run' }, 'replace'),
  },
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

/** `early` holds keys pressed before this was loaded. */
export function listenToKeys(app: App, early: readonly KeyboardEvent[]): void {
  document.addEventListener('copy', (event) => {
    // Rows are cut to the screen and laid out in cells: several of them are copied as whole lines instead.
    const { rows, scroller } = app.viewport;
    const isAll = getSelection()?.containsNode(scroller);
    const lines = isAll ? allLines(rows) : app.viewport.selectedItems().map(lineOf);
    if (lines.length < 2 || !event.clipboardData) return;
    event.clipboardData.setData('text/plain', lines.join('\n'));
    event.preventDefault();
    if (!isAll) return;
    const left = rows.size - lines.length;
    say(`${lines.length} rows copied${left > 0 ? `, ${left} older ones left out: export has all (d)` : ''}`);
  });
  for (const event of early) press(app, event);
  document.addEventListener('keydown', (event) => press(app, event));
}

/** One key, wherever the focus is. */
function press(app: App, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
  const name = event.key === ' ' ? 'Space' : event.key;
  const target = event.target as HTMLElement;
  if (target.closest('dialog, input, textarea, select, [contenteditable]')) return;
  // A focused button keeps its own keys.
  if (target.closest('button, summary, a') && (name === 'Space' || name === 'Enter')) return;
  const isNavigation = name.length > 1 && name !== 'Space';
  if (!viewState.value.keys && !isNavigation) return;
  const key = byKey.get(name);
  if (!key?.run) return;
  event.preventDefault();
  key.run(app, name);
}

function dismiss(app: App): void {
  if (opened.value) app.cursor.close();
  else if (viewState.value.q !== '' || viewState.value.hl !== '' || viewState.value.range)
    update({ q: '', hl: '', range: undefined });
  else {
    app.viewport.cursor = undefined;
    getSelection()?.removeAllRanges();
    app.viewport.invalidate();
  }
}

function space(app: App): void {
  if (app.viewport.follow.mode === 'follow') app.viewport.pause();
  else app.viewport.whereIWas();
}

function detail(app: App): void {
  const item = app.viewport.rows.get(app.viewport.current());
  if (item) app.cursor.open(item);
}

/** The latest search; the key that begins the next one ends it. */
let sought = 0;

/** To the next item in a direction for which `wanted` holds. In slices: a highlighted expression may take long for each. */
function seek(app: App, direction: 1 | -1, wanted: (item: Item) => boolean = () => true): void {
  const search = ++sought;
  const { rows: shown, cursor } = app.viewport;
  let place = cursor ? app.viewport.current() + direction : app.viewport.edge(direction);
  const look = () => {
    if (search !== sought || app.viewport.rows !== shown) return;
    const deadline = performance.now() + SEEK_MS;
    for (; place >= shown.first && place < shown.end; place += direction) {
      const item = shown.get(place);
      if (item && wanted(item)) {
        app.cursor.select(item);
        return;
      }
      if (performance.now() < deadline) continue;
      place += direction;
      setTimeout(look);
      return;
    }
    say(direction > 0 ? 'no more below' : 'no more above');
  };
  look();
}

function isError(item: { kind: string; level?: number }): boolean {
  return item.kind === 'entry' && (item.level ?? 0) >= 4;
}

function hit(app: App): (item: Item) => boolean {
  const { hits } = app.viewport;
  return (item) =>
    (item.kind === 'entry' || item.kind === 'fold') &&
    hits.some((pattern) => pattern.test(item.kind === 'fold' ? item.text : item.msg));
}

function sameRun(app: App): (item: Item) => boolean {
  const item = app.viewport.rows.get(app.viewport.current());
  const run = item && runOf(item);
  return (other) => run !== undefined && runOf(other) === run;
}

function mark(app: App): void {
  app.session.mark(`mark ${clockOf(Date.now())}`);
  app.viewport.invalidate();
}

function isWrapped(): boolean {
  return viewState.value.wrap ?? matchMedia('(max-width: 700px)').matches;
}

function level(app: App, key: string): void {
  app.level((['', 'debug', 'info', 'warn', 'error'] as const)[Number(key) - 1] ?? '');
}

function copyRow(app: App): void {
  const item = app.viewport.rows.get(app.viewport.current());
  if (item?.kind === 'entry') app.copy(item.raw, 'entry');
  else if (item?.kind === 'fold') app.copy(item.text, 'text');
}

/** All that is shown, with what is not on screen: the latest, as many as may be copied at once. */
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
  const row = item.kind === 'fold' ? item.first : item;
  const text = item.kind === 'fold' ? item.text : item.msg;
  return `${iso(row.time)} ${LEVEL_TEXT[row.level]} ${row.source} ${row.channel} ${text}`;
}
