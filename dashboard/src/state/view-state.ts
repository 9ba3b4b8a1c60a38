// Every choice of the reader as one value, the view, which is read from and written to the URL's query string. A URL
// gives the same view to everyone who opens it.
import { isPattern } from '@llm-streamer/shared/channels.ts';
import { LEVELS, type Level } from '@llm-streamer/shared/entry.ts';
import { TIME_MODES, type TimeMode } from '../log/time.ts';
import { SORTS } from './fleet-sorts.ts';

/** The panel beside the log: a run; a conversation with an agent; who I am; people, roles and keys. */
const PANELS = ['run', 'chat', 'me', 'people', 'none'] as const;

export interface ViewState {
  channels: string[];
  /**
   * Names in the URL that are not valid channels: the page shows them as invalid, and the URL keeps them until the
   * reader chooses others.
   */
  invalidChannels: string[];
  /** The filter; terms as in `filter-terms.ts`. */
  q: string;
  /** Highlighted without filtering. */
  hl: string;
  level: Level | '';
  tail: number;
  /** An id, an ISO time or a duration such as `15m`; replaces `tail` if set. */
  since: string;
  /** The entry under the cursor. */
  at: string;
  /** Shows only entries of this time, in epoch ms; in the URL `<from>..<to>`. */
  range: { from: number; to: number } | undefined;
  /** False while the log is held or paused. */
  follow: boolean;
  time: TimeMode;
  /** undefined: wrapped on narrow screens only. */
  wrap: boolean | undefined;
  fold: boolean;
  /** Whether the gateway applies the filter, too, as far as it can. */
  narrow: boolean;
  charts: boolean;
  /** Whether the fleet is shown instead of the log. */
  fleet: boolean;
  /** How the fleet is sorted: one of fleet-sorts.ts; empty is by trouble. */
  sort: string;
  /** The sources that are compared in the fleet, two at most. */
  compare: readonly string[];
  /** Whether the generations that run are shown instead of the log. */
  running: boolean;
  /** The run whose picture is shown instead of the log, as run-key.ts names it; '' for none. */
  timeline: string;
  /** The run that it is compared with; '' for none. */
  versus: string;
  list: boolean;
  panel: (typeof PANELS)[number];
  theme: 'auto' | 'dark' | 'light';
  embed: boolean;
  /** Whether this is a second screen: the view alone, without bars. */
  screen: boolean;
  /** Whether single-key shortcuts are on. */
  keys: boolean;
}

/** The time mode after the current one, in the order in which the button and the key `T` step through them. */
export function nextTimeMode(time: TimeMode): TimeMode {
  return TIME_MODES[(TIME_MODES.indexOf(time) + 1) % TIME_MODES.length] ?? 'local';
}

const DEFAULT_TAIL = 500;
/** The gateway replays no more entries than this. */
const MAX_TAIL = 10_000;
const MAX_RUN = 250;

function oneOf<T extends string>(value: string | null, allowed: readonly T[], fallback: T): T {
  return allowed.find((each) => each === value) ?? fallback;
}

/** Without the pictures that are shown instead of the log. */
export const LOG_ALONE = { fleet: false, running: false, timeline: '', versus: '' } as const;

