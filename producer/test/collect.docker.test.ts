// `collect` with a real engine: containers that are started for the test. Skipped where no engine answers, or the image is missing.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type RunningProcess, startProcess } from '../../test-support/process.ts';
import { Receiver } from './receiver.ts';

const SOCKET = '/var/run/docker.sock';
/** It is there where the containers of the product were built, and has a shell. */
const IMAGE = 'redis:8-alpine';
const MINUTES = 60_000;

const label = `llm-streamer.test=${randomBytes(4).toString('hex')}`;
const name = (what: string) => `${what}-${label.slice(-8)}`;
let folder = '';
let receiver: Receiver;
let collector: RunningProcess;

async function docker(...args: string[]): Promise<string | undefined> {
  try {
    const program = startProcess(args, { command: 'docker' });
    return (await program.exited).code === 0 ? program.stdout.trim() : undefined;
  } catch {
    return undefined; // it is not installed
  }
}

const run = (what: string, script: string, ...flags: string[]) =>
  docker(
    'run',
    '--detach',
    '--network',
    'none',
    '--label',
    label,
    '--name',
    name(what),
    ...flags,
    IMAGE,
    'sh',
    '-c',
    script,
  );

function collect(): RunningProcess {
  return startProcess(
    [
      'producer/src/main.ts',
      'collect',
      '--socket',
      SOCKET,
      '--label',
      label,
      '--state',
      join(folder, 'state.jsonl'),
    ],
    { env: { GATEWAY_URL: receiver.url } },
  );
}

const isEvent = ({ channel }: { channel: string }) => channel === 'events:containers';
const of = (what: string) =>
  receiver.entries.filter((entry) => entry.source === name(what) && !isEvent(entry));
const eventsOf = (what: string) =>
  receiver.entries.filter((entry) => entry.source === name(what) && isEvent(entry));
const arrive = (what: string, entries: number) =>
  eventually(`${entries} entries of ${what}`, () => of(what).length >= entries, MINUTES);

const engine = existsSync(SOCKET) && (await docker('image', 'inspect', IMAGE)) !== undefined;

describe.skipIf(!engine)('collect with a Docker engine', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'llm-streamer-docker-'));
    receiver = await Receiver.start();
    collector = collect();
    await collector.saw('collecting from');
  }, MINUTES);

  afterAll(async () => {
    await collector.stop('SIGKILL');
    const ids = await docker('ps', '--all', '--quiet', '--filter', `label=${label}`);
    if (ids) await docker('rm', '--force', ...ids.split('\n'));
    await receiver[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  }, MINUTES);

  it.each([
    ['frames', []],
    ['terminal', ['--tty']],
  ])(
    'takes a line of 40 kB whole, and last words without a line end, also of a second run (%s)',
    async (what, flags) => {
      const script = 'echo first; head -c 40000 /dev/zero | tr "\\0" x; echo; printf "last words"';
      await run(what, script, ...flags);
      await arrive(what, 3);
      await docker('start', name(what));
      await arrive(what, 6);
      const once = ['first', 'x'.repeat(40_000), 'last words'];
      expect(of(what).map(({ msg }) => msg)).toEqual([...once, ...once]);
    },
    2 * MINUTES,
  );

  it(
    'tells when a container starts and dies, and with what exit code',
    async () => {
      await run('brief', 'exit 3');
      await eventually('both are told', () => eventsOf('brief').length >= 2, MINUTES);
      expect(eventsOf('brief')).toMatchObject([
        { event: 'container.started', level: 'info' },
        { event: 'container.died', level: 'error', attrs: { exit_code: 3 } },
      ]);
    },
    2 * MINUTES,
  );

  it(
    'tells both outputs apart, keeps a stack trace whole, and knows levels',
    async () => {
      const trace = 'Traceback (most recent call last):\\n  File "a.py", line 3, in f\\nValueError: no\\n';
      await run('levels', `echo '{"level":"warn","msg":"json"}'; printf '${trace}' >&2`);
      await arrive('levels', 2);
      const bySource = Object.groupBy(of('levels'), ({ attrs }) => String(attrs?.stream));
      expect(bySource.stdout).toMatchObject([
        { level: 'warn', msg: 'json', channel: `logs:${name('levels')}` },
      ]);
      expect(bySource.stderr).toMatchObject([
        { level: 'error', msg: expect.stringMatching(/^Traceback[\s\S]*ValueError: no$/) },
      ]);
    },
    2 * MINUTES,
  );

  it(
    'says that a container with the log driver none has no log',
    async () => {
      await run('none', 'sleep 60', '--log-driver', 'none');
      await collector.saw(`${name('none')} has no log that can be read`);
    },
    2 * MINUTES,
  );

  it(
    'loses and doubles nothing when it is killed while containers write, one of them much and one little',
    async () => {
      const count = (to: number, pause: string) =>
        `i=0; while [ $i -lt ${to} ]; do i=$((i+1)); echo "line $i"; [ $((i%100)) = 0 ] && sleep ${pause}; done`;
      await run('busy', count(6_000, '0.05'));
      await run('quiet', 'for i in 1 2 3 4 5 6; do echo "line $i"; sleep 0.7; done');
      for (let kills = 1; kills <= 3; kills++) {
        await arrive('busy', kills * 1_000);
        await collector.stop('SIGKILL');
        collector = collect();
      }
      await arrive('busy', 6_000);
      await arrive('quiet', 6);
      const lines = (to: number) => Array.from({ length: to }, (_, i) => `line ${i + 1}`);
      expect(of('busy').map(({ msg }) => msg)).toEqual(lines(6_000));
      expect(of('quiet').map(({ msg }) => msg)).toEqual(lines(6));
    },
    4 * MINUTES,
  );
});
