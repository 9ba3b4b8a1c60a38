// The page's state lives in this folder alone, and flows one way: an event sets signals, and the screen follows them.
// The reader and the stream cause the events; app.ts brings the session and the log to the state; panels read it. What
// only one component can know (a scroll position, a DOM node, the rows themselves) stays in it, and is published here
// as figures where others show it.
import { computed, signal } from '@preact/signals';
import type { Filter } from '../log/filter.ts';
import type { Fold } from '../log/fold.ts';
import type { FollowMode } from '../log/follow.ts';
import type { Pattern } from '../regex/pattern.ts';
import type { EntryRow, Row } from '../stream/row.ts';
import type { StreamState } from '../stream/wire.ts';
import { formatView, parseView, type ViewState } from './view-state.ts';

export interface Figures {
  mode: FollowMode;
  unseen: number;
  unseenErrors: number;
  kept: number;
  /** Lines of the list; gaps and marks are counted, too. */
  lines: number;
  hidden: number;
  evicted: number;
  received: number;
  lost: number;
  unknownGaps: number;
  checks: number;
  checkedAt: number;
  duplicates: number;
  lag: number;
  live: boolean;
  gateway: string;
  /** What of the view's channels may be read, where that is not all. */
  narrowedTo: readonly string[] | undefined;
  perSecond: number;
  errorsPerSecond: number;
  spark: string;
}

/** The reader's choices, which are also the URL. */
export const viewState = signal<ViewState>(parseView(location.search));
export const streamState = signal<StreamState>({ state: 'connecting', reason: 'connecting' });
/** Streams that this browser holds open to this host, and tabs that share this tab's stream. */
export const sharing = signal({ streams: 1, tabs: 1 });

/** The filter of a view that says nothing about its rows. */
export const EVERYTHING: Filter = {
  test: () => true,
  why: () => '',
  hits: [],
  server: {},
  rest: [],
};
/** The latest filter that could be compiled; it is the one applied. */
export const filter = signal(EVERYTHING);
/** Why the filter in the input is not the one that is applied. */
export const filterProblem = signal('');
/** What is highlighted in messages. */
export const hits = signal<readonly Pattern[]>([]);

/** The row under the cursor. */
export const cursorRow = signal<Row | undefined>(undefined);
/** The entry or fold whose detail is open. */
export const opened = signal<EntryRow | Fold | undefined>(undefined);
/** Milliseconds between the opened entry and the entry before it in the list. */
export const sincePrevious = signal<number | undefined>(undefined);
/** Keys of the generations that are shown entry by entry. */
export const unfolded = signal<ReadonlySet<string>>(new Set());
/** The run whose rows are marked, because the reader points at it in the run panel. */
export const linkedRun = signal<string | undefined>(undefined);

export const helpOpen = signal(false);
/** A short sentence about what was just done, for example copied or exported. */
export const notice = signal('');

const narrow = matchMedia('(max-width: 700px)');
const isNarrow = signal(narrow.matches);
narrow.addEventListener('change', () => {
  isNarrow.value = narrow.matches;
});
/** Whether long lines are wrapped: as the reader chose, else on narrow screens. */
export const isWrapped = computed(() => viewState.value.wrap ?? isNarrow.value);
/** Whether the gateway leaves out what the filter hides, so that nobody here knows how much that is. */
export const isFilteredByGateway = computed(
  () => viewState.value.narrow && Object.keys(filter.value.server).length > 0,
);
/** Whether a picture is shown instead of the log. */
export const isPictureOpen = computed(() => {
  const { fleet, running, timeline } = viewState.value;
  return fleet || running || timeline !== '';
});

export const figures = signal<Figures>({
  mode: 'follow',
  unseen: 0,
  unseenErrors: 0,
  kept: 0,
  lines: 0,
  hidden: 0,
  evicted: 0,
  received: 0,
  lost: 0,
  unknownGaps: 0,
  checks: 0,
  checkedAt: 0,
  duplicates: 0,
  lag: 0,
  live: false,
  gateway: '',
  narrowedTo: undefined,
  perSecond: 0,
  errorsPerSecond: 0,
  spark: '',
});

/** Changes the reader's choices and the URL with them; `push` makes the change a step of the back button. */
export function updateView(patch: Partial<ViewState>, history: 'push' | 'replace' = 'push'): void {
  // Other channels do not contain the entry under the cursor, nor the place where the reader stopped following.
  const next = {
    ...viewState.value,
    ...(patch.channels && { at: '', follow: true, invalidChannels: [] }),
    ...patch,
  };
  const search = formatView(next, location.search);
  if (search !== location.search) {
    const url = `${location.pathname}${search}${location.hash}`;
    if (history === 'push') globalThis.history.pushState(null, '', url);
    else globalThis.history.replaceState(null, '', url);
  }
  viewState.value = next;
}

addEventListener('popstate', () => {
  viewState.value = parseView(location.search);
});

let noticeTimer: ReturnType<typeof setTimeout> | undefined;

/** Shows a notice for as long as reading it takes. */
export function showNotice(text: string): void {
  notice.value = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(
    () => {
      notice.value = '';
    },
    2_000 + text.length * 40,
  );
}
