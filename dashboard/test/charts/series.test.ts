import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Series } from '../../src/charts/series.ts';
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
