// The benchmark itself, end to end with tiny figures: every count exact, the table whole. How fast anything was is not said.
import { describe, expect, it } from 'vitest';
import { startProcess } from '../../../test-support/process.ts';
import { COLUMNS } from '../../bench/table.ts';

type Row = Record<(typeof COLUMNS)[number], string>;

async function bench(...args: string[]): Promise<{ code: number | null; output: string; rows: Row[] }> {
  const run = startProcess(['gateway/bench/main.ts', ...args]);
  const { code } = await run.exited;
  const cells = run.stdout
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '));
  expect(cells[0]).toEqual([...COLUMNS]);
  for (const row of cells) expect(row).toHaveLength(COLUMNS.length);
  const rows = cells
    .slice(1)
    .map((row) => Object.fromEntries(row.map((cell, i) => [COLUMNS[i], cell])) as Row);
  return { code, output: run.output, rows };
}

// Only so that a run that hangs ends: how long one takes is not what is tested.
const PATIENCE_MS = 180_000;
const TINY = ['--quick', '--seconds', '0.3', '--scale', '0.02'];

describe('npm run bench', { timeout: PATIENCE_MS }, () => {
  it('gives a row for each design, says where one is not installed, and judges each bar', async () => {
    const { code, output, rows } = await bench('latency', ...TINY);
    expect(output).toMatch(/^Node v24.*Redis \d+\.\d+.*\d+ cores/);
    expect(rows.map(({ scenario, design }) => `${scenario}: ${design}`)).toEqual([
      'latency: gateway',
      'latency: classical',
      'latency: nchan',
      'latency: webdis',
      'latency: bare-gateway',
      'latency: probe',
      'latency: AUTH=on',
    ]);
    for (const row of rows) {
      if (row.notes === 'not installed') continue;
      expect(row.rounds).toBe('1');
      if (['gateway', 'classical', 'bare-gateway', 'probe', 'AUTH=on'].includes(row.design))
        expect([row.lost, row.repeated]).toEqual(['0', '0']);
      for (const column of ['deliveries/s', 'p50 ms', 'p99 ms', 'bytes/delivery'] as const)
        expect(row[column], column).toMatch(/^[\d,.]+$/);
    }
    expect(rows[0]?.bars.match(/pass|miss|not measured/g)).toHaveLength(6);
    expect(code, output).toBe(0);
  });

  it('counts every line of containers that are collected', async () => {
    const { code, output, rows } = await bench('containers', ...TINY);
    expect(rows.map(({ scenario, design, lost }) => [scenario, design, lost])).toEqual([
      ['containers', 'collect', '0'],
    ]);
    expect(code, output).toBe(0);
  });

  it('counts every entry at every viewer exactly, over filters, patterns, history', async () => {
    const asked = ['filters', 'patterns', 'resume-storm', '--only', 'gateway'];
    const { code, output, rows } = await bench(...asked, ...TINY);
    expect(rows.map(({ scenario, lost, repeated }) => [scenario, lost, repeated])).toEqual([
      ['filters', '0', '0'],
      ['filters-1000', '0', '0'],
      ['patterns', '0', '0'],
      ['resume-storm', '0', '0'],
    ]);
    expect(rows[0]?.bars).toBe('lost ≤ 0: 0 pass');
    expect(code, output).toBe(0);
  });

  it('names what it does not know', async () => {
    const run = startProcess(['gateway/bench/main.ts', 'fan-in']);
    expect((await run.exited).code).toBe(2);
    expect(run.stderr).toMatch(/^unknown: fan-in; known: fan-out, .*publish, .*\n$/);
  });

  it('lists the scenarios with their bars', async () => {
    const run = startProcess(['gateway/bench/main.ts', '--help']);
    expect((await run.exited).code).toBe(0);
    expect(run.stdout).toContain('resume-storm');
    expect(run.stdout).toContain('bar: × classical ≥ 15');
  });
});
