import { describe, expect, it } from 'vitest';
import { matches, modelName } from '../../src/tools/tool-names.ts';

const TAKEN = /^[A-Za-z0-9_-]{1,64}$/;

describe('the name of a tool as models see it', () => {
  it('says server and tool', () => {
    expect(modelName('listings', 'findListings')).toBe('listings__findListings');
  });

  it.each(['a.b', 'a/b', 'ä', 'a b', '"', '__proto__', 'x'.repeat(128), `${'x'.repeat(127)}.`])(
    'is one that services of models take, for %s',
    (tool) => expect(modelName('s', tool)).toMatch(TAKEN),
  );

  it('differs for tools that differ, also where signs or the end had to go', () => {
    const long = 'x'.repeat(100);
    const pairs = [
      ['s', 'a.b'],
      ['s', 'a/b'],
      ['s', 'a_b'],
      ['t', 'a_b'],
      ['s', `${long}1`],
      ['s', `${long}2`],
      ['t', `${long}1`],
    ] as const;
    expect(new Set(pairs.map(([server, tool]) => modelName(server, tool))).size).toBe(pairs.length);
  });
});

it('a pattern names one tool, or all whose names begin as it does', () => {
  expect(matches('s__a', 's__a')).toBe(true);
  expect(matches('s__a', 's__ab')).toBe(false);
  expect(matches('s__*', 's__ab')).toBe(true);
  expect(matches('*', 's__a')).toBe(true);
  expect(matches('t__*', 's__a')).toBe(false);
});
