import { ATTRS, GEN_AI, METRICS } from '@llm-streamer/shared/gen-ai.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FleetModel, type FleetRow, MAX_SOURCES, rowsOf, totalsOf } from '../../src/fleet/model.ts';
import type { EntryRow } from '../../src/stream/row.ts';
import { entry } from '../rows.ts';

/** The log's clock when the first entry is written, at the beginning of a second. */
const START = 1_800_000_000_000;
let n = 0;

/** An entry that the log got `ms` after the start. */
function at(ms: number, fields: Record<string, unknown> = {}): EntryRow {
  return entry({ id: `${START + ms}-${++n}`, time: 1, source: 'gpu-1', ...fields });
}

function started(ms: number, run: string, fields: Record<string, unknown> = {}): EntryRow {
  return at(ms, { event: 'generation.started', run, attrs: { [GEN_AI.requestModel]: 'm' }, ...fields });
}

function delta(ms: number, run: string, tokens = 1, fields: Record<string, unknown> = {}): EntryRow {
  return at(ms, { event: 'generation.delta', run, msg: 'x', attrs: { [ATTRS.tokens]: tokens }, ...fields });
}

function finished(
  ms: number,
  run: string,
  attrs: Record<string, unknown> = {},
  fields: Record<string, unknown> = {},
) {
  return at(ms, { event: 'generation.finished', run, attrs, ...fields });
}

function numbers(ms: number, attrs: Record<string, unknown>, fields: Record<string, unknown> = {}): EntryRow {
  return at(ms, { event: 'server.metrics', attrs, ...fields });
}

function rowsAt(ms: number, entries: readonly EntryRow[]): FleetRow[] {
  const model = new FleetModel();
  for (const row of entries) model.count(row);
  return rowsOf([...model.figures(START + ms)]);
}

function rowAt(ms: number, entries: readonly EntryRow[]): FleetRow {
  const row = rowsAt(ms, entries).find(({ source }) => source === 'gpu-1');
  if (!row) throw new Error('no such source');
  return row;
}

describe('what a source has not said', () => {
  it('is not known, and never 0', () => {
    const row = rowAt(1_000, [at(0, { msg: 'listening' })]);
    expect(row).toMatchObject({
      model: undefined,
      running: undefined,
      queued: undefined,
      tokensPerSecond: undefined,
      firstToken: undefined,
      kvCache: undefined,
      group: undefined,
    });
    expect(row.spark.every(Number.isNaN)).toBe(true);
    expect(totalsOf([row])).toMatchObject({
      tokensPerSecond: undefined,
      running: undefined,
      queued: undefined,
    });
  });

  it('of one number, says nothing of the others', () => {
    const row = rowAt(1_000, [numbers(0, { [METRICS.waiting]: 0 })]);
    expect(row).toMatchObject({
      queued: 0,
      running: undefined,
      kvCache: undefined,
      tokensPerSecond: undefined,
    });
  });

  it('for a while, is not known any more', () => {
    const reports = [0, 1_000, 2_000].map((ms) => numbers(ms, { [METRICS.running]: 3 }));
    expect(rowAt(11_000, reports).running).toBe(3);
    expect(rowAt(13_000, [...reports, at(12_900)]).running).toBe(undefined);
  });

  it('with one number for a while, is not known any more, whatever others it goes on saying', () => {
    const first = numbers(0, { [METRICS.kvCacheUsage]: 0.97, [METRICS.generationThroughput]: 40 });
    const running = Array.from({ length: 60 }, (_, i) => numbers((i + 1) * 1_000, { [METRICS.running]: 3 }));
    const row = rowAt(61_000, [first, ...running]);
    expect(row).toMatchObject({ running: 3, kvCache: undefined, tokensPerSecond: undefined });
    expect(row.spark.filter((value) => value > 0)).toHaveLength(1);
  });

  it('with each number in an entry of its own, is known until three more of that number should have come', () => {
    const names = [METRICS.running, METRICS.waiting, METRICS.kvCacheUsage];
    const reports = Array.from({ length: 12 }, (_, i) =>
      numbers(i * 10_000, { [names[i % 3] ?? '']: i / 100 }),
    );
    expect(rowAt(139_000, reports)).toMatchObject({ running: 0.09, queued: 0.1, kvCache: 0.11 });
  });

  it('of the time before its first token, leaves the sparkline empty', () => {
    const { spark } = rowAt(120_000, [started(100_000, 'r'), delta(100_000, 'r', 50)]);
    expect(spark.slice(0, 19).every(Number.isNaN)).toBe(true);
    expect(spark.slice(-3).every((value) => value >= 0)).toBe(true);
  });
});

