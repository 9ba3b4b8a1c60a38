// A run is reduced from its entries: the same entries always give the same state, and no entry makes it fail.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry } from '../src/entry.ts';
import { EVENTS } from '../src/events.ts';
import { type LaneInfo, newRun, RUN_STATES, type RunSnapshot, reduceRun } from '../src/run.ts';

const entry = (event: string, time: number, msg = '', attrs: Record<string, unknown> = {}): Entry => ({
  time,
  channel: 'runs:m1',
  source: 'gw',
  level: 'info',
  msg,
  event,
  run: 'm1',
  attrs,
});
const lanes: LaneInfo[] = [
  { lane: 'llm-1', role: 'task', provider: 'simulated', model: 'sim-1' },
  { lane: 'llm-combine', role: 'combiner', provider: 'simulated', model: 'sim-1' },
];
const started = entry(EVENTS.runStarted, 100, '', { lanes, 'gen_ai.prompt.version': 'v1' });
const of = (...entries: Entry[]) => entries.reduce(reduceRun, newRun('m1'));

describe('a run from its entries', () => {
  it('begins with its plan, every lane waiting', () => {
    const run = of(started);
    expect(run).toMatchObject({ id: 'm1', state: 'running', started: 100, promptVersion: 'v1' });
    expect(run.lanes.map(({ lane, role, state }) => [lane, role, state])).toEqual([
      ['llm-1', 'task', 'waiting'],
      ['llm-combine', 'combiner', 'waiting'],
    ]);
  });

  it('shows what it has where the beginning is missing, by the plan that it is given', () => {
    const later = entry(EVENTS.generationDelta, 150, 'yes', { lane: 'llm-1', tokens: 2 });
    const run = reduceRun(newRun('m1', lanes), later);
    expect(run.lanes.map(({ lane, role, model, state, text }) => [lane, role, model, state, text])).toEqual([
      ['llm-1', 'task', 'sim-1', 'streaming', 'yes'],
      ['llm-combine', 'combiner', 'sim-1', 'waiting', ''],
    ]);
  });

  it('keeps reasoning and text apart, and the time of the first of them', () => {
    const run = of(
      started,
      entry(EVENTS.generationStarted, 110, '', { lane: 'llm-1' }),
      entry(EVENTS.generationDelta, 130, 'hm', { lane: 'llm-1', tokens: 1, kind: 'reasoning' }),
      entry(EVENTS.generationDelta, 150, 'yes', { lane: 'llm-1', tokens: 2 }),
    );
    expect(run.lanes[0]).toMatchObject({
      state: 'streaming',
      reasoning: 'hm',
      text: 'yes',
      started: 110,
      firstContent: 130,
      outputTokens: 3,
    });
  });

  it('makes reasoning of what is retracted, and marks what was cut off', () => {
    const run = of(
      started,
      entry(EVENTS.generationDelta, 130, 'hm', { lane: 'llm-1', tokens: 1 }),
      entry(EVENTS.generationRetracted, 140, 'said in words', { lane: 'llm-1' }),
      entry(EVENTS.generationDelta, 150, 'yes', { lane: 'llm-1', tokens: 2 }),
      entry(EVENTS.generationFinished, 160, '', {
        lane: 'llm-1',
        'gen_ai.response.finish_reasons': ['length'],
      }),
    );
    expect(run.lanes[0]).toMatchObject({ reasoning: 'hm', text: 'yes', state: 'finished', cut: true });
    const whole = entry(EVENTS.generationFinished, 160, '', {
      lane: 'llm-1',
      'gen_ai.response.finish_reasons': 'x',
    });
    expect(of(started, whole).lanes[0]).not.toHaveProperty('cut');
  });

  it('takes the counts of the service over its own estimate, where it sent some', () => {
    const delta = entry(EVENTS.generationDelta, 150, 'yes', { lane: 'llm-1', tokens: 2 });
    const usage = { lane: 'llm-1', 'gen_ai.usage.output_tokens': 7, 'gen_ai.usage.input_tokens': 5 };
    expect(of(started, delta, entry(EVENTS.generationFinished, 160, '', usage)).lanes[0]).toMatchObject({
      outputTokens: 7,
      inputTokens: 5,
    });
    const silent = entry(EVENTS.generationFinished, 160, '', { lane: 'llm-1' });
    expect(of(started, delta, silent).lanes[0]?.outputTokens).toBe(2);
  });

  it('has a lane that somebody has ended as stopped, and not as failed', () => {
    const end = (type: string) =>
      of(started, entry(EVENTS.generationFailed, 150, 'ended', { lane: 'llm-1', 'error.type': type }))
        .lanes[0];
    expect(end('cancelled')).toMatchObject({ state: 'stopped', ended: 150 });
    expect(end('cancelled')?.error).toBe(undefined);
    expect(end('llm_timeout')).toMatchObject({ state: 'failed', error: { code: 'llm_timeout' } });
  });

  it('stops the lanes that still went on when it ends, and says why', () => {
    const run = of(
      started,
      entry(EVENTS.generationStarted, 110, '', { lane: 'llm-1' }),
      entry(EVENTS.runLost, 200, 'The gateway that ran this is gone.', { 'error.type': 'run_lost' }),
    );
    expect(run).toMatchObject({ state: 'lost', ended: 200, error: { code: 'run_lost' } });
    expect(run.lanes.map(({ state, ended }) => [state, ended])).toEqual([
      ['stopped', 200],
      ['stopped', 0],
    ]);
  });

  it('does not change after its end', () => {
    const run = of(started, entry(EVENTS.runFinished, 200));
    expect(reduceRun(run, entry(EVENTS.generationDelta, 210, 'late', { lane: 'llm-1' }))).toBe(run);
    expect(reduceRun(run, entry(EVENTS.runFailed, 220))).toBe(run);
  });

  it('is made of anything without failing, and changes nothing it was given', () => {
    const events = fc.constantFrom(...Object.values(EVENTS), '__proto__', 'constructor', undefined);
    const attrs = fc.dictionary(
      fc.constantFrom('lane', 'lanes', 'tokens', 'kind', 'error.type'),
      fc.anything(),
    );
    const anyEntry = fc.record({
      event: events,
      msg: fc.string(),
      attrs: fc.option(attrs, { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 30 }), (some) => {
        let run: RunSnapshot = of(started);
        for (const { event, msg, attrs } of some) {
          const before = structuredClone(run);
          const next = reduceRun(run, { ...started, msg, event, attrs } as Entry);
          expect(run).toEqual(before);
          run = next;
        }
        expect(RUN_STATES).toContain(run.state);
        for (const lane of run.lanes) expect(lane.outputTokens).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
