import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Folds } from '../../src/log/folds.ts';
import { RowList, type RowListOptions } from '../../src/log/row-list.ts';
import { linesOf } from '../../src/log/text.ts';
import { LogBuffer } from '../../src/stream/buffer.ts';
import { type EntryRow, MarkRow, type Row } from '../../src/stream/row.ts';
import { delta, entry } from '../rows.ts';

const FOLDED: RowListOptions = {
  test: () => true,
  folds: Folds,
  unfolded: new Set(),
  columns: 0,
  headLines: 0,
  why: () => '',
};

/** A list that has taken in the rows one by one, as a page does that is live. */
function listOf(rows: readonly Row[], options: Partial<RowListOptions> = {}, maxRows?: number): RowList {
  const buffer = new LogBuffer(maxRows);
  const list = new RowList(buffer, { ...FOLDED, ...options });
  for (const row of rows) {
    buffer.append(row);
    list.catchUp();
  }
  return list;
}

/** Each row of the list: what stands before its text, without spaces that only align it, and its text. */
function shown(list: RowList): string[] {
  return items(list).map((item) => {
    if (item.kind === 'gap') return 'gap';
    if (item.kind === 'mark') return item.text;
    return `${item.kind === 'fold' ? item.label : ''}${item.kind === 'fold' ? item.text : item.msg}`.replace(
      / +/g,
      ' ',
    );
  });
}

function items(list: RowList) {
  const all = Array.from({ length: list.size }, (_, i) => list.get(list.first + i));
  return all.flatMap((item) => (item ? [item] : []));
}

const told = (event: string, msg: string, fields: Record<string, unknown> = {}) =>
  entry({ event, msg, run: 'a', ...fields, attrs: { lane: 'llm-1', ...(fields.attrs as object) } });
const queued = (msg = 'queued') => told('request.queued', msg);
const started = (msg = 'started') => told('generation.started', msg);
const finished = (attrs = {}, fields = {}) => told('generation.finished', 'done', { ...fields, attrs });
const failed = (msg: string, level: string) => told('generation.failed', msg, { level });
const deltaAt = (time: number, msg: string) => told('generation.delta', msg, { time });
const numbers = (source: string, msg: string, fields = {}) =>
  entry({ event: 'server.metrics', source, msg, ...fields });

