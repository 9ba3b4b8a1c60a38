import { beforeEach, describe, expect, it } from 'vitest';
import { RunningModel } from '../../src/running/model.ts';
import { LINES, Places } from '../../src/running/places.ts';
import { entry } from '../rows.ts';

const START = 1_800_000_000_000;
let n = 0;
let model: RunningModel;
let places: Places;
beforeEach(() => {
  model = new RunningModel();
  places = new Places();
});

function say(ms: number, event: string, ...runs: string[]): void {
  for (const run of runs) {
    const id = `${START + ms}-${++n}`;
    model.count(entry({ id, source: 'gpu-1', event: `generation.${event}`, run, msg: 'x', attrs: {} }));
  }
}

/** The runs in the lines, and how many have none. */
function shown(ms: number, held?: number): [lines: (string | undefined)[], others: number] {
  const now = START + ms;
  const { lines, others } = places.assign(model.running(now), model.failed(now), now, held);
  return [lines.map((generation) => generation?.run), others.length];
}

const many = (count: number) => Array.from({ length: count }, (_, i) => `r${i}`);

describe('a line', () => {
  it('is kept by a generation until five seconds after its end, and none that runs moves then', () => {
    say(0, 'started', 'a', 'b');
    expect(shown(0)).toEqual([['a', 'b'], 0]);
    say(1_000, 'finished', 'a');
    expect(shown(6_000)).toEqual([['a', 'b'], 0]);
    expect(shown(6_001)).toEqual([[undefined, 'b'], 0]);
    say(7_000, 'started', 'c');
    expect(shown(7_000)).toEqual([['c', 'b'], 0]);
  });

  it('is kept for a minute by one that failed', () => {
    say(0, 'started', 'a', 'b');
    shown(0);
    say(0, 'failed', 'a');
    expect(shown(60_000)).toEqual([['a', 'b'], 0]);
    expect(shown(60_001)).toEqual([[undefined, 'b'], 0]);
  });

  it('is in the order in which they began, also where some have failed before they are looked at', () => {
    say(0, 'started', 'a', 'b', 'c');
    say(0, 'failed', 'b');
    expect(shown(0)).toEqual([['a', 'b', 'c'], 0]);
  });

  it('that the reader points at is kept as long', () => {
    say(0, 'started', 'a');
    shown(0);
    say(1_000, 'finished', 'a');
    expect(shown(30_000, 0)).toEqual([['a'], 0]);
    expect(shown(30_000)).toEqual([[], 0]);
  });
});

describe('where more run than there are lines', () => {
  it('those without a line are counted, and get the first that is free', () => {
    say(0, 'started', ...many(LINES + 3));
    expect(shown(0)).toEqual([many(LINES), 3]);
    say(1_000, 'finished', 'r4');
    expect(shown(1_500)[1]).toBe(3);
    const [lines, others] = shown(2_001);
    expect([lines[4], others]).toEqual([`r${LINES}`, 2]);
  });

  it('one that has finished makes way before one that has failed, which stays for ten seconds at least', () => {
    say(0, 'started', ...many(LINES + 2));
    shown(0);
    say(0, 'failed', 'r1');
    say(500, 'finished', 'r2');
    expect(shown(1_501)[0].slice(1, 3)).toEqual(['r1', `r${LINES}`]);
    expect(shown(10_000)[0][1]).toBe('r1');
    expect(shown(10_001)[0][1]).toBe(`r${LINES + 1}`);
    say(10_002, 'finished', ...many(LINES));
    // What had to go does not come back.
    expect(shown(30_000)[0]).not.toContain('r1');
  });

  it('one in trouble gets a line first', () => {
    say(0, 'started', ...many(LINES), 'late', 'silent');
    shown(0);
    say(10_000, 'delta', 'late');
    say(20_000, 'delta', ...many(LINES), 'late');
    say(20_000, 'finished', 'r0');
    expect(shown(21_001)[0][0]).toBe('silent');
  });

  it('the lowest that speaks makes way for one without a sign, and has the next line that is free', () => {
    say(0, 'started', ...many(LINES), 'silent');
    shown(0);
    say(20_000, 'delta', ...many(LINES));
    // The reader points at the last line.
    const [lines, others] = shown(20_000, LINES - 1);
    expect(lines).toEqual([...many(LINES - 2), 'silent', `r${LINES - 1}`]);
    expect(others).toBe(1);
    say(21_000, 'finished', 'r0');
    expect(shown(22_001)[0][0]).toBe(`r${LINES - 2}`);
  });

  it('none makes way where all are without a sign', () => {
    say(0, 'started', ...many(LINES + 1));
    shown(0);
    expect(shown(20_000)).toEqual([many(LINES), 1]);
  });
});
