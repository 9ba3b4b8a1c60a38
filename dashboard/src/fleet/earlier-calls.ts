// Calls of tools from before the page's first entry that have not returned, by source: of the newest thousand entries that say
// `tool.`, the calls of which their runs say nothing more.
import { effect, untracked } from '@preact/signals';
import { FIRST_LIMIT, nextLimit, readHistory } from '../history/page.ts';
import { logTimeOf } from '../pictures/entry-feed.ts';
import { streamState } from '../state/store.ts';
import type { EntryRow } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import { OpenCalls } from './open-calls.ts';

/** Entries that are looked at, of all runs and then of each. */
const NEWEST = 1_000;
/** Each run costs a search: those that wait longest are looked up. */
const MAX_RUNS = 16;

/** Where the channels that are shown have their entries. */
export interface EarlierSource {
  session: Pick<Session, 'buffer' | 'historyQuery'>;
  onCleared(listener: () => void): void;
}

/** Reads them once for each stream, as soon as that is live: a run may hang in a call that was made long before the page was opened. */
export class EarlierReader {
  readonly #source: EarlierSource;
  readonly #onRead: (earlier: EarlierCalls) => void;
  #reading: Promise<EarlierCalls> | undefined;
  isReading = false;

  constructor(source: EarlierSource, onRead: (earlier: EarlierCalls) => void) {
    this.#source = source;
    this.#onRead = onRead;
    source.onCleared(() => this.#forget());
    effect(() => {
      const isLive = streamState.value.state === 'live';
      untracked(() => isLive && this.#read());
    });
  }

  #read(): void {
    if (this.#reading) return;
    const reading = EarlierCalls.of(this.#source.session);
    this.#reading = reading;
    this.isReading = true;
    reading
      .then((earlier) => {
        if (reading !== this.#reading) return;
        this.isReading = false;
        this.#onRead(earlier);
      })
      .catch(() => reading === this.#reading && this.#forget()); // the next stream tries again
  }

  #forget(): void {
    this.#reading = undefined;
    this.isReading = false;
  }
}

export class EarlierCalls {
  readonly bySource = new Map<string, { calls: OpenCalls; last: EntryRow }>();
  #runs = new Set<string>();

  /** @throws Error if the history cannot be read */
  static async of(session: EarlierSource['session']): Promise<EarlierCalls> {
    const earlier = new EarlierCalls();
    await earlier.#read(session.historyQuery(), session.buffer.oldestId);
    for (const row of session.buffer.entryRows()) earlier.#follow(row);
    return earlier;
  }

  async #read(query: URLSearchParams, before: string | undefined): Promise<void> {
    // The gateway filters already: a second text or run cannot be asked for.
    if (query.has('q') || query.has('run')) return;
    if (before !== undefined) query.set('before', before);
    query.set('q', 'tool.');
    for (const row of await newestOf(query)) this.#count(row);
    const waiting = [...this.bySource.values()].flatMap(({ calls }) => calls.all);
    waiting.sort((a, b) => a.at - b.at);
    const runs = waiting.flatMap(({ run }) => run ?? []);
    this.#runs = new Set(runs.slice(0, MAX_RUNS));
    for (const { calls } of this.bySource.values()) calls.keep(this.#runs);
    query.delete('q');
    for (const run of this.#runs) {
      query.set('run', run);
      for (const row of await newestOf(query)) this.#follow(row);
    }
  }

  /** An entry after the call: it may say what has become of it. */
  #follow(row: EntryRow): void {
    if (row.run === undefined || !this.#runs.has(row.run)) return;
    this.bySource.get(row.source)?.calls.count(row, logTimeOf(row));
  }

  #count(row: EntryRow): void {
    const known = this.bySource.get(row.source) ?? { calls: new OpenCalls(), last: row };
    known.last = row;
    known.calls.count(row, logTimeOf(row));
    this.bySource.set(row.source, known);
  }
}

/** In the order of the log; in pages, since one of a thousand large entries would hold the page for longer than 50 ms. */
async function newestOf(asked: URLSearchParams): Promise<EntryRow[]> {
  const query = new URLSearchParams(asked);
  let newest: EntryRow[] = [];
  for (let limit = FIRST_LIMIT; limit > 0; ) {
    query.set('limit', String(limit));
    const { rows, next, done } = await readHistory(query);
    const entries = rows.filter((row) => row.kind === 'entry');
    newest = [...entries, ...newest];
    if (done || next === undefined || entries.length === 0) break;
    query.set('before', next);
    limit = Math.min(nextLimit(entries), NEWEST - newest.length);
  }
  return newest;
}
