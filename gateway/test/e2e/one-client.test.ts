// No request of one client delays the others: none blocks the event loop, and none fills the memory, on either log. The test measures
// the CPU time of the gateway's main thread, in relation to how fast the machine is at the moment.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { type RedisServer, startRedis } from '../../../test-support/redis.ts';

const HELD_MS = 50;
/** Clearly more than all answers together may take, and clearly less than a few of them would take without a bound. */
const GROWN_BYTES = 250_000_000;
const CHANNELS = 8_000;
const LARGE = 60_000;

const times = <T>(count: number, of: (i: number) => T) => Array.from({ length: count }, (_, i) => of(i));
const all = (count: number, ask: (i: number) => Promise<unknown>) => Promise.all(times(count, ask));

describe.each(['embedded', 'Redis'])('with the log %s', (log) => {
  let gateway: RunningProcess;
  let redis: RedisServer | undefined;
  let url: string;

  beforeAll(async () => {
    redis = log === 'Redis' ? await startRedis() : undefined;
    const env = { PORT: '0', LOG_LEVEL: 'info', ...(redis && { REDIS_URL: redis.url }) };
    gateway = startProcess(['--import', './test-support/loop-probe.ts', 'gateway/src/main.ts'], { env });
    url = await gateway.saw(/http:\/\/[\d.]+:\d+/);
    const entry = (channel: string, i: number, size = 20) => ({ channel, msg: `${i} ${'x'.repeat(size)}` });
    for (let i = 0; i < 8_000; i += 500) await publish(times(500, (j) => entry(`logs:${j % 4}`, i + j)));
    for (let i = 0; i < CHANNELS; i += 500) await publish(times(500, (j) => entry(`many:${i + j}`, i)));
    for (let i = 0; i < 900; i += 15) await publish(times(15, (j) => entry('large', i + j, LARGE)));
  }, 240_000);

  afterAll(async () => {
    await gateway.stop();
    await redis?.stop();
  });

  const get = async (path: string): Promise<number> => {
    const response = await fetch(`${url}${path}`);
    await response.arrayBuffer();
    return response.status;
  };
  const post = async (path: string, body: string, type = 'application/json'): Promise<number> => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    });
    await response.arrayBuffer();
    return response.status;
  };
  const publish = async (entries: unknown) =>
    expect(await post('/api/publish', JSON.stringify(entries))).toBe(200);

  /** What the probe has measured since the last call. */
  const probe = async (): Promise<{ heldMs: number; bytes: number }> => {
    const reports = () => [...gateway.stdout.matchAll(/^probe (\S+) (\d+)\n/gm)];
    const before = reports().length;
    process.kill(gateway.pid, 'SIGUSR2');
    const [, ms, bytes] = await eventually('a report of the probe', () => reports()[before]);
    return { heldMs: Number(ms), bytes: Number(bytes) };
  };

  /** Resolves when the stream is live. */
  const stream = async (query: string): Promise<void> => {
    const gone = new AbortController();
    const response = await fetch(`${url}/stream?${query}`, { signal: gone.signal });
    let end = '';
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      end = (end + Buffer.from(chunk).toString('latin1')).slice(-100_000);
      if (end.includes('event: live')) break;
    }
    gone.abort();
  };

  const keys = (count: number) => times(count, (i) => `"k${i}":${i % 10}`).join(',');
  const patterns = times(100, (i) => `many:*1*${i}*z`).join(',');
  const loads: [string, () => Promise<unknown>][] = [
    ['twelve searches', () => all(12, (i) => get(`/api/entries?channels=logs:*&q=nothing${i}`))],
    ['twelve searches of large entries', () => all(12, (i) => get(`/api/entries?channels=large&q=no${i}`))],
    ['twelve viewers who search back', () => all(12, (i) => stream(`channels=logs:*&q=no${i}&tail=10`))],
    ['twelve viewers who search on', () => all(12, (i) => stream(`channels=logs:*&q=no${i}&since=1h`))],
    ['twelve large pages', () => all(12, () => get('/api/entries?channels=logs:*&limit=10000'))],
    ['a long tail of large entries', () => stream('channels=large&tail=10000')],
    ['the newest of many channels', () => get('/api/entries?channels=many:*')],
    ['a search over many channels', () => get('/api/entries?channels=many:*&since=1h&q=nothing')],
    ['a hundred patterns on many channels', () => get(`/api/entries?channels=${patterns}`)],
    ['a viewer of many channels', () => stream('channels=many:*&since=1h')],
    ['twelve lists of channels', () => all(12, () => get('/api/channels'))],
    ['a body of short keys', () => post('/api/publish', `{"channel":"x","msg":"x",${keys(90_000)}}`)],
    ['entries of short keys', () => post('/api/publish', `${`{"channel":"x",${keys(4_500)}}\n`.repeat(20)}`)],
    ['a deep body', () => post('/api/publish', `{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`)],
    ['a body of line ends', () => post('/api/publish', `x${'\n'.repeat(1_000_000)}`, 'application/x-ndjson')],
    ['entries that are cut', () => publish(times(15, () => ({ channel: 'x', msg: '"\\'.repeat(17_000) })))],
    ['a run with a wide body', () => post('/api/process', `{"message":[${'{},'.repeat(340_000)}{}]}`)],
  ];

  // From a program that knows only Redis; the last one shows that all have been stored.
  const bursts: [string, number, string][] = [
    ['40,000 short messages', 40_000, 'x'],
    ['20,000 messages of JSON', 20_000, '{"level":"info","msg":"hello","a":1,"b":{"c":2}}'],
    ['60 messages of many keys', 60, `{${keys(6_500)}}`],
  ];
  it.runIf(log === 'Redis').each(bursts)(
    '%s hold the loop no longer than a moment',
    async (name, count, text) => {
      const client = new Redis(redis?.url ?? '');
      await probe();
      const burst = client.pipeline();
      for (let i = 0; i < count; i++) burst.publish('logs:burst', text);
      burst.publish('logs:burst', `the last of ${name}`);
      await burst.exec();
      client.disconnect();
      await eventually('all are stored', async () => {
        const response = await fetch(`${url}/api/entries?channels=logs:burst&limit=1`);
        return (await response.text()).includes(`the last of ${name}`);
      });
      expect((await probe()).heldMs).toBeLessThan(HELD_MS);
    },
    60_000,
  );

  it.each(loads)('%s hold the loop no longer than a moment', { timeout: 180_000 }, async (_, load) => {
    await probe();
    await load();
    expect((await probe()).heldMs).toBeLessThan(HELD_MS);
  });

  it('clients that request large answers and accept nothing do not fill the memory, and do not lock others out', async () => {
    const { bytes: before } = await probe();
    const paths = [
      '/api/entries?channels=large&limit=10000',
      '/api/channels',
      '/stream?channels=large&tail=10000',
    ];
    const sockets = times(36, (i): Socket => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1').pause();
      socket.on('error', () => undefined); // the gateway may close the connection
      socket.write(`GET ${paths[i % paths.length]} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      return socket;
    });
    // Each request has its answer, or its connection was closed to make room for another.
    await Promise.all(
      sockets.map((socket) => Promise.race([once(socket, 'readable'), once(socket, 'close')])),
    );
    // This request waits for room after all the others. On a very busy machine the first attempt may fail.
    await eventually(
      'an answer',
      async () => (await get('/api/entries?channels=large&limit=20')) === 200,
      90_000,
    );
    expect((await probe()).bytes - before).toBeLessThan(GROWN_BYTES);
    for (const socket of sockets) socket.destroy();
    expect(await get('/api/entries?channels=large&limit=10000')).toBe(200);
  }, 120_000);
});
