// `collect` as a person runs it: a process that reads a real socket and publishes over real HTTP, and that is killed in the middle.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, type RunningProcess, startProcess } from '../../test-support/process.ts';
import { stampOf } from '../src/collect/stamp.ts';
import { EngineStandIn, wire } from './collect/engine-stand-in.ts';
import { Receiver } from './receiver.ts';

let folder = '';
let engine: EngineStandIn;
let receiver: Receiver;
const started: RunningProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llm-streamer-collect-'));
  engine = await EngineStandIn.start(join(folder, `${randomBytes(4).toString('hex')}.sock`));
  receiver = await Receiver.start();
});
afterEach(async () => {
  for (const program of started.splice(0)) await program.stop('SIGKILL');
  await engine[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function collect(...args: string[]): RunningProcess {
  const where = ['--socket', engine.path, '--state', join(folder, 'state.jsonl')];
  const program = startProcess(['producer/src/main.ts', 'collect', ...where, ...args], {
    env: { GATEWAY_URL: receiver.url },
  });
  started.push(program);
  return program;
}

const arrives = (msg: string) => eventually(`${msg} arrives`, () => receiver.messages.includes(msg));

describe('what happens to containers', () => {
  const told = () => receiver.entries.filter(({ channel }) => channel === 'events:containers');
  const nanos = (ms = 0) => (Date.now() + ms) * 1_000_000;

  it('is on events:containers: starts, deaths with their exit code, and lack of memory', async () => {
    const web = engine.add('web', { labels: { 'com.docker.compose.project': 'shop' } });
    collect();
    engine.say(web, 'hello');
    await arrives('hello');
    engine.happen('start', web, nanos());
    engine.happen('exec_start: sh', web, nanos(1));
    engine.happen('oom', web, nanos(2));
    engine.happen('die', web, nanos(3), { exitCode: '137' });
    engine.happen('die', web, nanos(4), { exitCode: '0' });
    await eventually('all is told', () => told().length >= 4);
    expect(told()).toMatchObject([
      { event: 'container.started', level: 'info', source: 'web', msg: 'web started (image:1)' },
      { event: 'container.out_of_memory', level: 'error', attrs: { 'compose.project': 'shop' } },
      {
        event: 'container.died',
        level: 'error',
        msg: 'web died with exit code 137',
        attrs: { exit_code: 137 },
      },
      { event: 'container.died', level: 'info', attrs: { exit_code: 0 } },
    ]);
  });

  it('comes once, also when the engine and the collector are killed in between', async () => {
    const web = engine.add('web');
    const first = collect();
    engine.say(web, 'hello');
    await arrives('hello');
    engine.happen('die', web, nanos(), { exitCode: '1' });
    await eventually('the first is told', () => told().length === 1);
    await engine.kill();
    await engine.restart();
    engine.happen('start', web, nanos(1));
    await eventually('the second is told', () => told().length === 2);
    await first.stop('SIGKILL');
    engine.happen('die', web, nanos(2), { exitCode: '2' });
    collect();
    await eventually('what was missed is told', () => told().length === 3);
    engine.happen('start', web, nanos(3));
    await eventually('and what comes', () => told().length === 4);
    expect(told().map(({ msg }) => msg)).toEqual([
      'web died with exit code 1',
      'web started (image:1)',
      'web died with exit code 2',
      'web started (image:1)',
    ]);
  });

  it('is not told of containers that are left out, and of none with --no-events', async () => {
    const secret = engine.add('secret', { labels: { 'llm-streamer.collect': 'false' } });
    const web = engine.add('web');
    const first = collect();
    engine.happen('start', secret, nanos());
    engine.happen('start', web, nanos(1));
    await eventually('one is told', () => told().length === 1);
    expect(told()).toMatchObject([{ source: 'web' }]);
    await first.stop('SIGTERM');
    collect('--no-events');
    engine.happen('start', web, nanos(2));
    engine.say(web, 'hello');
    await arrives('hello');
    expect(told()).toHaveLength(1);
  });
});

describe('collect', () => {
  it('follows containers that run, and those that are started later, on channels of their own', async () => {
    const compose = {
      'com.docker.compose.project': 'shop',
      'com.docker.compose.service': 'web',
      'com.docker.compose.container-number': '2',
    };
    engine.say(engine.add('shop-web-2', { labels: compose }), 'hello');
    collect();
    await arrives('hello');
    engine.say(
      engine.add('worker', { hasTerminal: true, labels: { 'llm-streamer.channel': 'logs:jobs' } }),
      'later',
    );
    await arrives('later');
    expect(receiver.entries).toMatchObject([
      {
        channel: 'logs:web',
        source: 'web-2',
        attrs: { 'compose.project': 'shop', 'container.image.name': 'image:1' },
      },
      { channel: 'logs:jobs', source: 'worker' },
    ]);
    expect(new Set(engine.requests.map(({ method }) => method))).toEqual(new Set(['GET']));
  });

  it('leaves out its own containers, those with the label, and those that were not chosen', async () => {
    const labels = { team: 'a' };
    engine.say(engine.add('gateway', { labels: { ...labels, 'llm-streamer.part': 'gateway' } }), 'own');
    engine.say(engine.add('secret', { labels: { ...labels, 'llm-streamer.collect': 'false' } }), 'secret');
    engine.say(engine.add('other'), 'other');
    engine.say(engine.add('wanted', { labels }), 'wanted');
    collect('--label', 'team=a');
    await arrives('wanted');
    expect(receiver.messages).toEqual(['wanted']);
  });

  it('reads a container that ended while nobody collected, and its next run', async () => {
    const container = engine.add('job');
    engine.say(container, 'one');
    const first = collect();
    await arrives('one');
    await first.stop('SIGKILL');
    engine.say(container, 'two');
    engine.write(container, { output: 'stdout', at: stampOf(Date.now()), text: 'last words' });
    engine.end(container);
    collect();
    await arrives('last words');
    engine.begin(container);
    engine.say(container, 'three');
    await arrives('three');
    expect(receiver.messages).toEqual(['one', 'two', 'last words', 'three']);
  });

  it('says of a container without a log that it has none, and goes on with the others', async () => {
    const silent = engine.add('silent', { refuses: 501 });
    engine.say(engine.add('loud'), 'loud');
    const program = collect();
    await arrives('loud');
    await program.saw(
      'silent has no log that can be read: configured logging driver does not support reading',
    );
    // The engine lists its containers again.
    await engine.kill();
    await engine.restart();
    await program.saw('the engine is back');
    engine.say(engine.add('later'), 'later');
    await arrives('later');
    expect(program.output.match(/silent has no log/g)).toHaveLength(1);
    expect(engine.requests.filter(({ path }) => path.endsWith(`${silent.id}/logs`))).toHaveLength(1);
  });

  it('stays in bounded memory while the log is away, and loses nothing', async () => {
    const container = engine.add('busy');
    const port = receiver.port;
    await receiver[Symbol.asyncDispose]();
    const line = 'x'.repeat(4_000);
    const lines = 12_000; // more text than the heap may hold
    const now = Date.now();
    for (let n = 0; n < lines; n++)
      container.log.push({ output: 'stdout', at: stampOf(now + n / 100), text: `${n} ${line}\n` });
    const program = startProcess(
      [
        '--max-old-space-size=40',
        'producer/src/main.ts',
        'collect',
        '--socket',
        engine.path,
        '--state',
        join(folder, 's'),
      ],
      { env: { GATEWAY_URL: `http://127.0.0.1:${port}` } },
    );
    started.push(program);
    await program.saw('broker unavailable');
    receiver = await Receiver.start(port);
    await eventually('all lines arrive', () => receiver.entries.length >= lines, 50_000);
    expect(receiver.messages.map((msg) => Number.parseInt(msg, 10))).toEqual(
      Array.from({ length: lines }, (_, n) => n),
    );
  });

  it('loses nothing and doubles nothing while it and the engine are killed again and again under load', async () => {
    const containers = [engine.add('a'), engine.add('b', { hasTerminal: true }), engine.add('c')];
    const expected: string[] = [];
    let n = 0;
    const write = () => {
      for (const container of containers)
        for (let i = 0; i < 20; i++) {
          const line = `${container.name} ${n++}`;
          expected.push(line);
          // Many lines have the same time, and the third container writes to both of its outputs.
          const output = container.name === 'c' && n % 3 === 0 ? 'stderr' : 'stdout';
          engine.write(container, { output, at: stampOf(Date.now()), text: `${line}\n` });
        }
    };
    const load = setInterval(write, 5);
    let program = collect();
    for (let round = 0; round < 8; round++) {
      const before = receiver.entries.length;
      await eventually('entries arrive', () => receiver.entries.length > before + 200);
      if (round % 2 === 0) {
        await program.stop('SIGKILL');
        program = collect();
      } else {
        const half = wire({ output: 'stdout', at: stampOf(Date.now()), text: 'cut off' }, false).subarray(
          0,
          20,
        );
        await engine.kill(half);
        await engine.restart();
      }
    }
    clearInterval(load);
    await eventually('the last lines arrive', () => receiver.messages.includes(expected.at(-1) ?? ''));
    expect(await program.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    await eventually('all lines arrive', () => receiver.entries.length >= expected.length);
    expect(receiver.messages.toSorted()).toEqual(expected.toSorted());
    for (const { name } of containers) {
      const of = (all: readonly string[]) => all.filter((line) => line.startsWith(`${name} `));
      if (name !== 'c') expect(of(receiver.messages)).toEqual(of(expected));
    }
  });

  it('goes on after the log has taken a batch, and its answer was lost with the collector', async () => {
    const container = engine.add('app');
    engine.say(container, 'one');
    receiver.losesAnswers = true;
    const first = collect();
    await arrives('one');
    await first.stop('SIGKILL');
    receiver.losesAnswers = false;
    engine.say(container, 'two');
    collect();
    await arrives('two');
    expect(receiver.messages).toEqual(['one', 'two']);
  });
});

describe('what cannot work', () => {
  const run = async (socket: string, ...args: string[]) => {
    const program = startProcess(['producer/src/main.ts', 'collect', '--socket', socket, ...args], {
      env: { GATEWAY_URL: receiver.url },
    });
    started.push(program);
    const { code } = await program.exited;
    return [code, program.output];
  };

  it('is one line and exit code 2: no socket, nobody who answers, or something that is no engine', async () => {
    const absent = join(folder, 'absent.sock');
    const file = join(folder, 'file');
    const foreign = join(folder, 'foreign.sock');
    await writeFile(file, '');
    const server = createServer((_, response) => response.end('hello')).listen(foreign);
    const lines = await Promise.all([run(absent), run(file), run(foreign), run('ssh://host')]);
    server.close();
    const [none, dead, other, ssh] = lines;
    expect(none).toEqual([
      2,
      expect.stringMatching(/^producer: no socket at .*absent\.sock: does the engine run\?.*\n$/),
    ]);
    expect(dead).toEqual([
      2,
      expect.stringMatching(/^producer: nothing answers at .*file: does the engine run\?\n$/),
    ]);
    expect(other).toEqual([
      2,
      expect.stringMatching(/^producer: .* answers, but not like Docker or Podman\n$/),
    ]);
    expect(ssh).toEqual([
      2,
      expect.stringMatching(/^producer: --socket "ssh:\/\/host": must be a path.*\n$/),
    ]);
  });

  it.skipIf(existsSync('/run/podman/podman.sock'))(
    'names other sockets than the one that is missing',
    async () => {
      expect(await run('/run/podman/podman.sock')).toEqual([
        2,
        expect.stringMatching(
          /no socket at \/run\/podman\/podman\.sock: .* such as \/var\/run\/docker\.sock\n$/,
        ),
      ]);
    },
  );

  it('is a second collector with the same state', async () => {
    const first = collect();
    await first.saw('collecting from');
    const second = collect();
    expect((await second.exited).code).toBe(2);
    expect(second.output).toMatch(/^producer: --state .*: another collector uses it\n$/);
  });

  it('is a key that the gateway refuses', async () => {
    engine.say(engine.add('app'), 'one');
    receiver.answers.push({ status: 401, body: '{"code":"unauthorized","detail":"sign in"}' });
    const program = collect();
    expect((await program.exited).code).toBe(2);
    expect(program.output).toMatch(
      /collect: the gateway at .* asks for a key: set GATEWAY_KEY or GATEWAY_KEY_FILE \(unauthorized\)\n$/,
    );
    collect();
    await arrives('one');
  });
});
