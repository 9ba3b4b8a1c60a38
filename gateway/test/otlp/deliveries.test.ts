// A request that is sent again, after a batch of it failed or nobody knows, is in the log once.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { BrokerUnavailable, PublishRefused } from '@llm-streamer/shared/errors.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { OPEN_ACCESS } from '../../src/auth/access.ts';
import { any, nanos, openReceiver, stored, T0 } from './requests.ts';

const log = new MemoryBroker(DEFAULT_RETENTION);
const store = log.publish.bind(log);
let calls = 0;
/** What happens to the calls by number; the others are stored. */
let fails: Record<number, 'before' | 'after' | 'full'> = {};

const broker: Broker = Object.assign(Object.create(log) as Broker, {
  publish: async (...args: Parameters<Broker['publish']>) => {
    const fail = fails[++calls];
    if (fail === 'full') throw new PublishRefused('log_full', 'full');
    if (fail === 'before') throw new BrokerUnavailable('away');
    const ids = await store(...args);
    if (fail === 'after') throw new BrokerUnavailable('away: the answer was lost');
    return ids;
  },
});

afterEach(() => {
  calls = 0;
  fails = {};
});

let serial = 0;
const request = (count: number) => {
  const start = T0 + 10_000_000 * ++serial;
  const records = Array.from({ length: count }, (_, i) => ({
    timeUnixNano: nanos(start + i),
    body: any(`line ${i}`),
  }));
  return {
    start,
    body: Buffer.from(JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: records }] }] })),
  };
};
const post = (receiver: ReturnType<typeof openReceiver>, body: Buffer) =>
  receiver.receive({
    signal: 'logs',
    body,
    encoding: 'json',
    packing: 'identity',
    access: OPEN_ACCESS,
    channel: undefined,
  });
const lines = async (start: number, count: number) =>
  (await stored(log)).filter(({ time }) => time >= start && time < start + count).map(({ msg }) => msg);

describe.each(['before', 'after', 'full'] as const)('a batch that fails (%s it was stored)', (how) => {
  it.each([1, 2, 3])('as number %i of three: the retry goes on there', async (number) => {
    const receiver = openReceiver(broker);
    const { start, body } = request(1_400);
    fails = { [number]: how };
    await expect(post(receiver, body)).rejects.toMatchObject({
      code: how === 'full' ? 'log_full' : 'broker_unavailable',
    });
    // Others write meanwhile.
    const other = request(3);
    expect(await post(receiver, other.body)).toMatchObject({ accepted: 3 });
    expect(await post(receiver, body)).toMatchObject({ accepted: 1_400, rejected: 0 });
    expect(await lines(start, 1_400)).toEqual(Array.from({ length: 1_400 }, (_, i) => `line ${i}`));
    expect(await lines(other.start, 3)).toHaveLength(3);
  });
});

it('two senders of the same bytes are two senders', async () => {
  const receiver = openReceiver(broker);
  const { start, body } = request(2);
  const as = (id: string) => ({ ...OPEN_ACCESS, principal: { ...OPEN_ACCESS.principal, id } });
  for (const id of ['key:a', 'key:b'])
    await receiver.receive({
      signal: 'logs',
      body,
      encoding: 'json',
      packing: 'identity',
      access: as(id),
      channel: undefined,
    });
  expect(await lines(start, 2)).toHaveLength(4);
});

it('a trace whose announcement failed is announced by the retry', async () => {
  const receiver = openReceiver(broker);
  const span = {
    traceId: 'ab'.repeat(16),
    spanId: 'cd'.repeat(8),
    parentSpanId: 'ef'.repeat(8),
    endTimeUnixNano: nanos(T0),
    attributes: [{ key: 'gen_ai.operation.name', value: any('chat') }],
  };
  const body = Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
  const send = () =>
    receiver.receive({
      signal: 'traces',
      body,
      encoding: 'json',
      packing: 'identity',
      access: OPEN_ACCESS,
      channel: undefined,
    });
  fails = { 1: 'before' };
  await expect(send()).rejects.toThrow();
  await send();
  const entries = (await stored(log)).filter(({ run }) => run === span.traceId);
  expect(entries.map(({ event }) => event)).toEqual(['run.started', 'generation.finished']);
});
