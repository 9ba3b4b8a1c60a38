import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import type { FastifyInstance } from 'fastify';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { createApp } from '../../src/app.ts';
import { readGatewayConfig } from '../../src/config.ts';
import { PATIENCE_MS } from '../llm/collect.ts';
import { frames, id, post, SILENT_MODELS_MS } from './run-gateway.ts';

let redis: RedisServer;
let admin: Redis;
beforeAll(async () => {
  redis = await startRedis();
  admin = new Redis(redis.url);
});
afterAll(async () => {
  admin.disconnect();
  await redis.stop();
});

const open: { app: FastifyInstance; broker: RedisBroker }[] = [];
afterEach(async () => {
  for (const { app, broker } of open.splice(0)) {
    app.server.closeAllConnections();
    await app.close();
    await broker.close();
  }
});

/** A gateway on Redis whose models do not answer within the time of a test. */
async function serve(namespace: string, keepAliveMs: number): Promise<string> {
  const config = readGatewayConfig({
    REDIS_URL: redis.url,
    NAMESPACE: namespace,
    RATE_LIMIT_PER_SECOND: '0',
    SSE_KEEPALIVE_MS: `${keepAliveMs}`,
    LOG_LEVEL: 'silent',
  });
  const broker = new RedisBroker({ url: redis.url, namespace });
  await broker.open(PATIENCE_MS);
  const app = createApp(config, broker, createLogger('test', 'silent', true), undefined, {
    simulator: { tokenMs: SILENT_MODELS_MS },
  });
  open.push({ app, broker });
  return app.listen({ port: 0, host: '127.0.0.1' });
}

/** Begins a run, loses it with `lose`, and returns what a client of the run gets. */
async function readOf(url: string, lose: (message_id: string) => Promise<unknown>) {
  const message_id = id();
  const response = await post(url, { message: 'Explain tides', message_id });
  let begun = () => {};
  const beginning = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const reading = frames(response, () => {
    begun();
    return false;
  });
  await beginning;
  await lose(message_id);
  const all = await reading;
  return { message_id, last: all.at(-1) };
}

const LOST = { status: 'Lost', code: 'run_lost', partial: true, final: true };

describe('a client of a run that the log has lost', () => {
  it('gets `run_lost` at the reset or soon after, and finds the run gone', async () => {
    const url = await serve(randomNamespace(), 5_000);
    const { message_id, last } = await readOf(url, async () => {
      await admin.flushall();
      const { broker } = open[0] as { broker: RedisBroker };
      await broker.publish([draft({ time: 1, channel: 'logs:x', source: 'x', level: 'info', msg: 'anew' })]);
    });
    expect(last).toMatchObject({ event: 'error', json: { message_id, ...LOST } });
    expect((await fetch(`${url}/api/runs/${message_id}/stream`)).status).toBe(404);
  });

  it('gets `run_lost` with the keep-alive if no reset reaches the stream', async () => {
    const namespace = randomNamespace();
    const url = await serve(namespace, 100);
    const { message_id, last } = await readOf(url, (run) => admin.del(`{${namespace}}:run:${run}`));
    expect(last).toMatchObject({ event: 'error', json: { message_id, ...LOST } });
  });

  it('leaves no running run on the gateway that ran it', async () => {
    const url = await serve(randomNamespace(), 100);
    const active = async () =>
      (await (await fetch(`${url}/metrics`)).text()).match(/^llm_streamer_runs_active.*$/m)?.[0];
    await readOf(url, async () => {
      expect(await active()).toBe('llm_streamer_runs_active 1');
      await admin.flushall();
    });
    await vi.waitFor(async () => expect(await active()).toBe('llm_streamer_runs_active 0'), PATIENCE_MS);
  });
});
