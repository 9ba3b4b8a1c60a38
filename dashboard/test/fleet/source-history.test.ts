import { describe, expect, it } from 'vitest';
import { Source } from '../../src/fleet/source.ts';
import { SourceHistory } from '../../src/fleet/source-history.ts';
import { entry } from '../rows.ts';

const NOW = 1_700_000_000_000;
const at = (secondsAgo: number) => NOW - secondsAgo * 1000;

describe('what a source did in the last ten minutes', () => {
  it('is a number for each ten seconds: means of reports, sums of errors, and nothing where nothing was said', () => {
    const history = new SourceHistory();
    const report = (running: number) =>
      entry({ event: 'server.metrics', attrs: { requests_running: running, kv_cache_usage: 0.5 } });
    history.count(report(2), at(6));
    history.count(report(4), at(4));
    history.count(entry({ level: 'error' }), at(4));
    history.count(entry({ level: 'fatal' }), at(3));
    const { running, kvCache, queued, errors } = history.until(NOW);
    expect(running).toHaveLength(60);
    expect(running.at(-1)).toBe(3);
    expect(running.at(-2)).toBeNaN();
    expect(kvCache.at(-1)).toBe(0.5);
    expect(queued.every(Number.isNaN)).toBe(true);
    expect(errors.at(-1)).toBe(2);
    expect(errors.at(-2)).toBeNaN();
    expect(history.until(NOW + 20_000).errors.slice(-3)).toEqual([2, 0, 0]);
    expect(history.until(NOW + 700_000).running.every(Number.isNaN)).toBe(true);
  });

  it('has the times to the first token of answers, and tokens per second of its ten seconds where the fleet has those of five', () => {
    const history = new SourceHistory();
    const source = new Source('s', NOW);
    for (const [ago, tokens, first] of [
      [8, 40, 0.2],
      [5, 60, 0.4],
      [4, 10, 0.3],
    ] as const) {
      const about = { run: `r${ago}`, source: 's' };
      const attrs = { 'gen_ai.response.time_to_first_chunk': first };
      for (const row of [
        entry({ ...about, event: 'generation.started' }),
        entry({ ...about, event: 'generation.delta', attrs: { tokens } }),
        entry({ ...about, event: 'generation.finished', attrs }),
      ]) {
        history.count(row, at(ago));
        source.count(row, at(ago));
      }
    }
    const { firstToken, tokens } = history.until(NOW);
    expect(firstToken.at(-1)).toBe(0.3);
    expect(tokens.at(-1)).toBeCloseTo(110 / 8);
    expect(source.figures(NOW).tokensPerSecond).toBeCloseTo(70 / 5);
  });
});
