// The page understands the links of answers as they were meant.

import { expect, it } from 'vitest';
import { parseTerms } from '../../../dashboard/src/log/filter-terms.ts';
import { parseView } from '../../../dashboard/src/state/view-state.ts';
import { pageLink } from '../../src/mcp/page-link.ts';

const PAGE = 'http://localhost:8000/base/';
const viewOf = (link: string) => parseView(new URL(link).search);

it('channels, level, beginning and filter are those of the answer', () => {
  const selection = {
    channels: ['logs*', 'runs:alice/m1'],
    level: 'warn',
    source: 'gpu-3',
    run: 'r-1',
  } as const;
  const link = pageLink(PAGE, { ...selection, q: 'out of & memory' }, '2026-11-29T18:00:00.000Z');
  expect(link.startsWith(`${PAGE}?channels=logs*,runs:alice/m1&`)).toBe(true);
  const { channels, level, since, q } = viewOf(link);
  expect({ channels, level, since }).toEqual({
    channels: ['logs*', 'runs:alice/m1'],
    level: 'warn',
    since: '2026-11-29T18:00:00.000Z',
  });
  expect(parseTerms(q)).toMatchObject([
    { text: 'out of & memory', quoted: true },
    { key: 'run', text: 'r-1' },
    { key: 'source', text: 'gpu-3' },
  ]);
});

it('what would mean something else in the filter of the page is left out', () => {
  for (const odd of ['a b', '/x/', 'gpu-*', '"']) {
    const link = pageLink(PAGE, { channels: ['*'], source: odd, run: odd, q: 'say "hi"' });
    expect(viewOf(link).q).toBe('');
  }
});

it('a link that would be long leads to the page, and is never longer than it may be', () => {
  expect(pageLink(PAGE, { channels: Array.from({ length: 20 }, () => 'x'.repeat(200)) })).toBe(PAGE);
  expect(pageLink(`http://localhost:${'0'.repeat(60_000)}/`, { channels: ['*'] }).length).toBe(1_500);
});
