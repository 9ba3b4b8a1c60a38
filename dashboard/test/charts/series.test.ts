import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Series } from '../../src/charts/series.ts';
import type { EntryRow } from '../../src/stream/row.ts';
import { entry } from '../rows.ts';

it('counts whatever attributes say, and throws at nothing', () => {
  const value = fc.oneof(fc.jsonValue(), fc.double(), fc.constant({ toString: 1, valueOf: 1 }));
  const attrs = fc.dictionary(fc.constantFrom(...Object.values(GEN_AI), ...Object.values(ATTRS)), value);
  const event = fc.constantFrom('generation.started', 'generation.delta', 'generation.finished', 'x');
  fc.assert(
    fc.property(fc.array(fc.record({ event, attrs }), { maxLength: 20 }), (all) => {
      const series = new Series();
      for (const fields of all) series.countEntry(entry({ ...fields, time: Date.now(), run: 'r' }));
      for (const { tokens, ttft } of series.models.values())
        expect([...tokens, ...ttft].every((number) => number >= 0 && number < 1e12)).toBe(true);
    }),
  );
});

describe('the tokens of a generation', () => {
  const told = (event: string, attrs: Record<string, unknown> = {}, fields: Record<string, unknown> = {}) =>
    entry({
      event: `generation.${event}`,
      run: 'r',
      time: Date.now(),
      ...fields,
      attrs: { lane: 'a', ...attrs },
    });
  const start = (fields = {}) => told('started', { [GEN_AI.requestModel]: 'm' }, fields);
  const text = (fields = {}) => told('delta', { tokens: 10 }, fields);
  const end = (fields = {}) =>
    told('finished', { [GEN_AI.requestModel]: 'm', [GEN_AI.outputTokens]: 10 }, fields);
  const sums = (...rows: EntryRow[]) => {
    const series = new Series();
    for (const row of rows) series.countEntry(row);
    return [...series.models].map(([model, { tokens }]) => [model, tokens.reduce((a, b) => a + b, 0)]);
  };
  const elsewhere = { channel: 'logs:generation' };

  it('are those of its deltas, and where there were none, those that its end says', () => {
    expect(sums(start(), text(), end())).toEqual([['m', 10]]);
    expect(sums(end())).toEqual([['m', 10]]);
    expect(sums(start(), end())).toEqual([['m', 10]]);
  });

  it('are counted once where its start and its end are told on two channels', () => {
    expect(sums(start(), start(elsewhere), text(), end(), end(elsewhere))).toEqual([['m', 10]]);
    expect(sums(end(), end(elsewhere))).toEqual([['m', 10]]);
  });

  it('are counted once where its start was not heard, or its text was reasoning', () => {
    expect(sums(text(), end())).toEqual([
      ['unknown', 10],
      ['m', 0],
    ]);
    expect(sums(start(), text(), told('retracted'), end())).toEqual([['m', 10]]);
  });

  it('are counted again for the next one of its lane', () => {
    const next = Date.now();
    const before = next - 5_000;
    const both = [end({ time: before }), end({ ...elsewhere, time: before }), end({ time: next })];
    expect(sums(...both)).toEqual([['m', 20]]);
    expect(sums(start(), end(), start(), end(elsewhere))).toEqual([['m', 20]]);
  });
});