describe('a generation', () => {
  it('is one row that changes in its place, from the queue to its end', () => {
    const rows: Row[] = [];
    const grown = (...more: Row[]) => {
      rows.push(...more);
      return shown(listOf(rows));
    };
    expect(grown(queued('2 waiting'))).toEqual(['▹ llm-1 2 waiting']);
    expect(grown(started('7 prompt tokens'))).toEqual(['▸ llm-1 7 prompt tokens']);
    expect(grown(entry({ msg: 'a line between' }), delta('a', 'Hel', 3))).toEqual([
      '▸ llm-1 ≈3t Hel',
      'a line between',
    ]);
    const end = {
      'gen_ai.usage.output_tokens': 120,
      duration_s: 2.6,
      'gen_ai.response.time_to_first_chunk': 0.6,
    };
    expect(grown(delta('a', 'lo', 2), finished(end))).toEqual([
      '✓ llm-1 2.60s 120t 60/s Hello',
      'a line between',
    ]);
  });

  it('takes in what its server says about it for debugging, but not the lines of others', () => {
    const debug = (source: string) =>
      entry({ level: 'debug', source, run: 'a', msg: `of ${source}`, attrs: { lane: 'llm-1' } });
    expect(shown(listOf([started(), debug('test'), debug('agent'), finished(), debug('test')]))).toEqual([
      expect.stringMatching(/^✓/),
      'of agent',
      'of test',
    ]);
  });

  it('that failed is red, says why, and leaves its failure where it happened', () => {
    const list = listOf([
      started(),
      delta('a', 'Hel'),
      entry({ msg: 'x' }),
      failed('out of memory', 'error'),
    ]);
    expect(shown(list)).toEqual([expect.stringMatching(/^✕ .*out of memory$/), 'x', 'out of memory']);
    expect(items(list).map((item) => item.kind !== 'gap' && item.kind !== 'mark' && item.level)).toEqual([
      4, 2, 4,
    ]);
    expect(list.errors).toBe(1);
  });

  it('that somebody cancelled is no failure', () => {
    const list = listOf([delta('a', 'Hel'), failed('cancelled', 'info')]);
    expect(shown(list)).toEqual([expect.stringMatching(/^✕ .*Hel$/)]);
    expect(items(list)).toMatchObject([{ level: 2 }]);
  });

  it('takes in what was late on its way', () => {
    const late = deltaAt(finished().time + 100, 'lo');
    expect(shown(listOf([delta('a', 'Hel'), finished(), late]))).toEqual([
      expect.stringMatching(/^✓ .*Hello$/),
    ]);
  });

  it('is told apart from the next one of its lane, also where its own end was not heard', () => {
    const next = deltaAt(finished().time + 5_000, 'two');
    expect(shown(listOf([delta('a', 'one'), finished(), next, started(), delta('a', 'three')]))).toEqual([
      expect.stringMatching(/^✓ .*one$/),
      expect.stringMatching(/^○ .*two$/),
      expect.stringMatching(/^▸ .*three$/),
    ]);
  });

  it('is one row where its beginning and end are told on two channels', () => {
    const twice = (row: () => EntryRow, copy: () => EntryRow) => [row(), copy()];
    const on = (channel: string) => ({ channel });
    expect(
      shown(
        listOf([
          ...twice(started, () => told('generation.started', 'started', on('logs:generation'))),
          delta('a', 'text'),
          ...twice(finished, () => finished({}, on('logs:generation'))),
        ]),
      ),
    ).toEqual([expect.stringMatching(/^✓ .*text$/)]);
  });

  it('shows as its text what came after its reasoning', () => {
    const retracted = told('generation.retracted', 'that was reasoning', { level: 'debug' });
    expect(shown(listOf([delta('a', 'hmm'), retracted, delta('a', 'yes')]))).toEqual([
      expect.stringMatching(/ yes$/),
    ]);
  });

  it('marks its tokens as an estimate until its end has the service’s number', () => {
    const count = { 'gen_ai.usage.output_tokens': 5 };
    expect(shown(listOf([delta('a', 'x', 3)]))[0]).toContain(' ≈3t');
    expect(shown(listOf([delta('a', 'x', 3), finished(count)]))[0]).toContain(' 5t');
    expect(shown(listOf([delta('a', 'x', 3), finished()]))[0]).toContain(' ≈3t');
  });

  it('without its first deltas has the speed that its end reports, or that of the deltas here', () => {
    const at = (time: number) => told('generation.delta', 'x', { time, attrs: { tokens: 20 } });
    const count = { 'gen_ai.usage.output_tokens': 400 };
    const times = { duration_s: 10.5, 'gen_ai.response.time_to_first_chunk': 0.5 };
    expect(shown(listOf([at(1_000), at(2_000)]))[0]).toContain(' 40/s');
    expect(shown(listOf([at(1_000), at(2_000), finished(count)]))[0]).toContain(' 40/s');
    expect(shown(listOf([at(1_000), finished({ ...count, ...times })]))[0]).toContain(' 40/s');
    expect(shown(listOf([at(1_000), finished({ ...count, duration_s: 8 })]))[0]).toContain(' 50/s');
  });

  it('is shown whatever its attributes are', () => {
    const odd = { toString: 1, valueOf: 1 };
    const lane = { attrs: { lane: odd, span_id: 's', tokens: odd } };
    const end = { ...lane.attrs, duration_s: odd, 'gen_ai.usage.output_tokens': odd };
    expect(
      shown(
        listOf([
          entry({ event: 'generation.delta', run: 'a', msg: 'x', ...lane }),
          entry({ event: 'generation.finished', run: 'a', msg: 'done', attrs: end }),
          entry({ event: 'generation.delta', run: 'b', msg: 'y', attrs: { lane: odd } }),
        ]),
      ),
    ).toEqual([expect.stringMatching(/^✓ .*x$/), expect.stringMatching(/^▸ .*y$/)]);
  });

  it('has the beginning, the end and the lines of its text as if it were made anew, whatever comes and is evicted', () => {
    const retracted = () => told('generation.retracted', 'reasoning', { level: 'debug' });
    const making = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.string({ unit: 'grapheme', maxLength: 60 }).map((msg) => () => delta('a', msg)),
      },
      fc.constantFrom(retracted, () => told('generation.retracted', 'r', { level: 'warn' })),
      fc.constantFrom(
        () => entry({ msg: 'x' }),
        finished,
        () => failed('no', 'error'),
      ),
    );
    fc.assert(
      fc.property(fc.array(making, { maxLength: 60 }), fc.integer({ min: 3, max: 80 }), (makers, maxRows) => {
        const rows = makers.map((make) => make());
        const list = listOf(rows, { columns: 10 }, maxRows);
        for (const item of items(list)) {
          if (item.kind !== 'fold') continue;
          expect([item.text.startsWith(item.beginning), item.ending(7)]).toEqual([true, item.text.slice(-7)]);
          expect(list.linesAt(item.place)).toBe(linesOf(item, list.options));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('that never ends is read at each change no further than a row shows it', () => {
    let read = 0;
    const counted = () => {
      const row = delta('a', 'wörd '.repeat(10));
      const { msg } = row;
      Object.defineProperty(row, 'msg', { get: () => read++ < 0 || msg });
      return row;
    };
    let measured = 0;
    const why = () => {
      measured++;
      return '';
    };
    const rows = Array.from({ length: 10_000 }, counted);
    const buffer = new LogBuffer(rows.length);
    const list = new RowList(buffer, { ...FOLDED, columns: 100, why });
    for (const row of rows) buffer.append(row);
    list.catchUp();
    expect(measured).toBeLessThan(100);
    buffer.append(counted());
    read = 0;
    list.catchUp();
    const fold = items(list).find((item) => item.kind === 'fold');
    expect([fold?.beginning.slice(0, 10), fold?.ending(6)]).toEqual(['wörd wörd ', ' wörd ']);
    expect(read).toBeLessThan(4_100);
    expect(fold?.text.length).toBe(10_000 * 50);
  });

  it('keeps the text that is left when its first entries are evicted', () => {
    const rows = [
      delta('a', '1'),
      delta('a', '2'),
      entry({ msg: 'x' }),
      delta('a', '3'),
      entry({ msg: 'y' }),
      entry({ msg: 'z' }),
    ];
    const list = listOf(rows, {}, 4);
    expect(shown(list)).toEqual(['gap', expect.stringMatching(/ 3$/), 'x', 'y', 'z']);
    expect(list.placeOfRow(rows[3] as EntryRow)).toBe(list.first + 1);
  });
});

describe('the numbers of a source', () => {
  it('are one row, which shows the latest and their time', () => {
    const list = listOf([
      numbers('gpu-1', 'kv 10%', { time: 1_000 }),
      numbers('gpu-2', 'kv 90%'),
      entry({ msg: 'a line' }),
      numbers('gpu-1', 'kv 11%', { time: 2_000 }),
    ]);
    expect(shown(list)).toEqual(['×2 kv 11%', 'kv 90%', 'a line']);
    expect(items(list)[0]).toMatchObject({ time: 2_000 });
  });

  it('have a row of their own where they are a warning', () => {
    expect(
      shown(listOf([numbers('g', '1'), numbers('g', 'kv 99%', { level: 'warn' }), numbers('g', '2')])),
    ).toEqual(['×2 2', 'kv 99%']);
  });
});

describe('a line that its writer repeats', () => {
  const said = (msg: string, fields = {}) => entry({ msg, ...fields });

  it('is one row with its number and time, of any level', () => {
    const again = (time: number) => said('out of memory', { level: 'error', time });
    const list = listOf([again(1_000), again(3_000), again(4_500)]);
    expect(shown(list)).toEqual(['×3 in 3.50s out of memory']);
    expect([list.appended, list.errors]).toEqual([3, 3]);
  });

  it('is also a call of the same path with the same status, whoever calls', () => {
    const call = (peer: number, path: string, status: string) =>
      said(`172.18.0.${peer}:4${peer} - "GET ${path} HTTP/1.1" ${status}`);
    const rows = [
      call(1, '/v1/models?page=1', '200 OK'),
      call(2, '/v1/models?page=2', '200 OK'),
      call(3, '/v1/models', '500 Internal Server Error'),
      call(4, '/health', '500 Internal Server Error'),
    ];
    expect(shown(listOf(rows)).map((text) => text.split(' - ')[1])).toEqual([
      '"GET /v1/models?page=1 HTTP/1.1" 200 OK',
      '"GET /v1/models HTTP/1.1" 500 Internal Server Error',
      '"GET /health HTTP/1.1" 500 Internal Server Error',
    ]);
  });

  it('is not one that differs, or is of another writer, channel, level or run', () => {
    const rows = [
      said('step 1 of 2'),
      said('step 2 of 2'),
      said('step 2 of 2', { source: 'other' }),
      said('step 2 of 2', { channel: 'logs:other' }),
      said('step 2 of 2', { level: 'warn' }),
      said('step 2 of 2', { run: 'r' }),
      said('x'.repeat(501)),
      said('x'.repeat(501)),
    ];
    expect(shown(listOf(rows)).length).toBe(rows.length);
  });

  it('begins anew where its writer has said something else, and after a mark or far below', () => {
    const others = Array.from({ length: 25 }, (_, i) => said(`${i}`, { source: 'other' }));
    expect(shown(listOf([said('lost'), said('found'), said('lost')]))).toEqual(['lost', 'found', 'lost']);
    expect(shown(listOf([said('lost'), new MarkRow('mark'), said('lost')]))).toEqual([
      'lost',
      'mark',
      'lost',
    ]);
    expect(shown(listOf([said('lost'), ...others, said('lost')])).at(-1)).toBe('lost');
    expect(shown(listOf([said('lost'), ...others.slice(1), said('lost')]))[0]).toMatch(/^×2 .* lost$/);
  });
});

describe('each entry', () => {
  const rows = () => [
    entry({ msg: 'same' }),
    queued(),
    numbers('test', '1'),
    entry({ msg: 'same' }),
    started(),
    delta('a', 'x'),
    entry({ msg: 'same' }),
    failed('no', 'error'),
    numbers('test', '2'),
  ];

  it('is counted, and is found by the row that shows it', () => {
    const all = rows();
    const list = listOf(all);
    expect(list.appended).toBe(all.length);
    for (const row of all) {
      const item = list.get(list.placeOfRow(row));
      expect(item === row || (item?.kind === 'fold' && item.rows.includes(row)), row.msg).toBe(true);
    }
  });

  it('is in exactly one row of the list', () => {
    const all = rows();
    const here = items(listOf(all)).flatMap((item) => (item.kind === 'fold' ? item.rows : [item]));
    expect(here.sort((a, b) => a.at - b.at)).toEqual(all);
  });

  it('that is not evicted is in exactly one row, whatever comes, and is found there', () => {
    const making = fc.constantFrom(
      () => entry({ msg: 'same' }),
      () => entry({ msg: 'other', level: 'error' }),
      queued,
      started,
      () => delta('a', 'x'),
      () => delta('b', 'y'),
      finished,
      () => failed('no', 'error'),
      () => numbers('test', '1'),
    );
    fc.assert(
      fc.property(fc.array(making, { maxLength: 80 }), fc.integer({ min: 1, max: 40 }), (makers, maxRows) => {
        const all = makers.map((make) => make());
        const list = listOf(all, {}, maxRows);
        const here = items(list).flatMap((item) =>
          item.kind === 'fold' ? item.rows : item.kind === 'entry' ? [item] : [],
        );
        expect(here.sort((a, b) => a.at - b.at)).toEqual(all.slice(-maxRows));
        for (const row of here) {
          const item = list.get(list.placeOfRow(row));
          expect(item === row || (item?.kind === 'fold' && item.rows.includes(row))).toBe(true);
        }
      }),
      { numRuns: 40, examples: [[Array.from({ length: 3 }, () => () => entry({ msg: 'same' })), 2]] },
    );
  });

  it('has a row of its own where the reader opened what it is folded into', () => {
    const all = rows();
    const folds = items(listOf(all)).filter((item) => item.kind === 'fold');
    expect(folds.length).toBe(3);
    for (const { key, rows: folded } of folds) {
      const list = listOf(all, { unfolded: new Set([key]) });
      for (const row of folded) {
        expect(list.get(list.placeOfRow(row))).toBe(row);
        expect(list.foldKeyOf(row)).toBe(key);
      }
    }
  });

  it('is where it would be if the page were loaded anew', () => {
    const all = rows();
    const live = shown(listOf(all));
    const buffer = new LogBuffer();
    for (const row of all) buffer.append(row);
    const anew = new RowList(buffer, FOLDED);
    anew.catchUp();
    expect(shown(anew)).toEqual(live);
  });
});
