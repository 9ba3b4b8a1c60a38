// GET /api/entries: a page of history, as JSON or NDJSON. Channels and filters are those of /stream.

import type { EntriesPage } from '@llm-streamer/shared/api-types.ts';
import { formatPosition } from '@llm-streamer/shared/broker/position.ts';
import type { GapData } from '@llm-streamer/shared/stream-events.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseWhole, text } from '../parameters.ts';
import type { EntriesReader } from '../stream/history/entries-reader.ts';
import { type History, nothingFrom, type SearchResult } from '../stream/history/history.ts';
import { compileFilter } from '../stream/query/filter.ts';
import { FILTER_KEYS, parseSelection, SELECTION_KEYS } from '../stream/query/query.ts';
import { SMALL_ANSWER } from './plugins/answer-budget.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
/** About how many bytes of entries a page holds: it may end before `limit`, and `next` leads on. */
const PAGE_BYTES = 4_194_304;
/** The entries of a page, and the body that they are copied to. */
const ANSWER_BYTES = 2 * PAGE_BYTES;
const KEYS = [...SELECTION_KEYS, 'after', 'before', 'since', 'until', 'limit', 'tail'];

/** This many entries of the usual largest size are a small answer. */
const FEW = 8;

/** A few entries without a filter are read at once; a search may read much of the log, however little it finds. */
function answerBytes({ query }: FastifyRequest): number {
  const { limit, tail, ...others } = query as Record<string, unknown>;
  const isSmall = Number(limit ?? tail) <= FEW && !FILTER_KEYS.some((key) => key in others);
  return isSmall ? SMALL_ANSWER : ANSWER_BYTES;
}

export function entriesRoute(app: FastifyInstance, reader: EntriesReader, history: History): void {
  const options = { config: { needs: 'read', parameters: KEYS, answerBytes } } as const;
  app.get<{ Querystring: Record<string, unknown> }>('/api/entries', options, async (request, reply) => {
    const { query } = request;
    const asks = parseSelection(query);
    const { channels, narrowed } = request.access.readable(asks.channels);
    const selection = { ...asks, channels };
    const asked = text(query, 'limit') ?? text(query, 'tail');
    const limit = asked === undefined ? DEFAULT_LIMIT : parseWhole('limit', asked, 1, MAX_LIMIT);
    const { after, before, upTo } = await reader.bounds(query, Date.now());
    const wanted = { selection, filter: compileFilter(selection) };
    const isAbandoned = () => request.raw.socket.destroyed;
    const bounds = { upTo, limit, bytes: PAGE_BYTES, isAbandoned };
    const found =
      after === undefined
        ? await reader.newest(wanted, { ...bounds, after: 0 })
        : after >= upTo && before !== undefined
          ? { ...nothingFrom(after), done: true }
          : await history.search(wanted, { ...bounds, after });
    await request.confirmRights(); // a search may take seconds

    if (request.headers.accept?.includes('application/x-ndjson')) {
      reply
        .type('application/x-ndjson')
        .header('next', formatPosition(found.next))
        .header('done', `${found.done}`)
        .header('gaps', `${found.gaps.length}`);
      if (narrowed) reply.header('channels', inHeader(channels));
      const lines = found.records.flatMap(({ data }) => [data, NEW_LINE]);
      return reply.send(Buffer.concat(lines));
    }
    return reply.type('application/json').send(toJson(found, narrowed ? channels : undefined));
  });
}

/** Proxies and clients take headers of a few kilobytes only; `...` stands for those that find no room. */
const MAX_HEADER = 3_000;

function inHeader(channels: readonly string[]): string {
  const all = channels.join();
  return all.length <= MAX_HEADER ? all : `${all.slice(0, all.lastIndexOf(',', MAX_HEADER))},...`;
}

const NEW_LINE = Buffer.from('\n');

/** Entries are stored as JSON, so that they are joined and not parsed. */
function toJson({ records, gaps, next, done }: SearchResult, channels?: readonly string[]): Buffer {
  const named: GapData[] = gaps.map((gap) => ({
    ...gap,
    after: formatPosition(gap.after),
    before: formatPosition(gap.before),
  }));
  const rest: Omit<EntriesPage, 'entries'> = {
    gaps: named,
    next: formatPosition(next),
    done,
    ...(channels && { channels }),
  };
  const tail = JSON.stringify(rest).slice(1);
  const parts: Buffer[] = [Buffer.from('{"entries":[')];
  records.forEach(({ data }, i) => {
    if (i > 0) parts.push(COMMA);
    parts.push(data);
  });
  parts.push(Buffer.from(`],${tail}`));
  return Buffer.concat(parts);
}

const COMMA = Buffer.from(',');
