// `npm run rules`, as a person runs it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startProcess } from '../../../../test-support/process.ts';

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llm-streamer-rules-cli-'));
  file = join(folder, 'rules.json');
});
afterAll(() => rm(folder, { recursive: true }));

async function rules(args: string[], input = '', env: Record<string, string> = {}) {
  const run = startProcess(['gateway/src/rules/cli/rules-main.ts', ...args], { input, env });
  const { code } = await run.exited;
  return { code, stdout: run.stdout, stderr: run.stderr };
}

it('check says for each line what the rules would make of it', async () => {
  const run = await rules(
    ['check', 'gateway/rules.example.json'],
    'Task 42 created\njust a line\n{"level":"error","msg":"CUDA out of memory","source":"gpu-7"}\n',
  );
  expect(run).toEqual({
    code: 0,
    stdout: [
      '1: task-created: event task.created on events:task {"task":"42"}',
      '2: nothing',
      '3: many-errors: counts for the alert many-errors/gpu-7 (count)',
      '3: out-of-memory: counts for the alert out-of-memory/gpu-7 (match)',
      '',
    ].join('\n'),
    stderr: '20 rules are valid: 13 make events, 7 make alerts\n',
  });
});

it('check names each mistake of a file, and fails', async () => {
  await writeFile(
    file,
    '{"rules": [{"name": "a", "channels": ["audit:*"], "match": "(", "alert": {"when": "match"}}]}',
  );
  const run = await rules(['check', file]);
  expect([run.code, run.stdout]).toEqual([1, '']);
  expect(run.stderr).toContain('rules: rules[0].channels[0]: must not be a reserved channel');
});

it('check says which variables of destinations are not set, and never what is in them', async () => {
  await writeFile(file, '{"rules": [], "destinations": {"ops": {"kind": "slack", "url_env": "SLACKHOOK"}}}');
  const missing = await rules(['check', file]);
  expect([missing.code, missing.stderr]).toEqual([
    1,
    expect.stringContaining('destinations.ops: SLACKHOOK is not set'),
  ]);
  const wrong = await rules(['check', file], '', { SLACKHOOK: 's3cret' });
  expect(wrong.stderr).toContain('SLACKHOOK holds no http:// or https:// address');
  expect(wrong.stderr).not.toContain('s3cret');
  const address = { SLACKHOOK: 'http://127.0.0.1:1/s3cret' };
  expect((await rules(['check', file], '', address)).code).toBe(0);
  expect(await rules(['test', file, 'ops'], '', address)).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^ops: not delivered: it cannot be reached( \(\w+\))?\n$/),
  });
});

it.each([[[]], [['chek', 'x']], [['check']], [['check', 'x', '--loud']]])(
  '%j is answered with what to write',
  async (args) => {
    const run = await rules(args);
    expect(run.code).toBe(2);
    expect(run.stdout + run.stderr).toMatch(/npm run rules|see --help/);
  },
);
