// The shell commands of the README and of docs/ work as written: they run in order in a fresh copy of the repository, and only the port
// is changed. A block that needs more than this machine has a comment before it that says so.
import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { freePort } from '../../../test-support/redis.ts';

/** A busy machine may take long to build the page and to start everything. */
const PATIENCE_MS = 180_000;

interface Block {
  page: string;
  /** The first line of the block. */
  name: string;
  text: string;
  /** The comment before it: `start`, or `not run: …` with the reason. */
  note: string;
}

const blocks: Block[] = ['README.md', ...globSync('docs/*.md', { cwd: ROOT }).sort()].flatMap((page) =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(/(?:<!-- (.+) -->\n)?```sh\n([\s\S]*?)```/g)].map(
    ([, note = '', text = '']) => ({ page, name: `${page}: ${text.split('\n', 1)[0]}`, text, note }),
  ),
);
const skipped = blocks.filter(({ note }) => note.startsWith('not run: '));
const run = blocks.filter(({ note }) => note === '');

let folder: string;
let started: RunningProcess;
let port: number;

beforeAll(async () => {
  // `npm start` in the copy would install anew, through the link, and so empty the folder under the tests that run beside this one.
  const modified = (file: string) => statSync(join(ROOT, file)).mtimeMs;
  if (modified('node_modules/.package-lock.json') < modified('package-lock.json'))
    throw new Error('node_modules are older than package-lock.json; run npm ci first');
  folder = mkdtempSync(join(tmpdir(), 'fresh-'));
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
  })
    .toString()
    .split('\0')
    .filter((file) => file !== '');
  // npm compares the times of these files to decide whether the dependencies match the lock file.
  for (const file of files)
    cpSync(join(ROOT, file), join(folder, file), { recursive: true, preserveTimestamps: true, force: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  port = await freePort();
  const block = blocks.find(({ note }) => note === 'start');
  started = bash(block?.text ?? '');
  await started.saw(new RegExp(`http://\\S+:${port}`), PATIENCE_MS);
}, PATIENCE_MS);

afterAll(async () => {
  await started?.stop('SIGTERM', PATIENCE_MS / 2);
  rmSync(folder, { recursive: true, force: true });
}, PATIENCE_MS);

function bash(text: string): RunningProcess {
  return startProcess(['-c', text.trim().replaceAll('localhost:8000', `localhost:${port}`)], {
    command: 'bash',
    cwd: folder,
    env: { PORT: `${port}`, REDIS_URL: '' },
  });
}

describe('the commands of the documentation', () => {
  it.each(run)(
    'work: $name',
    async ({ text }) => {
      const shell = bash(text);
      if (/\/stream\?/.test(text.split('\n').at(-2) ?? '') && !text.includes('level=loud')) {
        await shell.saw(/^data: /m, PATIENCE_MS);
        await shell.stop();
        return;
      }
      const { code } = await shell.exited;
      expect({ code, output: shell.output }).toMatchObject({ code: 0 });
      const expected = /# (\d{3}) \w+/.exec(text)?.[1];
      const failed = [...shell.stdout.matchAll(/"status":(\d{3}),"code"/g)].map(([, status]) => status);
      expect(failed).toEqual(expected === undefined ? [] : [expected]);
    },
    PATIENCE_MS,
  );

  it.skipIf(skipped.length > 0).each(skipped)('are not run ($note): $name', () => {});

  it('are all run, but for those that say why not', () => {
    expect(blocks.filter(({ note }) => note === 'start')).toHaveLength(1);
    expect(run.length).toBeGreaterThan(10);
    expect(skipped.map(({ note }) => note).filter((note) => !/^not run: needs /.test(note))).toEqual([]);
    expect(run.length + skipped.length + 1).toBe(blocks.length);
  });
});
