// search_entries and wait_for_entries: the pages of GET /api/entries and the live entries of GET /stream, as lines for a model.

import type { Gap } from '@llm-streamer/shared/broker/broker.ts';
import { formatPosition, type Position, timeOf } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import type { CallToolResult } from '@modelcontextprotocol/server';
import { type Params, parseEntryId, parseWhole, text } from '../parameters.ts';
import type { EntriesReader } from '../stream/history/entries-reader.ts';
import { type History, nothingFrom } from '../stream/history/history.ts';
import { compileFilter } from '../stream/query/filter.ts';
import type { FilteredSelection } from '../stream/query/filtered-selection.ts';
import { parseSelection } from '../stream/query/query.ts';
import { answer, fitting } from './answer.ts';
import { accessChanged, type Caller } from './caller.ts';
import { entryLine, timeText } from './entry-line.ts';
import { pageLink } from './page-link.ts';
import type { Waits } from './waits.ts';

export const DEFAULT_LIMIT = 50;
export const MAX_LIMIT = 200;
export const DEFAULT_SINCE = '15m';
export const DEFAULT_WAIT = 20;
/** Seconds. Clients end a call that lasts longer than a minute, and proxies often one of half a minute. */
export const MAX_WAIT = 25;

/** About the bytes of entries that are read for an answer: many more than it has room for, unless they are long. */
const PAGE_BYTES = 1_048_576;
/** What such a search may take: the page that it reads, and what it has found. */
const SEARCH_BYTES = 4 * PAGE_BYTES;
const MAX_GAPS = 5;
/** Characters of the filter that an answer repeats. */
const MAX_NAMED = 300;

interface Asked extends FilteredSelection {
  /** What was asked for, before it was narrowed. */
  channels: readonly string[];
  narrowed: boolean;
  limit: number;
}

export interface EntriesServices {
  reader: EntriesReader;
  history: History;
  waits: Waits;
}

export class EntriesTools {
  readonly #reader: EntriesReader;
  readonly #history: History;
  readonly #waits: Waits;

  constructor({ reader, history, waits }: EntriesServices) {
    this.#reader = reader;
    this.#history = history;
    this.#waits = waits;
  }

  /** The newest entries that pass, oldest first. @throws CodedError as GET /api/entries does */
  async search(args: Params, caller: Caller): Promise<CallToolResult> {
    const query = { ...args, since: text(args, 'since') ?? DEFAULT_SINCE };
    const asked = readFilter(query, caller);
    const { after: since, upTo } = await this.#reader.bounds(query, Date.now());
    const after = since as Position;
    const { found, missing } = await caller.withRoom(SEARCH_BYTES, async () => {
      if (after >= upTo) return { found: { ...nothingFrom(after), done: true }, missing: [] };
      const isAbandoned = () => caller.gone.aborted;
      const range = { after, upTo, limit: asked.limit, bytes: PAGE_BYTES, isAbandoned };
      // Reading backwards names no gaps, and reading forwards names all of them at once.
      const { gaps } = await this.#history.search(
        { selection: asked.selection, filter: null },
        { ...range, limit: 1, positionsOnly: true },
      );
      return { found: await this.#reader.newest(asked, range), missing: gaps };
    });
    await confirm(asked, caller);

    const lines = fitting(found.records.map(({ entry }) => entryLine(entry)).reverse()).reverse();
    const older = found.records.length > lines.length ? found.records.at(-lines.length)?.n : undefined;
    const before = older ?? (found.done ? undefined : found.next);
    const from = timeText(timeOf(after));
    return answer(`${count(lines)} of ${told(asked)} since ${from}, oldest first.`, lines, [
      ...gapsTold([...missing, ...found.gaps]),
      before === undefined
        ? `There are no others since ${from}.`
        : `There may be older ones: go on with before="${formatPosition(before)}" and since="${from}".`,
      `On the page: ${pageLink(caller.page, asked.selection, from)}`,
    ]);
  }

