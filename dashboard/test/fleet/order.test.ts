import { METRICS } from '@llm-streamer/shared/gen-ai.ts';
import { describe, expect, it } from 'vitest';
import { COLUMNS } from '../../src/fleet/columns.ts';
import { FleetModel, rowsOf } from '../../src/fleet/model.ts';
import { nextSort, ordered } from '../../src/fleet/order.ts';
import { figure } from '../../src/pictures/words.ts';
import { SORTS } from '../../src/state/fleet-sorts.ts';
import { entry } from '../rows.ts';

const NOW = 1_800_000_000_000;

const model = new FleetModel();
const say = (source: string, fields: Record<string, unknown>) =>
  model.count(entry({ id: `${NOW - 500}-1`, source, ...fields }));
const reports = (source: string, kv: number, host?: string) =>
  say(source, {
    event: 'server.metrics',
    attrs: { [METRICS.kvCacheUsage]: kv, ...(host && { 'host.name': host }) },
  });
reports('gpu-2', 0.1, 'box-a');
reports('gpu-10', 0.3, 'box-a');
reports('gpu-1', 0.5, 'box-b');
say('gpu-10', { level: 'error' });
reports('gpu-3', 0.2, 'box-a');
say('api', {});
const rows = rowsOf([...model.figures(NOW)]);
const names = (sort: string) =>
  ordered(rows, sort).map(({ title, rows: own }) => [title, own.map(({ source }) => source)]);

describe('the order of the rows', () => {
  it('by trouble: what is in trouble first, wherever it runs, then those of one host together', () => {
    expect(names('')).toEqual([
      ['in trouble', ['gpu-10']],
      ['box-a', ['gpu-2', 'gpu-3']],
      ['others', ['gpu-1', 'api']],
    ]);
  });

  it('hosts stand by name, so that a row in trouble moves alone', () => {
    const hosts = (kv: number) => {
      const fleet = new FleetModel();
      const gpus = ['box-c', 'box-a', 'box-b'].flatMap((host) => [0, 1, 2].map((n) => ({ host, n })));
      for (const { host, n } of gpus) {
        const attrs = { 'host.name': host, [METRICS.kvCacheUsage]: host === 'box-c' && n === 0 ? kv : 0.1 };
        const event = 'server.metrics';
        fleet.count(entry({ id: `${NOW - 500}-1`, source: `${host}-${n}`, event, attrs }));
      }
      return ordered(rowsOf([...fleet.figures(NOW)]), '').map(({ title }) => title);
    };
    expect(hosts(0.1)).toEqual(['box-a', 'box-b', 'box-c']);
    expect(hosts(0.99)).toEqual(['in trouble', 'box-a', 'box-b', 'box-c']);
  });

  it('by a column: that order alone, and what is not known last in both directions', () => {
    expect(names('kv')).toEqual([[undefined, ['gpu-1', 'gpu-10', 'gpu-3', 'gpu-2', 'api']]]);
    expect(names('-kv')).toEqual([[undefined, ['gpu-2', 'gpu-3', 'gpu-10', 'gpu-1', 'api']]]);
    expect(names('source')).toEqual([[undefined, ['api', 'gpu-1', 'gpu-2', 'gpu-3', 'gpu-10']]]);
  });

  it('of a link that names no column is that by trouble', () => {
    expect(ordered(rows, 'nonsense')[0]?.rows[0]?.source).toBe('gpu-10');
  });

  it('a title turns the order around with the second click, and lets go with the third', () => {
    expect(nextSort('', 'kv')).toBe('kv');
    expect(nextSort('kv', 'kv')).toBe('-kv');
    expect(nextSort('-kv', 'kv')).toBe('');
    expect(nextSort('-kv', 'age')).toBe('age');
  });

  it('every column that sorts can be in a link, and no other', () => {
    const sortable = COLUMNS.filter(({ value }) => value).flatMap(({ key }) => [key, `-${key}`]);
    expect([...SORTS].sort()).toEqual(sortable.sort());
  });
});

describe('what a cell shows', () => {
  it('is a dash where nothing is known, and 0 where it is', () => {
    expect([undefined, 0, 0.04, 4.25, 41.6, 12_345].map(figure)).toEqual([
      '–',
      '0',
      '0.0',
      '4.3',
      '42',
      '12,345',
    ]);
  });
});