describe('figures', () => {
  it('count generations that have started, or are heard in their midst, and have not ended', () => {
    const entries = [
      started(0, 'a'),
      started(10, 'b'),
      delta(20, 'heard in its midst'),
      finished(30, 'a'),
      at(40, { event: 'generation.failed', run: 'b', level: 'error' }),
    ];
    expect(rowAt(1_000, entries)).toMatchObject({ running: 1, errors: 1, model: 'm' });
  });

  it('do not count a generation again for a delta that was late on its way, but its tokens', () => {
    const row = rowAt(2_000, [started(0, 'r'), delta(100, 'r'), finished(200, 'r'), delta(300, 'r', 9)]);
    expect(row.running).toBe(0);
    expect(row.tokensPerSecond).toBe(5);
  });

  it('are those of one generation where its end is told on two channels', () => {
    const told = (channel: string) =>
      finished(900, 'r', { [GEN_AI.outputTokens]: 50, [GEN_AI.timeToFirstChunk]: 0.5 }, { channel });
    const row = rowAt(2_000, [started(0, 'r'), told('logs:generation'), told('runs:r')]);
    expect(row.firstToken?.count).toBe(1);
    expect(row.tokensPerSecond).toBe(25);
  });

  it('are not known where a number cannot be one', () => {
    const row = rowAt(1_000, [
      numbers(0, { requests_running: 1e308, kv_cache_usage: 87, requests_waiting: -1 }),
      delta(0, 'r', 1e308),
    ]);
    expect([row.kvCache, row.queued, row.running]).toEqual([undefined, undefined, 1]);
    expect(row.tokensPerSecond).toBeLessThan(2);
  });

  it('are the numbers that a model server reports, where it reports them', () => {
    const attrs = {
      [METRICS.running]: 4,
      [METRICS.waiting]: 9,
      [METRICS.generationThroughput]: 41,
      [METRICS.kvCacheUsage]: 0.97,
    };
    const row = rowAt(1_000, [delta(0, 'r', 7), numbers(100, attrs)]);
    expect(row).toMatchObject({ running: 4, queued: 9, tokensPerSecond: 41, kvCache: 0.97 });
    expect(row.reported).toMatchObject({ running: true, tokensPerSecond: true });
  });

  it('spread the tokens of an answer that was not streamed over the time that it took', () => {
    const end = finished(9_999, 'r', { [GEN_AI.outputTokens]: 100, [ATTRS.duration]: 10 });
    expect(rowAt(10_000, [end]).tokensPerSecond).toBeCloseTo(10);
  });

  it('take the time to the first token from the entries where the service does not say it', () => {
    const row = rowAt(5_000, [started(0, 'r'), delta(700, 'r'), delta(800, 'r'), finished(900, 'r')]);
    expect(row.firstToken).toMatchObject({ p50: 0.7, p95: 0.7, count: 1 });
  });

  it('go by the log’s clock, whatever the writers’ clocks say', () => {
    const row = rowAt(10_000, [at(9_000, { time: START - 86_400_000 })]);
    expect(row.age).toBe(1_000);
  });

  it('equal those that are computed apart from the same entries', () => {
    const generation = fc.record({
      source: fc.constantFrom('gpu-1', 'gpu-2', 'gpu-3'),
      start: fc.integer({ min: 0, max: 200_000 }),
      first: fc.integer({ min: 1, max: 9_000 }),
      pieces: fc.array(
        fc.record({ after: fc.integer({ min: 1, max: 3_000 }), tokens: fc.integer({ min: 1, max: 50 }) }),
        { maxLength: 6 },
      ),
      end: fc.constantFrom('finished', 'failed', 'running'),
    });
    fc.assert(
      fc.property(fc.array(generation, { minLength: 1, maxLength: 25 }), (generations) => {
        const now = 240_000;
        const entries: { ms: number; row: EntryRow }[] = [];
        const expected = new Map<
          string,
          { running: number; errors: number; times: number[]; tokens: number }
        >();
        for (const [i, { source, start, first, pieces, end }] of generations.entries()) {
          const run = `run ${i}`;
          const sums = expected.get(source) ?? { running: 0, errors: 0, times: [], tokens: 0 };
          expected.set(source, sums);
          entries.push({ ms: start, row: started(start, run, { source }) });
          let ms = start + first - 1;
          for (const { after, tokens } of pieces) {
            ms += after;
            entries.push({ ms, row: delta(ms, run, tokens, { source }) });
            // The five whole seconds before the one that goes on.
            if (ms >= now - 6_000 && ms < now - 1_000) sums.tokens += tokens;
          }
          ms += 1;
          if (end === 'finished') {
            entries.push({
              ms,
              row: finished(ms, run, { [GEN_AI.timeToFirstChunk]: first / 1000 }, { source }),
            });
            sums.times.push(first / 1000);
          } else if (end === 'failed') {
            entries.push({ ms, row: at(ms, { event: 'generation.failed', run, source, level: 'error' }) });
            sums.errors++;
          } else sums.running++;
        }
        entries.sort((a, b) => a.ms - b.ms);
        const rows = rowsAt(
          now,
          entries.map(({ row }) => row),
        );
        expect(rows.map(({ source }) => source).sort()).toEqual([...expected.keys()].sort());
        for (const row of rows) {
          const { running, errors, times, tokens } = expected.get(row.source) ?? fail();
          expect(row.running).toBe(running);
          expect(row.errors).toBe(errors);
          const sorted = times.sort((a, b) => a - b);
          expect(row.firstToken?.p50).toBe(sorted[Math.ceil(sorted.length * 0.5) - 1]);
          expect(row.firstToken?.p95).toBe(sorted[Math.ceil(sorted.length * 0.95) - 1]);
          if (row.tokensPerSecond !== undefined) expect(row.tokensPerSecond).toBeCloseTo(tokens / 5, 4);
        }
        const totals = totalsOf(rows);
        expect(totals.errors).toBe(generations.filter(({ end }) => end === 'failed').length);
        expect(totals.running).toBe(generations.filter(({ end }) => end === 'running').length);
      }),
    );
  });

  it('do not depend on how the entries of several sources are mixed', () => {
    const entries = Array.from({ length: 60 }, (_, i) => {
      const source = `gpu-${i % 3}`;
      if (i % 5 === 0) return numbers(i * 100, { [METRICS.running]: i }, { source });
      return i % 4 === 0
        ? started(i * 100, `run ${i}`, { source })
        : delta(i * 100, `run ${i - 1}`, 2, { source });
    });
    const bySource = [...entries].sort((a, b) => a.source.localeCompare(b.source));
    const sorted = (rows: FleetRow[]) => rows.sort((a, b) => a.source.localeCompare(b.source));
    expect(sorted(rowsAt(7_000, bySource))).toEqual(sorted(rowsAt(7_000, entries)));
  });
});

