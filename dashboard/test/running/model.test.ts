import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { describe, expect, it } from 'vitest';
import type { Generation } from '../../src/running/generation.ts';
import { MAX_RUNNING, RunningModel } from '../../src/running/model.ts';
import type { EntryRow } from '../../src/stream/row.ts';
import { entry } from '../rows.ts';

const START = 1_800_000_000_000;
let n = 0;

/** An entry of a generation that the log got `ms` after the start. */
function at(ms: number, event: string, run: string, fields: Record<string, unknown> = {}): EntryRow {
  const id = `${START + ms}-${++n}`;
  return entry({ id, time: 1, source: 'gpu-1', event: `generation.${event}`, run, attrs: {}, ...fields });
}

const delta = (ms: number, run: string, msg: string, tokens = 1) =>
  at(ms, 'delta', run, { msg, attrs: { [ATTRS.tokens]: tokens } });

function modelOf(...entries: EntryRow[]): RunningModel {
  const model = new RunningModel();
  for (const row of entries) model.count(row);
  return model;
}

function only(generations: readonly Generation[]): Generation {
  expect(generations).toHaveLength(1);
  return generations[0] as Generation;
}

describe('calls of tools that hang', () => {
  const tool = (ms: number, event: string, run: string) =>
    at(ms, '', run, { event, attrs: { [GEN_AI.tool]: 'crm.lookup', [GEN_AI.toolCallId]: run } });

  it('are those that have not answered for half a minute, the longest first', () => {
    const called = ['a', 'b', 'c'].map((run, i) => tool(i * 1_000, 'tool.called', run));
    const model = modelOf(...called, tool(3_000, 'tool.returned', 'b'));
    const hanging = (ms: number) => model.hanging(START + ms).map(({ run }) => run);
    expect([hanging(20_000), hanging(31_000), hanging(40_000)]).toEqual([[], ['a'], ['a', 'c']]);
    expect(model.hanging(START + 40_000)[0]).toMatchObject({ tool: 'crm.lookup', runKey: 'a', at: START });
    model.clear();
    expect(hanging(40_000)).toEqual([]);
  });
});

it('each failure counts, also of generations that have one name and whose starts were not heard', () => {
  const failed = (ms: number, channel: string) => at(ms, 'failed', 'r1', { channel, level: 'error' });
  const model = modelOf(
    failed(0, 'logs'),
    failed(100, 'logs:texts'),
    failed(10_000, 'logs'),
    failed(20_000, 'logs'),
  );
  expect(model.failures(START + 21_000)).toBe(3);
});

it('failures are known for as long as entries have been counted, and for a minute at most', () => {
  const model = modelOf(at(0, 'started', 'r1'));
  expect([20_000, 90_000].map((ms) => model.knownMs(START + ms))).toEqual([20_000, 60_000]);
  expect(new RunningModel().knownMs(START)).toBe(0);
});

