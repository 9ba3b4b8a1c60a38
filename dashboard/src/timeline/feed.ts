// Brings the entries of one run to its model: what the log has of it, the newest first, and at the same time what comes live. A run of
// this gateway is read from its own channel, every other one from the channels that are shown. Nothing is counted twice, and what
// could not be had is said.
import { RUN_PREFIX } from '@llm-streamer/shared/channels.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { type OwnedKey, ownedKey, partsOf, runChannel } from '@llm-streamer/shared/ownership.ts';
import { FIRST_LIMIT, nextLimit, readHistory } from '../history/page.ts';
import { StreamClient } from '../stream/client.ts';
import { type EntryRow, parseEntry } from '../stream/row.ts';
import { MAX_ENTRIES, type Picture, RunModel } from './model.ts';

/** The status for a channel that the reader may not read, whether it exists or not. */
const FORBIDDEN = 403;
/** A page with a filter that is not full has searched 100,000 entries. */
const MAX_SEARCHES = 10;
/** The time for counting entries, of each frame. */
const SLICE_MS = 8;

export interface FeedOptions {
  /** `<run>`, or `<owner>/<run>`. */
  key: string;
  /** Who looks at the page; '' where nobody signs in. */
  reader: string;
  /** The channels that are shown. */
  channels: readonly string[];
  onChange(): void;
}

