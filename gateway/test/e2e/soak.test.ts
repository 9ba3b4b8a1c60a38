// The command line of `npm run soak`. It runs the same scenarios as faults.test.ts, in full size.
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startProcess } from '../../../test-support/process.ts';

const soak = (...options: string[]) =>
  startProcess([fileURLToPath(new URL('../../../scripts/soak.ts', import.meta.url)), ...options]);

it('--help names the options and the faults', async () => {
  const child = soak('--help');
  expect(await child.exited).toMatchObject({ code: 0 });
  for (const text of ['--viewers N', '--seed N', 'gateway killed']) expect(child.stdout).toContain(text);
});

it.each([
  [['--nope'], "Unknown option '--nope'"],
  [['--viewers', 'many'], '--viewers "many": must be a whole number from 1'],
  [['--only', 'nothing'], '--only "nothing": no fault has such a name'],
])('%s is refused in one line', async (options, reason) => {
  const child = soak(...options);
  expect(await child.exited).toMatchObject({ code: 2 });
  expect(child.stderr).toBe(`soak: ${reason}; see npm run soak -- --help\n`);
  expect(child.stdout).toBe('');
});