export function parseView(search: string): ViewState {
  const query = new URLSearchParams(search);
  const named = [...query.getAll('channels'), ...query.getAll('ch'), ...query.getAll('channel')]
    .flatMap((list) => list.split(','))
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== '');
  const patterns = named.filter(isPattern);
  const terms = [query.get('q') ?? ''];
  // `run` and `source` are accepted besides `q`, so that a link can be written like a query of `/stream`.
  for (const key of ['run', 'source']) if (query.get(key)) terms.push(`${key}:${query.get(key)}`);
  const wrap = query.get('wrap');
  const tail = Number(query.get('tail') ?? DEFAULT_TAIL);
  return {
    channels: patterns.length > 0 ? [...new Set(patterns)] : ['*'],
    invalidChannels: named.filter((name) => !isPattern(name)),
    q: terms.join(' ').trim(),
    hl: query.get('hl') ?? '',
    level:
      oneOf(query.get('level'), LEVELS, 'trace') === 'trace'
        ? ''
        : oneOf(query.get('level'), LEVELS, 'trace'),
    tail: Number.isInteger(tail) && tail >= 0 ? Math.min(tail, MAX_TAIL) : DEFAULT_TAIL,
    since: query.get('since') ?? '',
    at: query.get('at') ?? '',
    range: parseRange(query.get('range')),
    follow: query.get('follow') !== '0',
    time: oneOf(query.get('time'), TIME_MODES, 'local'),
    wrap: wrap === null ? undefined : wrap !== '0',
    fold: query.get('fold') !== '0',
    narrow: query.get('narrow') === '1',
    charts: query.get('charts') === '1',
    fleet: query.get('fleet') === '1',
    running: query.get('running') === '1' && query.get('fleet') !== '1' && !query.get('t'),
    sort: oneOf(query.get('sort'), SORTS, ''),
    compare: [...new Set(query.getAll('compare'))].slice(0, 2),
    timeline: (query.get('t') ?? '').slice(0, MAX_RUN),
    versus: (query.get('vs') ?? '').slice(0, MAX_RUN),
    list: query.get('list') === '1',
    panel: oneOf(query.get('panel'), PANELS, 'none'),
    theme: oneOf(query.get('theme'), ['auto', 'dark', 'light'], 'auto'),
    embed: query.get('embed') === '1',
    screen: query.get('screen') === '1',
    keys: query.get('keys') !== '0',
  };
}

/** The parameters whose value is 1 or 0. */
export const FLAGS = [
  'follow',
  'wrap',
  'fold',
  'narrow',
  'charts',
  'fleet',
  'running',
  'list',
  'embed',
  'screen',
  'keys',
];
const OWN = [
  ...['channels', 'ch', 'channel', 'q', 'run', 'source', 'hl', 'level', 'tail', 'since', 'at', 'range'],
  ...['time', 'sort', 'compare', 't', 'vs', 'panel', 'theme', ...FLAGS],
];

/** The query string of a view without its defaults. Parameters in `base` that are not a view's, as `show`, are kept. */
export function formatView(view: ViewState, base = ''): string {
  const query = new URLSearchParams(base);
  for (const name of OWN) query.delete(name);
  const set = (name: string, value: string, unless: string) => value !== unless && query.set(name, value);
  const flag = (name: string, value: boolean, unless: boolean) =>
    set(name, value ? '1' : '0', unless ? '1' : '0');
  const { channels, invalidChannels } = view;
  const isFallback = invalidChannels.length > 0 && channels.join() === '*';
  set('channels', [...(isFallback ? [] : channels), ...invalidChannels].join(','), '*');
  set('q', view.q, '');
  set('hl', view.hl, '');
  set('level', view.level, '');
  set('tail', String(view.tail), String(DEFAULT_TAIL));
  set('since', view.since, '');
  set('at', view.at, '');
  if (view.range) query.set('range', `${view.range.from}..${view.range.to}`);
  flag('follow', view.follow, true);
  set('time', view.time, 'local');
  if (view.wrap !== undefined) query.set('wrap', view.wrap ? '1' : '0');
  flag('fold', view.fold, true);
  flag('narrow', view.narrow, false);
  flag('charts', view.charts, false);
  flag('fleet', view.fleet, false);
  flag('running', view.running, false);
  set('sort', view.sort, '');
  if (view.fleet) for (const source of view.compare) query.append('compare', source);
  set('t', view.timeline, '');
  if (view.timeline !== '') set('vs', view.versus, '');
  flag('list', view.list, false);
  set('panel', view.panel, 'none');
  set('theme', view.theme, 'auto');
  flag('embed', view.embed, false);
  flag('screen', view.screen, false);
  flag('keys', view.keys, true);
  // Commas, colons and asterisks are legal in a query and keep the link readable.
  const text = query.toString().replace(/%2C/g, ',').replace(/%3A/g, ':').replace(/%2A/g, '*');
  return text === '' ? '' : `?${text}`;
}

function parseRange(text: string | null): ViewState['range'] {
  const [, from, to] = /^(\d{1,15})\.\.(\d{1,15})$/.exec(text ?? '') ?? [];
  return from !== undefined && to !== undefined && Number(from) <= Number(to)
    ? { from: Number(from), to: Number(to) }
    : undefined;
}
