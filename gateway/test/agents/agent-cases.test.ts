// docs/agent-cases.md says of each case which test shows it: each of them is there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../../test-support/process.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const rows = read('docs/agent-cases.md')
  .split('\n')
  .filter((line) => /^\| \d/.test(line));

it('each of the 42 cases is shown by tests that exist, by the claims that they make', () => {
  expect(rows.map((row) => Number(row.split('|')[1]))).toEqual(Array.from({ length: 42 }, (_, i) => i + 1));
  for (const row of rows) {
    const shown = [...row.matchAll(/`([\w./-]+\.test\.ts)`: “([^”]+)”/g)];
    expect(shown.length, row).toBeGreaterThan(0);
    for (const [, file = '', claim = ''] of shown) expect(read(file), `${file}: ${claim}`).toContain(claim);
  }
});
