// `simulate` as compose runs it: a process that publishes over HTTP or to a real Redis until a signal ends it.

import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { eventually, startProcess } from '../../test-support/process.ts';
import { startRedis } from '../../test-support/redis.ts';
import { play } from '../src/simulate/player.ts';
import { Story } from '../src/simulate/story.ts';
import { Receiver } from './receiver.ts';

function simulate(args: readonly string[], env: Record<string, string>) {
  return startProcess(['producer/src/main.ts', 'simulate', ...args], { env });
}

/** An entry without its time, the only field that differs when a story is played again. */
const timeless = ({ time: _, ...rest }: EntryFields) => rest;

describe('simulate', () => {
  it('plays the same story for the same seed and source, and ends after --duration', async () => {
    await using first = await Receiver.start();
    await using second = await Receiver.start();
    const args = ['--seed', '7', '--source', 'gpu-1', '--rate', '3', '--duration', '5.5s'];
    const runs = [first, second].map((receiver) => simulate(args, { GATEWAY_URL: receiver.url }));
    for (const run of runs) expect((await run.exited).code).toBe(0);
    expect(first.entries.length).toBeGreaterThan(30);
    expect(first.entries.map(timeless)).toEqual(second.entries.map(timeless));
    expect(first.messages.at(-1)).toBe('Finished server process [1]');
  });

  it('ends cleanly within 5 s of a signal, its generations ended and everything published', async () => {
    await using receiver = await Receiver.start();
    const program = simulate(['--rate', '5'], { GATEWAY_URL: receiver.url });
    await eventually('a generation streams', () =>
      receiver.entries.some(({ event }) => event === 'generation.delta'),
    );
    expect(await program.stop('SIGTERM', 5_000)).toEqual({ code: 0, signal: null });
    const generations = receiver.entries.filter(({ event }) => event?.startsWith('generation.'));
    const started = generations.filter(({ event }) => event === 'generation.started').length;
    const ended = generations.filter(
      ({ event, msg }) => /finished|failed/.test(event ?? '') && !msg.includes('not started'),
    ).length;
    expect(started).toBeGreaterThan(0);
    expect(ended).toBe(started);
    expect(program.stderr).toMatch(/dropped 0, left 0/);
  });

  it('ends with one line, and without its key in it, where the gateway does not let it publish', async () => {
    await using receiver = await Receiver.start();
    receiver.answers.push({
      status: 403,
      body: JSON.stringify({ code: 'channel_forbidden', detail: 'not yours' }),
    });
    const program = simulate([], {
      GATEWAY_URL: receiver.url,
      GATEWAY_KEY: 'lls_secret',
      LOG_LEVEL: 'silent',
    });
    expect((await program.exited).code).toBe(2);
    expect(program.stderr).toMatch(
      /^simulate: .* does not let this publish: not yours \(channel_forbidden\)\n$/,
    );
    expect(receiver.requests[0]?.headers.authorization).toBe('Bearer lls_secret');
  });

  it('ends within 5 s of a signal also if no gateway answers', async () => {
    const program = simulate([], { GATEWAY_URL: 'http://127.0.0.1:1' });
    await program.saw('broker unavailable: no gateway at 127.0.0.1:1');
    expect(await program.stop('SIGINT', 5_000)).toEqual({ code: 0, signal: null });
    expect(program.stderr).toMatch(/left [1-9]/);
  });

  it('names its source after the host, and logs the seed with which the story can be played again', async () => {
    await using receiver = await Receiver.start();
    const program = simulate([], { GATEWAY_URL: receiver.url });
    await program.saw(/simulating .* on .*, seed [0-9a-f]{8}/);
    const { source } = await eventually('an entry arrives', () => receiver.entries[0]);
    expect(source).toMatch(/^producer-[0-9a-f]{4}$/);
    await program.stop();
  });

  it('floods at the asked rate', async () => {
    await using receiver = await Receiver.start();
    const program = simulate(['--flood', '2000', '--duration', '1s'], { GATEWAY_URL: receiver.url });
    expect((await program.exited).code).toBe(0);
    expect(receiver.entries.length).toBeGreaterThan(1_800);
    expect(receiver.entries.length).toBeLessThanOrEqual(2_000);
    expect(receiver.messages[0]).toBe('flood line 1 at 2000 lines/s');
  });

  it('publishes to a real Redis, through its restart, each entry once and in order', async () => {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const program = simulate(['--flood', '500', '--source', 'f'], { REDIS_URL: redis.url, NAMESPACE: 'sim' });
    const broker = new RedisBroker({ url: redis.url, namespace: 'sim' });
    const messages = async () => {
      const page = await broker.readPage({ channels: ['logs'], after: BEGINNING, limit: 10_000 });
      return page.items.flatMap(({ record }) => (record ? [record.entry.msg] : []));
    };
    await eventually('entries arrive', async () => (await messages()).length > 100);
    await redis.kill('SIGKILL');
    await program.saw('broker unavailable');
    await redis.restart();
    await program.saw('broker back');
    const after = await eventually('entries arrive again', async () => {
      const all = await messages();
      return all.length > 500 && all;
    });
    expect(after).toEqual(after.map((_, i) => `flood line ${i + 1} at 500 lines/s`));
    expect((await program.stop()).code).toBe(0);
    await broker.close();
    await redis.stop();
  });
});

describe('play', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('writes each scene at its time', async () => {
    vi.useFakeTimers();
    const scenes = [...new Story({ seed: '1', source: 'a', rate: 1, durationMs: 10_000 })];
    const start = Date.now();
    const written: EntryFields[] = [];
    const playing = play(
      new Story({ seed: '1', source: 'a', rate: 1, durationMs: 10_000 }),
      (fields) => written.push(fields),
      new AbortController().signal,
    );
    await vi.advanceTimersByTimeAsync(11_000);
    await playing;
    expect(written.map(timeless)).toEqual(scenes.map(({ entry }) => entry));
    for (const [i, { time }] of written.entries())
      expect(Math.abs(time - start - (scenes[i]?.at ?? 0))).toBeLessThan(5);
  });

  it('goes on without a burst after the machine was suspended', async () => {
    vi.useFakeTimers();
    const written: EntryFields[] = [];
    const stop = new AbortController();
    const playing = play(
      new Story({ seed: '1', source: 'a', rate: 1 }),
      (fields) => written.push(fields),
      stop.signal,
    );
    await vi.advanceTimersByTimeAsync(8_000);
    const before = written.length;
    vi.setSystemTime(Date.now() + 3_600_000); // only the wall clock, as if a person set it
    await vi.advanceTimersByTimeAsync(1_000);
    expect(written.length - before).toBeLessThan(60);
    stop.abort();
    await playing;
    expect(written.at(-1)?.msg).toBe('Finished server process [1]');
  });
});
