// How long a program that was started with test-support/loop-probe.ts has held its event loop: a figure that other programs on the machine hardly change.

import { eventually, type RunningProcess } from '../../test-support/process.ts';

export const PROBED = ['--import', './test-support/loop-probe.ts'];

/** The longest time since the last question, in ms of CPU by the machine's pace. */
export async function longestHold(program: RunningProcess): Promise<number> {
  const before = program.stdout.length;
  program.kill('SIGUSR2');
  const found = () => /probe ([\d.]+) /.exec(program.stdout.slice(before))?.[1];
  await eventually('the probe answers', () => found() !== undefined);
  return Number(found());
}
