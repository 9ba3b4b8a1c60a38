// One stream for all that the chat must hear: that runs of the reader begin, wait and end, and the entries of the runs that go on. One,
// because a browser opens six connections to a gateway, for all tabs together. After a cut it goes on where it was.

import type { Entry } from '@llm-streamer/shared/entry.ts';
import { runEventsChannel } from '@llm-streamer/shared/ownership.ts';
import { readHistory } from '../history/page.ts';
import { StreamClient } from '../stream/client.ts';
import { type EntryRow, parseEntry } from '../stream/row.ts';
import type { StreamState } from '../stream/wire.ts';

const PAGE = 2_000;
/** What a page reads of one run at most: the newest. */
const MAX_ENTRIES = 20_000;

export interface FeedListener {
  /** Entries of a run, in their order. */
  onEntries(channel: string, entries: readonly Entry[]): void;
  /** A run of the reader begins, waits or ends. */
  onEvent(entry: Entry): void;
  /** Entries may have been missed: what is shown must be read anew. */
  onGap(): void;
  onStreamState(state: StreamState): void;
}

export class ChatFeed {
  readonly #owner: string;
  readonly #listener: FeedListener;
  readonly #channels = new Set<string>();
  #client: StreamClient | undefined;
  /** The id up to which everything has come; undefined before the first frame. */
  #cursor: string | undefined;
  #isOpen = false;

  constructor(owner: string, listener: FeedListener) {
    this.#owner = owner;
    this.#listener = listener;
  }

  open(): void {
    this.#isOpen = true;
    this.#connect();
  }

  close(): void {
    this.#isOpen = false;
    this.#client?.stop();
    this.#client = undefined;
  }

  /** After the network came back or the page became visible: a pending retry happens now. */
  nudge(): void {
    this.#client?.nudge();
  }

  /** From now on the run's entries are heard. Those before are read with `readRun`, and may come twice. */
  follow(channel: string): void {
    if (this.#channels.has(channel)) return;
    this.#channels.add(channel);
    if (this.#isOpen) this.#connect();
  }

  /** No entries of the run are to come. */
  leave(channel: string): void {
    this.#channels.delete(channel);
  }

  #connect(): void {
    this.#client?.stop();
    const events = runEventsChannel(this.#owner);
    const query = new URLSearchParams({ channels: [events, ...this.#channels].join(), tail: '0' });
    const client: StreamClient = new StreamClient(
      new URL(`stream?${query}`, document.baseURI).href,
      {
        onFrames: (frames) => {
          if (this.#client !== client) return;
          const rows: EntryRow[] = [];
          for (const { event, id, data } of frames) {
            this.#cursor = id ?? this.#cursor;
            if (event === 'gap') this.#listener.onGap();
            const row = event === '' ? parseEntry(data) : undefined;
            if (row) rows.push(row);
          }
          for (const [channel, of] of Map.groupBy(rows, (row) => row.channel)) {
            const entries = of.map(entryOf);
            if (channel !== events) this.#listener.onEntries(channel, entries);
            else for (const entry of entries) this.#listener.onEvent(entry);
          }
        },
        onStreamState: (state) => {
          if (this.#client === client) this.#listener.onStreamState(state);
        },
      },
      this.#cursor,
    );
    this.#client = client;
    client.start();
  }
}

/** The entries that the log has of a run, the oldest first: the newest 20,000, where there are more. */
export async function readRun(channel: string): Promise<Entry[]> {
  const query = new URLSearchParams({ channels: channel, limit: String(PAGE) });
  let rows: EntryRow[] = [];
  for (;;) {
    const page = await readHistory(query);
    rows = [...page.rows.filter((row) => row.kind === 'entry'), ...rows];
    if (page.done || page.next === undefined || rows.length >= MAX_ENTRIES) return rows.map(entryOf);
    query.set('before', page.next);
  }
}

function entryOf(row: EntryRow): Entry {
  return row.json() as unknown as Entry;
}
