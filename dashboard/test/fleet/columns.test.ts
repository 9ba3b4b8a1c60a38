import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { expect, it } from 'vitest';
import { COLUMNS } from '../../src/fleet/columns.ts';
import { FleetModel, rowsOf } from '../../src/fleet/model.ts';
import { compileFilter } from '../../src/log/filter.ts';
import { entry } from '../rows.ts';

const START = 1_800_000_000_000;

/** The entries of a generation that took 300 ms to its first token, and their place in the log. */
function generation(model: string, n: number, end: Record<string, unknown> = {}) {
  const told = (event: string, ms: number, attrs: Record<string, unknown> = {}) =>
    entry({ id: `${START + ms}-${n + ms}`, event: `generation.${event}`, run: `r${n}`, attrs });
  return [
    told('started', 0, { [GEN_AI.requestModel]: model }),
    told('delta', 300, { tokens: 1 }),
    told('finished', 900, { [GEN_AI.requestModel]: model, ...end }),
  ];
}

const SAID = { [GEN_AI.timeToFirstChunk]: 0.3 };

it.each([
  ['its times to the first token', 'm', [SAID, SAID]],
  ['only some of them', 'm', [SAID, {}]],
  ['none of them', 'm', [{}, {}]],
  ['a model with a long name', 'm'.repeat(100), [SAID]],
])('a figure leads to lines of the log, where a source says %s', (_, model, ends) => {
  const fleet = new FleetModel();
  const entries = ends.flatMap((end, i) => generation(model, i * 10_000, end));
  for (const row of entries) fleet.count(row);
  const [row] = rowsOf([...fleet.figures(START + 2_000)]);
  if (!row) throw new Error('no row');
  for (const key of ['model', 'running', 'tokens', 'spark', 'ttft']) {
    const { test } = compileFilter(COLUMNS.find((column) => column.key === key)?.behind(row) ?? '', '');
    const runs = new Set(entries.filter(test).map(({ run }) => run));
    expect([key, runs.size]).toEqual([key, ends.length]);
  }
});
