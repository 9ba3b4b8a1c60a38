// What the panels show, as signals: the reader's view (which is the URL) and figures of the stream, set once a frame.
import { signal } from '@preact/signals';
import type { Fold } from '../log/fold.ts';
import type { FollowMode } from '../log/follow.ts';
import type { EntryRow } from '../stream/row.ts';
import type { StreamState } from '../stream/wire.ts';
import { formatView, parseView, type ViewState } from './view-state.ts';

export interface Figures {
  mode: FollowMode;
  unseen: number;
  unseenErrors: number;
  kept: number;
  /** Lines of the view, gaps and marks among them. */
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
  perSecond: number;
  errorsPerSecond: number;
  spark: string;
}

export const viewState = signal<ViewState>(parseView(location.search));
export const link = signal<StreamState>({ state: 'connecting', reason: 'connecting' });
export const sharing = signal({ streams: 1, tabs: 1 });
/** Why the filter in the input is not the one that is applied. */
export const filterProblem = signal('');
/** The entry or fold whose detail is open. */
export const opened = signal<EntryRow | Fold | undefined>(undefined);
/** Milliseconds between the opened entry and the one before it in the view. */
export const sincePrevious = signal<number | undefined>(undefined);
export const helpOpen = signal(false);
/** A short word about what was just done: copied, exported. */
export const notice = signal('');

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
  perSecond: 0,
  errorsPerSecond: 0,
  spark: '',
});

/** Changes the view; `push` makes it a step of the back button. */
export function update(patch: Partial<ViewState>, history: 'push' | 'replace' = 'push'): void {
  // Other channels have no place for the entry that was under the cursor, nor for where the reader held still.
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

export function say(text: string): void {
  notice.value = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(
    () => {
      notice.value = '';
    },
    2_000 + text.length * 40,
  );
}