describe('a generation that runs', () => {
  it('grows with its pieces', () => {
    const attrs = { [GEN_AI.requestModel]: 'org/m', [ATTRS.lane]: 'llm-1' };
    const model = modelOf(at(0, 'started', 'r1', { attrs }));
    const generation = only(model.running(START + 500));
    expect(generation).toMatchObject({
      source: 'gpu-1',
      run: 'r1',
      lane: 'llm-1',
      model: 'org/m',
      tokens: 0,
    });
    expect(generation.firstToken).toBe(undefined);
    expect(generation.tokensPerSecond).toBe(undefined);
    for (const [ms, msg] of [
      [1_000, 'Once'],
      [1_500, ' upon'],
      [2_000, ' a time'],
    ] as const)
      model.count(at(ms, 'delta', 'r1', { msg, attrs: { [ATTRS.lane]: 'llm-1', [ATTRS.tokens]: 5 } }));
    expect(only(model.running(START + 2_000))).toBe(generation);
    expect(generation).toMatchObject({ words: 'Once upon a time', tokens: 15, firstToken: 1 });
    // The first piece took no time after the first token: ten tokens in a second.
    expect(generation.tokensPerSecond).toBe(10);
    expect(generation.elapsed(START + 3_000)).toBe(3_000);
  });

  it('is known by its pieces alone, and what was not heard is not known', () => {
    const generation = only(modelOf(delta(0, 'r1', 'upon')).running(START));
    expect(generation).toMatchObject({ tokens: 1, words: 'upon', model: undefined, firstToken: undefined });
    expect(generation.elapsed(START + 1_000)).toBe(undefined);
  });

  it('does not begin again with a piece that was late on its way', () => {
    const model = modelOf(at(0, 'started', 'r1'), at(900, 'finished', 'r1'), delta(1_000, 'r1', 'late'));
    expect(model.running(START + 2_000)).toEqual([]);
    model.count(delta(9_000, 'r1', 'of the next, whose start was not heard'));
    only(model.running(START + 9_000));
  });

  it('keeps the end of a long answer', () => {
    const model = modelOf(delta(0, 'r1', 'x'.repeat(1_000_000)), delta(1, 'r1', 'the end'));
    const { words } = only(model.running(START));
    expect(words.length).toBeLessThanOrEqual(160);
    expect(words).toMatch(/^x+the end$/);
  });

  it('has said nothing after its reasoning was taken back, but has spent the tokens', () => {
    const model = modelOf(delta(0, 'r1', 'hmm', 7), at(1, 'retracted', 'r1'));
    expect(only(model.running(START))).toMatchObject({ words: '', tokens: 7 });
  });

  it('is stalled when it has given no sign for fifteen seconds, before its first token and after it', () => {
    const model = modelOf(at(0, 'started', 'r1'), at(0, 'started', 'r2'), delta(10_000, 'r2', 'Once'));
    const stalled = (ms: number) =>
      model.running(START + ms).flatMap((each) => (each.isStalled(START + ms) ? [each.run] : []));
    expect(stalled(15_000)).toEqual([]);
    expect(stalled(15_001)).toEqual(['r1']);
    expect(stalled(25_001)).toEqual(['r1', 'r2']);
    model.count(delta(26_000, 'r1', 'at last'));
    expect(stalled(26_000)).toEqual(['r2']);
  });

  it('is not taken for running after ten minutes without a sign', () => {
    const model = modelOf(at(0, 'started', 'r1'));
    expect(model.running(START + 600_000)).toHaveLength(1);
    const [generation] = model.running(START + 600_000);
    expect(model.running(START + 600_001)).toEqual([]);
    expect(generation?.state).toBe('lost');
  });
});

describe('which generation an entry is of', () => {
  it('is said by source, run and lane', () => {
    const lane = (name: string) => ({ attrs: { [ATTRS.lane]: name } });
    const model = modelOf(
      at(0, 'started', 'r1', lane('a')),
      at(0, 'started', 'r1', lane('b')),
      at(0, 'started', 'r1', { ...lane('a'), source: 'gpu-2' }),
      at(0, 'started', 'r2', lane('a')),
    );
    expect(model.running(START)).toHaveLength(4);
  });

  it('is said by the span where there is one: two of a name may run at the same time', () => {
    const span = (id: string) => ({ attrs: { [ATTRS.lane]: 'chat', span_id: id } });
    const model = modelOf(at(0, 'started', 't', span('1')), at(0, 'started', 't', span('2')));
    expect(model.running(START)).toHaveLength(2);
    model.count(at(1, 'finished', 't', span('1')));
    expect(only(model.running(START)).span).toBe('2');
  });

  it('is the same where its start is told on two channels', () => {
    const model = modelOf(at(0, 'started', 'r1', { channel: 'runs:r1' }), at(1, 'started', 'r1'));
    expect(only(model.running(START)).startedAt).toBe(START);
    model.count(delta(2, 'r1', 'Once'));
    model.count(at(3, 'failed', 'r1', { channel: 'runs:r1' }));
    model.count(at(4, 'failed', 'r1'));
    expect(model.running(START)).toEqual([]);
    expect(model.failed(START)).toHaveLength(1);
    expect(model.failures(START)).toBe(1);
  });

  it('is another where one begins again after it has spoken', () => {
    const model = modelOf(at(0, 'started', 'r1'), delta(1, 'r1', 'Once'));
    const first = only(model.running(START));
    model.count(at(2, 'started', 'r1'));
    expect(only(model.running(START))).toMatchObject({ words: '', startedAt: START + 2 });
    expect(first.state).toBe('lost');
  });
});

