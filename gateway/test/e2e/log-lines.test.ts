// Each line of a real program becomes one readable entry, in every way of writing: `pipe`, a plain PUBLISH, NDJSON and text.
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectEntry } from '../../../shared/test/expect-entry.ts';
import { LOG_LINES, type LogLine } from '../../../shared/test/log-lines.ts';
import { eventually, type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { type RedisServer, startRedis } from '../../../test-support/redis.ts';

const running: RunningProcess[] = [];
let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await Promise.all(running.map((process) => process.stop()));
  await redis.stop();
});

async function startGateway(env: Record<string, string>): Promise<string> {
  const gateway = startProcess(['gateway/src/main.ts'], { env: { PORT: '0', ...env } });
  running.push(gateway);
  const listening = await gateway.saw(/listening at http:\/\/[\d.:]+/, 55_000);
  return listening.replace('listening at ', '');
}

async function entriesOf(url: string, channel: string): Promise<Entry[]> {
  const response = await fetch(`${url}/api/entries?channels=${channel}&limit=10000`);
  return ((await response.json()) as { entries: Entry[] }).entries;
}

function expectEntries(entries: readonly Entry[], lines: readonly LogLine[]): void {
  for (const [i, wanted] of lines.entries()) expectEntry(entries[i] as Entry, wanted);
  expect(entries).toHaveLength(lines.length);
}

async function post(url: string, channel: string, type: string, lines: readonly LogLine[]): Promise<void> {
  const response = await fetch(`${url}/api/publish?channel=${channel}`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: lines.map(({ line }) => line).join('\n'),
  });
  expect({ status: response.status, answer: await response.json() }).toMatchObject({ status: 200 });
}

const objects = LOG_LINES.filter(({ line }) => line.startsWith('{'));
const singleLines = LOG_LINES.filter(({ line }) => !line.includes('\n'));

describe.each(['Redis', 'the embedded log'])('with %s, a line of any program is one entry', (log) => {
  let url = '';
  beforeAll(async () => {
    url = await startGateway(log === 'Redis' ? { REDIS_URL: redis.url } : {});
  });

  it('by pipe', async () => {
    // An error and a stack trace directly after it become one entry, which is right; so another line is put between them.
    const input = LOG_LINES.map(({ line }) => `${line}\nbetween\n`).join('');
    const pipe = startProcess(['producer/src/main.ts', 'pipe', '--channel', 'logs:pipe'], {
      env: { GATEWAY_URL: url },
      input,
    });
    expect(await pipe.exited).toEqual({ code: 0, signal: null });
    const entries = await entriesOf(url, 'logs:pipe');
    expectEntries(
      entries.filter(({ msg }) => msg !== 'between'),
      LOG_LINES,
    );
  });

  it('by NDJSON', async () => {
    await post(url, 'logs:ndjson', 'application/x-ndjson', objects);
    expectEntries(await entriesOf(url, 'logs:ndjson'), objects);
  });

  it('by text', async () => {
    await post(url, 'logs:text', 'text/plain', singleLines);
    expectEntries(await entriesOf(url, 'logs:text'), singleLines);
  });

  it.runIf(log === 'Redis')('by a plain PUBLISH', async () => {
    const client = new Redis(redis.url);
    await eventually('the gateway adopts', async () => {
      await client.publish('logs:probe', 'anybody there?');
      return (await entriesOf(url, 'logs:probe')).length > 0;
    });
    for (const { line } of LOG_LINES) await client.publish('logs:publish', line);
    client.disconnect();
    const entries = await eventually('every line is in the log', async () => {
      const adopted = await entriesOf(url, 'logs:publish');
      return adopted.length >= LOG_LINES.length && adopted;
    });
    expectEntries(entries, LOG_LINES);
  });
});
