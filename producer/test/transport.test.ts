// A producer that writes to Redis repeats its entries on plain channels only where gateways let everybody read.

import { randomBytes } from 'node:crypto';
import { draft } from '@llm-streamer/shared/entry.ts';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../test-support/redis.ts';
import { readProducerConfig } from '../src/config.ts';
import { openTransport } from '../src/transport.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

describe('a producer with REDIS_URL', () => {
  it.each([
    ['on plain channels', {}, ['heard']],
    ['not on plain channels where AUTH is on', { AUTH: 'on' }, []],
    ['on them all the same if it is told so', { AUTH: 'on', PLAIN_CHANNELS: 'true' }, ['heard']],
  ])('writes %s', async (_where, env, expected) => {
    const listener = new Redis(redis.url);
    const heard: string[] = [];
    listener.on('message', (_channel, text: string) => heard.push(text));
    await listener.subscribe('logs', 'end');
    const transport = await openTransport(readProducerConfig({ REDIS_URL: redis.url, ...env }));
    const entry = draft({ time: 1, channel: 'logs', source: 'test', level: 'info', msg: 'heard' });
    await transport.publish([entry], { writer: randomBytes(16).toString('hex'), seq: 1 });
    const end = new Redis(redis.url);
    await end.publish('end', '{"msg":"end"}');
    await expect.poll(() => heard.at(-1)).toBe('{"msg":"end"}');
    expect(heard.slice(0, -1).map((text) => JSON.parse(text).msg)).toEqual(expected);
    listener.disconnect();
    end.disconnect();
    await transport.close();
  });
});