describe('the end of a generation', () => {
  it('says its tokens and times, which are more exact than those of its pieces', () => {
    const model = modelOf(at(0, 'started', 'r1'), delta(1_000, 'r1', 'Once', 40));
    const generation = only(model.running(START));
    const attrs = {
      [GEN_AI.outputTokens]: 50,
      [GEN_AI.timeToFirstChunk]: 0.5,
      [ATTRS.duration]: 3,
      [GEN_AI.responseModel]: 'm',
    };
    model.count(at(3_000, 'finished', 'r1', { attrs }));
    expect(model.running(START)).toEqual([]);
    expect(generation).toMatchObject({ state: 'finished', tokens: 50, firstToken: 0.5, model: 'm' });
    expect(generation.tokensPerSecond).toBe(20);
    expect(generation.elapsed(START + 9_000)).toBe(3_000);
  });

  it('is remembered for a minute where it is a failure, also of one whose start was not heard', () => {
    const failure = { msg: 'out of memory', attrs: { [GEN_AI.errorType]: 'oom' } };
    const model = modelOf(
      at(0, 'started', 'r1'),
      at(1_000, 'failed', 'r1', failure),
      at(2_000, 'failed', 'r2', failure),
    );
    expect(model.failed(START + 2_000).map(({ run, error }) => [run, error])).toEqual([
      ['r1', 'oom · out of memory'],
      ['r2', 'oom · out of memory'],
    ]);
    expect(model.failures(START + 2_000)).toBe(2);
    expect(model.failed(START + 61_001).map(({ run }) => run)).toEqual(['r2']);
    expect(model.failures(START + 61_999)).toBe(1);
  });

  it('is of no interest where it is good, and the beginning was not heard', () => {
    const model = modelOf(at(0, 'finished', 'r1'));
    expect(model.running(START)).toEqual([]);
    expect(model.failed(START)).toEqual([]);
  });
});

describe('what is remembered', () => {
  it('is bounded: those heard last, and that there were more, until what was dropped cannot run any more', () => {
    const model = modelOf(...Array.from({ length: MAX_RUNNING + 2 }, (_, i) => at(i, 'started', `r${i}`)));
    const runs = model.running(START + 1_000).map(({ run }) => run);
    expect(runs).toHaveLength(MAX_RUNNING);
    expect(runs).not.toContain('r1');
    expect(runs).toContain('r2');
    model.count(at(2_000, 'finished', 'r2'));
    expect(model.running(START + 2_000)).toHaveLength(MAX_RUNNING - 1);
    const last = START + MAX_RUNNING + 1;
    expect(model.isOverfull(last + 600_000)).toBe(true);
    expect(model.isOverfull(last + 600_001)).toBe(false);
  });

  it('is one without a sign rather than one that speaks', () => {
    const model = modelOf(at(0, 'started', 'silent'));
    for (let i = 0; i < MAX_RUNNING; i++) model.count(at(60_000 + i, 'started', `r${i}`));
    const runs = model.running(START + 61_000).map(({ run }) => run);
    expect(runs).toContain('silent');
    expect(runs).not.toContain('r0');
  });

  it('holds no name of a run and lane that is longer than any in use', () => {
    const model = modelOf(at(0, 'started', 'r1', { attrs: { [ATTRS.lane]: 'x'.repeat(2_000) } }));
    expect(model.running(START)).toEqual([]);
  });

  it('has not failed when somebody has ended it', () => {
    const attrs = { 'error.type': 'cancelled' };
    const model = modelOf(at(0, 'started', 'r1'));
    const generation = only(model.running(START));
    model.count(at(500, 'failed', 'r1', { attrs }));
    model.count(at(600, 'failed', 'not-heard-before', { attrs }));
    expect(generation).toMatchObject({ state: 'stopped', error: '', endedAt: START + 500 });
    expect(model.failed(START + 1_000)).toEqual([]);
    expect(model.failures(START + 1_000)).toBe(0);
  });

  it('holds the last twenty that failed, and counts all', () => {
    const model = modelOf(...Array.from({ length: 30 }, (_, i) => at(i, 'failed', `r${i}`)));
    expect(model.failed(START).map(({ run }) => run)).toEqual(
      Array.from({ length: 20 }, (_, i) => `r${i + 10}`),
    );
    expect(model.failures(START)).toBe(30);
  });

  it('goes with the stream that it came from', () => {
    const model = modelOf(at(0, 'started', 'r1'), at(0, 'failed', 'r2'));
    const generations = [...model.running(START), ...model.failed(START)];
    model.clear();
    expect([model.running(START), model.failed(START), model.failures(START)]).toEqual([[], [], 0]);
    expect(generations.map(({ state }) => state)).toEqual(['lost', 'lost']);
  });

  it('takes whatever attributes say', () => {
    const odd = { [ATTRS.lane]: {}, span_id: 7, [GEN_AI.responseModel]: [], [GEN_AI.outputTokens]: -1 };
    const model = modelOf(at(0, 'started', 'r1', { attrs: odd }), at(1, 'failed', 'r1', { attrs: odd }));
    expect(only(model.failed(START))).toMatchObject({ tokens: 0, model: undefined, span: undefined });
  });
});