export class RunFeed {
  readonly model: RunModel;
  readonly #options: FeedOptions;
  readonly #run: string;
  #waiting: EntryRow[] = [];
  /** What came before it was known from where the run is read. */
  #early: EntryRow[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #client: StreamClient | undefined;
  #isOwn: boolean | undefined;
  #isReading = true;
  #isStopped = false;
  #isCut = false;
  #isTrimmed = false;
  /** Whether reading has stopped because no more fit. */
  #isFull = false;
  #problem = '';
  #isLive = true;
  /** Whether it must be read anew once the gateway lets the reader in again, or can be reached. */
  isBroken = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#run = options.key.includes('/') ? partsOf(options.key as OwnedKey).id : options.key;
    this.model = new RunModel(this.#run);
    this.#read().catch((error: unknown) => {
      this.#isReading = false;
      this.isBroken = true;
      this.#problem = error instanceof Error ? error.message : 'its history could not be read';
      options.onChange();
    });
  }

  /** An entry of the channels that are shown. */
  onEntry(row: EntryRow): void {
    if (row.run !== this.#run || this.#isOwn === true) return;
    if (this.#isOwn === undefined) this.#early.push(row);
    else this.#take([row]);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#client?.stop();
  }

  get isReading(): boolean {
    return this.#isReading || this.#waiting.length > 0;
  }

  /** What the reader must know of what is missing; `isLive` says whether the page's stream is. */
  notes({ isBegun, isRunning, lacksBeginning }: Picture, isLive: boolean): string[] {
    const { dropped, entries } = this.model;
    const notes: string[] = [];
    if (this.isReading) notes.push('reading what came before');
    if (this.#problem !== '') notes.push(`what came before could not be read: ${this.#problem}`);
    if (!this.#isLive || (isRunning && !isLive)) notes.push('not live');
    if (this.#isTrimmed) notes.push('the log no longer has all of it');
    else if (this.#isCut && !isBegun) notes.push('its beginning was not found in the newest million entries');
    else if (!this.isReading && dropped === 0 && lacksBeginning)
      notes.push('its beginning was not logged, or is no longer kept');
    if (dropped > 0)
      notes.push(
        `${this.#isFull ? 'at least ' : ''}${dropped.toLocaleString('en')} entries left out: only ${entries.toLocaleString('en')} fit`,
      );
    if (!this.isReading && entries === 0 && this.#problem === '')
      notes.push('no entries of this run are kept');
    return notes;
  }

  async #read(): Promise<void> {
    const channel = this.#ownChannel();
    const own = channel === undefined ? undefined : await this.#readOwn(channel);
    this.#isOwn = own !== undefined;
    if (own === undefined) this.#take(this.#early);
    this.#early = [];
    if (own === undefined) await this.#readShown();
    else if (channel !== undefined && !this.#isStopped) this.#follow(channel, own);
    this.#isReading = false;
    this.#options.onChange();
  }

  /** The channel that the run has if this gateway, or another one on the same log, does it. */
  #ownChannel(): string | undefined {
    const { key, reader } = this.#options;
    const parts = key.split('/');
    if (parts.length > 2 || !parts.every((part) => /^[A-Za-z0-9_.-]{1,128}$/.test(part))) return undefined;
    return key.includes('/') ? `${RUN_PREFIX}${key}` : runChannel(ownedKey(reader, key));
  }

  /** Gives the id after which the channel goes on; undefined if there is no such channel, or the reader may not read it. */
  async #readOwn(channel: string): Promise<string | undefined> {
    const query = new URLSearchParams({ channels: channel, limit: String(FIRST_LIMIT) });
    const page = await readHistory(query).catch((error: unknown) => {
      if (error instanceof Error && error.cause === FORBIDDEN) return undefined;
      throw error;
    });
    let newest: string | undefined;
    let read = 0;
    for (let next = page; next; ) {
      const rows = next.rows.filter((row) => row.kind === 'entry');
      newest ??= rows.at(-1)?.id;
      if (next.rows.length > rows.length) this.#isTrimmed = true;
      this.#take(rows);
      read += rows.length;
      if (this.#isStopped || next.done || next.next === undefined || this.#isEnough(read)) break;
      query.set('before', next.next);
      query.set('limit', String(nextLimit(rows)));
      next = await readHistory(query);
    }
    return newest;
  }

  async #readShown(): Promise<void> {
    const query = new URLSearchParams({
      channels: this.#options.channels.join(','),
      run: this.#run,
      limit: String(FIRST_LIMIT),
    });
    // Entries of the run may stand before its first one, if several programs write: the page before that is read, too.
    let isBegun = false;
    let read = 0;
    let limit = FIRST_LIMIT;
    for (let searches = 0; searches < MAX_SEARCHES; ) {
      const page = await readHistory(query);
      const rows = page.rows.filter((row) => row.kind === 'entry');
      this.#take(rows);
      read += rows.length;
      if (rows.length < limit) searches++;
      if (this.#isStopped || isBegun || page.done || page.next === undefined || this.#isEnough(read)) return;
      isBegun = rows.some(({ event }) => event === EVENTS.runStarted);
      query.set('before', page.next);
      limit = nextLimit(rows);
      query.set('limit', String(limit));
    }
    this.#isCut = true;
  }

  /** Whether more would only be left out. It reads one page beyond what fits, so that the model has left something out and says so. */
  #isEnough(read: number): boolean {
    this.#isFull = read > MAX_ENTRIES || this.model.dropped > 0;
    return this.#isFull;
  }

  /** Reads the run's own channel on from there, until the run ends. */
  #follow(channel: string, after: string): void {
    const url = new URL(`stream?${new URLSearchParams({ channels: channel })}`, document.baseURI).href;
    const client = new StreamClient(
      url,
      {
        onFrames: (frames) => {
          if (this.#client !== client) return;
          this.#take(frames.flatMap(({ event, data }) => (event === '' ? (parseEntry(data) ?? []) : [])));
          if (frames.some(({ event }) => event === 'gap')) this.#isTrimmed = true;
        },
        onStreamState: ({ state }) => {
          this.#isLive = state === 'live' || state === 'connecting';
          if (state === 'refused' || state === 'forbidden') this.isBroken = true;
          this.#options.onChange();
        },
      },
      after,
    );
    this.#client = client;
    client.start();
  }

  #take(rows: readonly EntryRow[]): void {
    if (rows.length === 0 || this.#isStopped) return;
    for (const row of rows) this.#waiting.push(row);
    this.#timer ??= setTimeout(() => this.#count());
  }

  #count(): void {
    const deadline = performance.now() + SLICE_MS;
    let next = 0;
    while (next < this.#waiting.length && performance.now() < deadline) {
      const row = this.#waiting[next++];
      if (row) this.model.count(row);
    }
    this.#waiting = this.#waiting.slice(next);
    this.#timer = this.#waiting.length > 0 ? setTimeout(() => this.#count()) : undefined;
    this.#options.onChange();
  }

  /** To call when the run has ended: nothing more comes on its own channel. */
  stopFollowing(): void {
    this.#client?.stop();
    this.#client = undefined;
    this.#isLive = true;
  }
}
