// Gateways whose Redis knows users, by the lines of `aclLines`: two gateways do everything that they do, and a producer that may only
// PUBLISH hides nothing from their viewers.

import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeHead } from '@llm-streamer/shared/broker/record.ts';
import { ACL_ROLES, aclLines } from '@llm-streamer/shared/broker/redis/acl.ts';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { type RedisServer, startRedis } from '../../../test-support/redis.ts';
import { SseClient } from '../../../test-support/sse-client.ts';
import { readRun, type ServedGateway, startGateway, startRun } from './run-fleet.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const PASSWORD = 'guarded';
const passwordSha256 = createHash('sha256').update(PASSWORD).digest('hex');

let redis: RedisServer;
let admin: Redis;
let dir: string;
const as = (user: string) => redis.url.replace('redis://', `redis://${user}:${PASSWORD}@`);

beforeAll(async () => {
  redis = await startRedis();
  admin = new Redis(redis.url);
  const redisVersion = /redis_version:(\S+)/.exec(await admin.info('server'))?.[1] ?? '';
  admin.disconnect();
  const lines = ['llm', 'team'].flatMap((namespace) =>
    ACL_ROLES.flatMap((role) =>
      aclLines({
        namespace,
        role,
        user: `${role}-${namespace}`,
        channels: ['logs*', 'events*'],
        redisVersion,
        passwordSha256,
      }),
    ),
  );
  await redis.stop();
  dir = await mkdtemp(join(tmpdir(), 'llm-streamer-users-'));
  const file = join(dir, 'users.acl');
  await writeFile(
    file,
    ['user default off', `user admin on #${passwordSha256} ~* &* +@all`, ...lines, ''].join('\n'),
  );
  redis = await startRedis({ args: ['--aclfile', file] });
  admin = new Redis(as('admin'));
});

afterAll(async () => {
  admin.disconnect();
  await redis.stop();
  await rm(dir, { recursive: true });
});

interface Fleet {
  gateways: [ServedGateway, ServedGateway];
  viewers: [SseClient, SseClient];
  producer: Redis;
  plain: (channel: string) => string;
}

describe.each(['llm', 'team'])(
  'two gateways in the namespace %s, as a Redis user of their own',
  (NAMESPACE) => {
    let fleet: Fleet;

    beforeAll(async () => {
      const env = { NAMESPACE, REDIS_URL: as(`gateway-${NAMESPACE}`), LOG_LEVEL: 'info' };
      const gateways = await Promise.all([startGateway(env), startGateway(env)]);
      const viewers = await Promise.all([
        SseClient.open(`${gateways[0].url}/stream?channels=logs:*`),
        SseClient.open(`${gateways[1].url}/stream?channels=*`),
      ]);
      const producer = new Redis(as(`producer-${NAMESPACE}`), { enableReadyCheck: false });
      const plain = (channel: string) => (NAMESPACE === 'llm' ? channel : `{${NAMESPACE}}:${channel}`);
      fleet = { gateways, viewers, producer, plain };
      await eventually('an adopter', () => admin.exists(`{${NAMESPACE}}:adopter`));
    });

    afterAll(async () => {
      for (const viewer of fleet.viewers) viewer.vanish();
      fleet.producer.disconnect();
      await Promise.all(fleet.gateways.map(({ process }) => process.stop('SIGTERM')));
    });

    const publish = async (gateway: ServedGateway, msg: string): Promise<string> => {
      const response = await fetch(`${gateway.url}/api/publish`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ channel: 'logs:t2', msg }),
      });
      expect(response.status).toBeLessThan(300);
      return ((await response.json()) as { ids: string[] }).ids[0] as string;
    };

    it('publish, adopt, answer runs and serve history, and Redis refuses them nothing', async () => {
      const { gateways, viewers, producer, plain } = fleet;
      await publish(gateways[0], 'by HTTP');
      await producer.publish(plain('logs:t2'), 'by PUBLISH');
      for (const viewer of viewers)
        await eventually('both', () => viewer.msgs.includes('by HTTP') && viewer.msgs.includes('by PUBLISH'));
      expect(await startRun(gateways[0].url, `run-${NAMESPACE}`)).toBeLessThan(300);
      const run = await readRun(gateways[1].url, `run-${NAMESPACE}`);
      expect(run.at(-1)?.data).toMatchObject({ final: true });
      const page = await fetch(`${gateways[1].url}/api/entries?channels=logs:t2`);
      expect(await page.text()).toMatch(/by HTTP[\s\S]*by PUBLISH/);
      const reader = new Redis(as(`reader-${NAMESPACE}`), { enableReadyCheck: false });
      await reader.subscribe(plain('logs:t2'));
      const heard: string[] = [];
      reader.on('message', (_, text: string) => heard.push(text));
      await publish(gateways[1], 'heard plainly?');
      await producer.publish(plain('logs:t2'), 'heard');
      await eventually('the reader hears', () => heard.includes('heard'));
      expect(heard.some((text) => text.includes('heard plainly?'))).toBe(NAMESPACE === 'llm');
      reader.disconnect();
      expect(await admin.call('ACL', 'LOG')).toEqual([]);
    });

    it('46: are not deceived by a producer: real entries come live and stand in history once', async () => {
      const { gateways, viewers, producer, plain } = fleet;
      const ids = [await publish(gateways[0], 'real 0')];
      const token = (await admin.hget(`{${NAMESPACE}}:log`, 'token')) as string;
      const prev = Number(ids[0]?.split('-')[1]);
      const body = '"time":1,"channel":"logs:t2","source":"gpu-7","level":"info","msg":"forged"}';
      for (const ahead of [1_500_000, 100_000_000])
        await producer.publish(plain('logs:t2'), writeHead(prev + ahead, token, prev) + body);
      for (let i = 1; i < 5; i++) ids.push(await publish(gateways[i % 2] as ServedGateway, `real ${i}`));
      await producer.publish(plain('logs:t2'), 'the end');
      for (const viewer of viewers) {
        await eventually('the end', () => viewer.msgs.includes('the end'));
        const shown = viewer.entries.filter(({ channel }) => channel === 'logs:t2');
        expect(shown.filter(({ msg }) => `${msg}`.startsWith('real')).map(({ id }) => id)).toEqual(ids);
        expect(shown.filter(({ msg }) => msg === 'forged')).toHaveLength(2);
        expect(viewer.events.filter(({ event }) => event === 'gap')).toEqual([]);
      }
      const page = await fetch(`${gateways[0].url}/api/entries?channels=logs:t2&limit=1000`);
      const history = await page.text();
      for (const id of ids) expect(history.split(`"id":"${id}"`)).toHaveLength(2);
      expect(history.split('"real 3"')).toHaveLength(2);
    });
  },
);