describe('trouble', () => {
  const reports = (until: number, fields: Record<string, unknown> = {}) =>
    Array.from({ length: Math.floor(until / 1_000) }, (_, i) =>
      numbers(i * 1_000, { [METRICS.running]: 1 }, fields),
    );

  it('is a source that reported every second and has gone silent', () => {
    expect(rowAt(35_000, reports(30_000)).trouble).toMatchObject({ rank: 0 });
    const answer = finished(0, 'r', { [GEN_AI.outputTokens]: 5 });
    const silent = rowAt(78_000, [answer, ...reports(30_000)]);
    expect(silent.spark.slice(-9).every(Number.isNaN)).toBe(true);
    expect(silent.spark.slice(-16, -9).some((value) => value >= 0)).toBe(true);
    expect(silent).toMatchObject({ isSilent: true, running: undefined });
    expect(silent.trouble).toMatchObject({ rank: 5, words: 'silent for 49 s' });
  });

  it('is not a program that writes a line now and then', () => {
    expect(rowAt(3_600_000, [at(0), at(1_000)])).toMatchObject({ isSilent: false, trouble: { rank: 0 } });
  });

  it('is an error of the last minute; one of the last five minutes is less', () => {
    const error = at(0, { level: 'error' });
    expect(rowAt(30_000, [error]).trouble).toMatchObject({ rank: 4, words: '1 error in the last minute' });
    expect(rowAt(90_000, [error]).trouble).toMatchObject({
      rank: 1,
      words: '1 error in five minutes, 1m30s ago',
    });
    expect(rowAt(400_000, [error]).trouble).toMatchObject({ rank: 0, words: '' });
  });

  it('says when the first error came of those with less than five minutes between them', () => {
    const errors = [0, 900_000, 1_100_000, 1_395_000].map((time) => at(time, { level: 'error' }));
    const words = '1 error in the last minute, the first known 8m20s ago';
    expect(rowAt(1_400_000, errors).trouble.words).toBe(words);
  });

  it('says the same of errors in whatever order they are heard, as where a gap is filled', () => {
    const seconds = fc.array(fc.integer({ min: 0, max: 1_500 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(seconds, (times) => {
        const errors = times.map((second) => at(second * 1_000, { level: 'error' }));
        const sorted = errors.toSorted((a, b) => a.n - b.n);
        expect(rowAt(1_500_000, errors).failingFor).toBe(rowAt(1_500_000, sorted).failingFor);
      }),
    );
  });

  it('is not hidden by an entry that was never stored and whose writer’s clock is wrong', () => {
    const stray = entry({ id: undefined, source: 'gpu-1', level: 'error', time: Date.UTC(2100, 0) });
    const now = Date.now() + 30_000;
    const model = new FleetModel();
    model.count(stray);
    for (let i = 0; i < 6; i++)
      model.count(entry({ id: `${now - 20_000}-${++n}`, source: 'gpu-1', level: 'error' }));
    const [row] = rowsOf([...model.figures(now)]);
    expect([row?.errors, (row?.age ?? 0) >= 19_000]).toEqual([7, true]);
  });

  it('is a generation that stopped in its midst, or does not begin', () => {
    expect(rowAt(20_000, [started(0, 'r'), delta(1_000, 'r')]).trouble.words).toBe(
      'a generation is stalled for 19 s',
    );
    expect(rowAt(9_000, [started(0, 'r')]).trouble.words).toBe('a generation waits 9 s for its first token');
  });

  it('is a time to the first token far above that of the others, or above its own before', () => {
    const times = (source: string, seconds: number, from = 0) =>
      Array.from({ length: 5 }, (_, i) =>
        finished(
          from + i * 1_000,
          `${source} ${from + i}`,
          { [GEN_AI.timeToFirstChunk]: seconds },
          { source },
        ),
      );
    const others = ['gpu-2', 'gpu-3', 'gpu-4'].flatMap((source) => times(source, 0.3));
    expect(rowAt(6_000, [...others, ...times('gpu-1', 3)]).trouble).toMatchObject({
      isSlow: true,
      rank: 3,
      words: 'slow to the first token, 10 times the median of all',
    });
    expect(rowAt(6_000, [...others, ...times('gpu-1', 0.4)]).trouble).toMatchObject({
      isSlow: false,
      rank: 0,
    });
    const { trouble } = rowAt(206_000, [...times('gpu-1', 0.4), ...times('gpu-1', 1.5, 200_000)]);
    expect(trouble).toMatchObject({ isSlow: true, words: 'slower to the first token than a minute ago' });
  });
});

describe('a call of a tool that has not returned', () => {
  const tool = (ms: number, event: string, run: string, id: string, fields: Record<string, unknown> = {}) =>
    at(ms, {
      event,
      run,
      attrs: { [ATTRS.lane]: 'step-1', [GEN_AI.tool]: 'crm.lookup', [GEN_AI.toolCallId]: id },
      ...fields,
    });
  const troubleAfter = (...entries: EntryRow[]) => rowAt(60_000, entries).trouble;

  it('is trouble, and leads to its run', () => {
    expect(troubleAfter(tool(0, 'tool.called', 'digest', '1'))).toMatchObject({
      words: 'crm.lookup has not answered for 1m00s',
      waitingRun: 'digest',
    });
  });

  it('is none while others answer, nor when it has returned, its run has ended, or it waits for consent', () => {
    const called = tool(0, 'tool.called', 'digest', '1');
    for (const event of ['tool.returned', 'tool.asked'])
      expect(troubleAfter(called, tool(50_000, event, 'digest', '1')).words).toBe('');
    for (const event of ['run.finished', 'run.failed', 'run.cancelled', 'run.lost'])
      expect(troubleAfter(called, at(50_000, { event, run: 'digest' })).words).toBe('');
    expect(troubleAfter(called, tool(50_000, 'tool.returned', 'digest', '2')).words).not.toBe('');
    expect(troubleAfter(called, at(50_000, { event: 'run.finished', run: 'other' })).words).not.toBe('');
    expect(rowAt(20_000, [called]).trouble.words).toBe('');
  });

  it('is its caller’s, where the answer that asks for it ends after it', () => {
    const end = finished(1_000, 'digest', { [ATTRS.lane]: 'step-1' });
    expect(troubleAfter(tool(0, 'tool.called', 'digest', '1'), end).words).toBe('');
  });

  it('is told once, whatever channels tell it; of more than 64 those that wait longest are known', () => {
    const copies = [tool(0, 'tool.called', 'digest', '1'), tool(1, 'tool.called', 'digest', '1')];
    expect(troubleAfter(...copies, tool(2, 'tool.returned', 'digest', '1')).words).toBe('');
    const many = Array.from({ length: 100 }, (_, i) => tool(i, 'tool.called', 'digest', `${i}`));
    expect(rowAt(60_000, many).openCall?.at).toBe(START);
  });
});

describe('bounds', () => {
  it(`keeps the ${MAX_SOURCES} sources heard last, and says where there were more`, () => {
    const model = new FleetModel();
    for (let i = 0; i < MAX_SOURCES + 50; i++) model.count(at(i, { source: `s${i}` }));
    const rows = rowsOf([...model.figures(START + 1_000)]);
    expect(rows).toHaveLength(MAX_SOURCES);
    expect(model.isOverfull).toBe(true);
    model.clear();
    expect(model.isOverfull).toBe(false);
    expect(rows.some(({ source }) => source === 's49')).toBe(false);
    expect(rows.some(({ source }) => source === `s${MAX_SOURCES + 49}`)).toBe(true);
  });

  it('of too many sources, a backend that has gone silent is not the one to go', () => {
    const silent = numbers(0, { requests_running: 1 });
    const others = Array.from({ length: 2 * MAX_SOURCES }, (_, i) => at(i, { source: `pod-${i}`, msg: 'x' }));
    expect(rowsAt(60_000, [silent, ...others]).map(({ source }) => source)).toContain('gpu-1');
  });

  it('more generations than it can keep leave their number unknown, until none of them can run', () => {
    const runs = Array.from({ length: 300 }, (_, i) => `run ${i}`);
    const begun = runs.map((run) => started(0, run));
    expect(rowAt(1_000, begun).running).toBe(undefined);
    const ended = [...begun, ...runs.map((run) => finished(500, run))];
    expect(rowAt(1_000, ended).running).toBe(undefined);
    expect(rowAt(601_000, ended).running).toBe(0);
  });

  it('more generations than it can keep do not count their tokens twice', () => {
    const runs = Array.from({ length: 300 }, (_, i) => `run ${i}`);
    const entries = [
      ...runs.map((run) => started(0, run)),
      ...runs.map((run) => delta(1_000, run, 10)),
      ...runs.map((run) => finished(1_500, run, { [GEN_AI.outputTokens]: 10 })),
    ];
    expect(rowAt(6_000, entries).tokensPerSecond).toBeCloseTo(600);
  });

  it('no entry, whatever is in it, makes a figure that is negative or no number', () => {
    const fields = fc.record({
      event: fc.constantFrom(
        'server.metrics',
        'generation.started',
        'generation.delta',
        'generation.finished',
        'x',
        7,
      ),
      attrs: fc.oneof(
        fc.anything(),
        fc.dictionary(
          fc.constantFrom(
            ...Object.values(METRICS),
            ...Object.values(GEN_AI),
            ...Object.values(ATTRS),
            'host.name',
          ),
          fc.oneof(fc.anything(), fc.double(), fc.integer(), fc.constant({ toString: 1, valueOf: 1 })),
        ),
      ),
      level: fc.anything(),
      run: fc.anything(),
    });
    fc.assert(
      fc.property(fc.array(fields, { maxLength: 30 }), fc.integer({ min: 0, max: 1e7 }), (all, now) => {
        const rows = rowsAt(
          now,
          all.map((each, i) => at(i * 50, JSON.parse(JSON.stringify(each)))),
        );
        for (const { running, queued, tokensPerSecond, kvCache, errors, age, firstToken } of rows) {
          for (const value of [
            running,
            queued,
            tokensPerSecond,
            kvCache,
            errors,
            age,
            firstToken?.p50,
            firstToken?.p95,
          ])
            expect(value === undefined || (value >= 0 && value < 1e10)).toBe(true);
        }
      }),
    );
  });
});

function fail(): never {
  throw new Error('a source that nothing was expected of');
}