  /** Returns at the first entry that passes, or at the end of the time. @throws CodedError as GET /stream does */
  async wait(args: Params, caller: Caller): Promise<CallToolResult> {
    const asked = readFilter(args, caller);
    const given = text(args, 'after');
    const seconds = parseWhole('wait', text(args, 'wait') ?? `${DEFAULT_WAIT}`, 0, MAX_WAIT);
    const begin = given === undefined ? await this.#history.head() : parseEntryId('after', given);
    const wait = await this.#waits.open(asked.selection, caller);
    try {
      const over = AbortSignal.any([AbortSignal.timeout(seconds * 1_000), caller.gone, wait.stopping]);
      const found = await this.#firstAfter(
        begin,
        asked,
        caller,
        () => wait.listen(),
        () => wait.news(over),
      );
      await confirm(asked, caller);
      const lines = fitting(found.records.map(({ entry }) => entryLine(entry)));
      const last = (found.records[lines.length - 1] as LogRecord | undefined)?.n;
      const next = formatPosition(
        lines.length < found.records.length && last !== undefined ? last : found.next,
      );
      const said = lines.length > 0 || found.gaps.length > 0 ? 'oldest first' : `within ${seconds} s`;
      return answer(`${count(lines)} of ${told(asked)} after ${formatPosition(begin)}, ${said}.`, lines, [
        ...gapsTold(found.gaps),
        ...(wait.stopping.aborted ? ['This gateway is stopping: another one goes on from here.'] : []),
        `Go on with after="${next}".`,
        `On the page: ${pageLink(caller.page, asked.selection, formatPosition(begin))}`,
      ]);
    } finally {
      wait.close();
    }
  }

  async #firstAfter(
    begin: Position,
    asked: Asked,
    caller: Caller,
    listen: () => void,
    news: () => Promise<boolean>,
  ) {
    let after = begin;
    for (;;) {
      listen();
      const upTo = await this.#history.head();
      const range = {
        after,
        upTo,
        limit: asked.limit,
        bytes: PAGE_BYTES,
        isAbandoned: () => caller.gone.aborted,
      };
      const found = await caller.withRoom(SEARCH_BYTES, () => this.#history.search(asked, range));
      if (found.count > 0 || found.gaps.length > 0 || !(await news())) return found;
      after = found.next;
    }
  }
}

function readFilter(args: Params, { access }: Caller): Asked {
  const { channels, ...filter } = parseSelection(args);
  const limit = parseWhole('limit', text(args, 'limit') ?? `${DEFAULT_LIMIT}`, 1, MAX_LIMIT);
  const { channels: readable, narrowed } = access.readable(channels);
  const selection = { ...filter, channels: readable };
  return { channels, narrowed, limit, selection, filter: compileFilter(selection) };
}

async function confirm({ channels, selection }: Asked, caller: Caller): Promise<void> {
  await caller.confirmRights();
  if (caller.access.readable(channels).channels.join() !== selection.channels.join()) throw accessChanged();
}

function count(lines: readonly string[]): string {
  return lines.length === 1 ? '1 entry' : `${lines.length || 'No'} entries`;
}

/** The filter in words of the caller himself, which need no fence. */
function told({ selection, narrowed }: Asked): string {
  const { channels, level, source, run, q } = selection;
  const terms = [level && `level=${level}`, source && `source=${source}`, run && `run=${run}`, q && `q=${q}`];
  const all = [channels.join(), ...terms].filter((part) => part !== undefined).join(' ');
  const named = all.length <= MAX_NAMED ? all : `${all.slice(0, MAX_NAMED).toWellFormed()}…`;
  return narrowed ? `${named} (of what you asked for, all that you may read)` : named;
}

function gapsTold(gaps: readonly Gap[]): string[] {
  const told = gaps.slice(0, MAX_GAPS).map(({ channel, after, before, reason, missed }) => {
    const many = missed === null ? 'entries' : `${missed} entries`;
    const where = `${channel ?? 'these channels'} between ${formatPosition(after)} and ${formatPosition(before)}`;
    const why =
      reason === 'scan_limit' ? 'were not searched: ask for a shorter time' : `are missing (${reason})`;
    return `Gap: ${many} of ${where} ${why}.`;
  });
  const more = gaps.length - told.length;
  return more > 0 ? [...told, `And ${more} more gaps.`] : told;
}
