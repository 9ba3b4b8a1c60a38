// What a reader must know about a picture that does not show all that is said now.
import { clockOf } from '../log/time.ts';
import { isFilteredByGateway, streamState } from '../state/store.ts';

/** `now` is the picture's time, and `own` what it has to say besides. */
export function notesOf(now: number, isCounting: boolean, own: readonly string[]): string {
  return [
    ...(streamState.peek().state === 'live' ? [] : [`not live: this is how it was at ${clockOf(now)}`]),
    ...(isCounting ? ['counting what came before'] : []),
    ...own,
    ...(isFilteredByGateway.peek() ? ['only what the gateway’s filter lets through'] : []),
  ].join(' · ');
}
