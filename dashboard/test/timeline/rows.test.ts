import { describe, expect, it } from 'vitest';
import { ticksOf, tickTexts } from '../../src/timeline/axis.ts';
import { rowsOf } from '../../src/timeline/rows.ts';
import { newSpan, type Span } from '../../src/timeline/span.ts';
import { figureOf } from '../../src/timeline/words.ts';

function span(name: string, ...children: Span[]): Span {
  return newSpan({ key: name, kind: 'span', name, children });
}

/** Spans within each other. */
function chain(depth: number): Span {
  return depth === 0 ? span('0') : span(String(depth), chain(depth - 1));
}

const shown = (root: Span, choices = new Map<string, boolean>()) =>
  rowsOf(root, choices).map(({ twig, span: { name } }) => twig + name);

describe('the rows of a tree', () => {
  it('stand below each other with lines to their parents', () => {
    const root = span('run', span('a', span('a1'), span('a2')), span('b', span('b1')));
    expect(shown(root)).toEqual(['run', '├ a', '│ ├ a1', '│ └ a2', '└ b', '  └ b1']);
  });

  it('are folded where they lie deep, until the reader opens them', () => {
    const root = chain(8);
    expect(shown(root).map((text) => text.trim())).toEqual(['8', '└ 7', '└ 6', '└ 5', '└ 4']);
    expect(rowsOf(root, new Map()).at(-1)?.isFolded).toBe(true);
    expect(
      shown(root, new Map([['4', false]]))
        .at(-1)
        ?.trim(),
    ).toBe('└ 3');
    expect(shown(root, new Map([['7', true]]))).toHaveLength(2);
  });

  it('stand no further to the right than there is room, however deep they are', () => {
    const rows = rowsOf(chain(1_900));
    expect(rows).toHaveLength(1_901);
    expect(Math.max(...rows.map(({ twig }) => twig.length))).toBeLessThan(30);
  });
});

describe('the axis', () => {
  it.each([
    [8_400, 1_000, '0,1s,2s,3s,4s,5s,6s,7s,8s'],
    [8_400, 300, '0,5s'],
    [900, 400, '0,200ms,400ms,600ms,800ms'],
    [1, 400, '0,1ms'],
    [90_000, 500, '0,20s,40s,60s,80s'],
    [900_000, 400, '0,5m,10m,15m'],
    [7_200_000, 400, '0,30m,60m,90m,120m'],
    [200_000_000, 500, '0,12h,24h,36h,48h'],
    [1_000_000_000_000, 500, '0,1930d,3860d,5790d,7720d,9650d'],
  ])('of %i ms in %i px has round steps: %s', (length, width, texts) => {
    expect(tickTexts(ticksOf(length, width)).join()).toBe(texts);
  });
});

describe('the figures beside a bar', () => {
  it('say what a generation has mostly waited for', () => {
    const parts = [
      { kind: 'queue' as const, from: 0, to: 100 },
      { kind: 'first' as const, from: 100, to: 3_200 },
      { kind: 'stream' as const, from: 3_200, to: 4_200 },
    ];
    const generation = newSpan({
      key: 'g',
      kind: 'generation',
      name: 'g',
      state: 'finished',
      parts,
      outputTokens: 58,
    });
    expect(figureOf({ ...generation, from: 0, to: 4_200 })).toBe('4.20s 58/s ← first 3.10s');
  });
});
