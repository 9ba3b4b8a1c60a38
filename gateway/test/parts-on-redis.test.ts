// The parts of a gateway that keep something in Redis beside the log: they know of its positions what the broker knows, and ask with it,
// by the same connections, where the log is written.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { line } from '../../test-support/gateway.ts';
import { startProcess } from '../../test-support/process.ts';
import { randomNamespace, startRedis } from '../../test-support/redis.ts';
import { copyOf } from '../../test-support/redis-copy.ts';
import { startSentinelGroup } from '../../test-support/redis-sentinel.ts';
import { composeRules } from '../src/compose-rules.ts';
import { composeRuns } from '../src/compose-runs.ts';
import { composeTools } from '../src/compose-tools.ts';
import { readGatewayConfig, readSecret } from '../src/config.ts';
import { Targets } from '../src/runs/config.ts';
import { Tracing } from '../src/tracing/tracing.ts';

const PATIENCE_MS = 120_000;
const logger = createLogger('test', 'silent', true);

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
}, PATIENCE_MS);

async function rulesFile(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'llm-streamer-parts-'));
  open.push(() => rm(dir, { recursive: true }));
  const path = join(dir, 'rules.json');
  await writeFile(
    path,
    '{"rules":[{"name":"none","channels":["a"],"match":"none","alert":{"when":"match"}}]}',
  );
  return path;
}

describe('who comes first to a log that has lost an entry of this process tells of the loss in its place', () => {
  /** A broker that has written, and does nothing by itself; then the log goes back to what it was before. */
  async function lossBehind(env: Record<string, string> = {}) {
    const server = await startRedis();
    const namespace = randomNamespace();
    const config = readGatewayConfig({ REDIS_URL: server.url, NAMESPACE: namespace, ...env });
    const broker = new RedisBroker({ url: server.url, namespace });
    const redis = new Redis(server.url);
    open.push(
      () => server.stop(),
      () => redis.disconnect(),
      () => broker.close(),
    );
    await broker.publish([line('a', 'kept')]);
    const before = await redis.hget(`{${namespace}}:log`, 'n');
    const copy = await copyOf(redis, namespace);
    await broker.publish([line('a', 'lost')]);
    await copy.restore();
    const told = async () => {
      const rollbacks = await redis.lrange(`{${namespace}}:rollbacks`, 0, -1);
      return rollbacks.map((rollback) => rollback.split(':')[2]);
    };
    return { config, broker, before, told };
  }

  it('the records of runs', async () => {
    const { config, broker, before, told } = await lossBehind();
    const registry = new Registry();
    const targets = new Targets(config, readSecret);
    const tracing = new Tracing({ config, instance: 'test', registry, tell: () => {} });
    const tools = composeTools(config, broker, logger, targets, () => {});
    const runs = composeRuns(config, broker, 'test', registry, logger, tracing, targets, tools);
    open.push(
      () => tools.close(),
      () => runs.close(),
    );
    expect(await runs.conversations.store.rename('none' as never, 'title')).toBe(false);
    expect(await told()).toEqual([before]);
  }, 30_000);

  it('what rules remember', async () => {
    const { config, broker, before, told } = await lossBehind({ RULES_FILE: await rulesFile() });
    const rules = composeRules(config, broker, 'test', new Registry(), logger, () => {});
    open.push(() => rules.close());
    await rules.open();
    expect(await told()).toEqual([before]);
  }, 30_000);
});

it(
  'a gateway has two connections to a Sentinel at most, however many of its parts use Redis',
  async () => {
    const group = await startSentinelGroup({ replicas: 0, sentinels: 1 });
    open.push(() => group.stop());
    const gateway = startProcess(['gateway/src/main.ts'], {
      env: { PORT: '0', LOG_LEVEL: 'info', AUTH: 'on', REDIS_URL: group.url, NAMESPACE: randomNamespace() },
    });
    open.push(() => gateway.stop());
    const url = await gateway.saw(/http:\/\/127\.0\.0\.1:\d+/, PATIENCE_MS);
    const refused = await fetch(`${url}/stream`, { headers: { authorization: 'Bearer lls_guess' } });
    expect(refused.status).toBe(401); // so that the attempt was counted, in Redis
    const sentinel = new Redis({ port: group.sentinels[0]?.port ?? 0, enableReadyCheck: false });
    open.push(() => sentinel.disconnect());
    const clients = `${await sentinel.client('LIST')}`.split('\n');
    const named = clients.filter((client) => client.includes(' name=llm-streamer-sentinel '));
    expect(named.length).toBeGreaterThan(0);
    expect(named.length).toBeLessThanOrEqual(2);
  },
  PATIENCE_MS,
);
