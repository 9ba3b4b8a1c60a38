// What a reader must know about a picture that does not show all that is said now.
import { clockOf } from '../log/time.ts';
import { filter, streamState, viewState } from '../state/store.ts';

/** `now` is the picture's time, and `own` what it has to say besides. */
export function notesOf(now: number, isCounting: boolean, own: readonly string[]): string {
  const isFiltered = viewState.peek().narrow && Object.keys(filter.peek().server).length > 0;
  return [
    ...(streamState.peek().state === 'live' ? [] : [`not live: this is how it was at ${clockOf(now)}`]),
    ...(isCounting ? ['counting what came before'] : []),
    ...own,
    ...(isFiltered ? ['only what the gateway’s filter lets through'] : []),
  ].join(' · ');
}
