// Attack 20 from the side of Redis: a user who may only PUBLISH, on whatever channels an operator could give him.

import { aclLines } from '@llm-streamer/shared/broker/redis/acl.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { RedisAuthStore } from '../../../src/auth/store/redis-auth-store.ts';
import { type AuthGateway, addUser, openAuthGateway } from '../../http/auth-gateway.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

let gateway: AuthGateway;
let store: RedisAuthStore;
afterEach(async () => {
  await gateway.close();
  await store.close();
});

/** Logged in by such a line of `npm run users -- acl producer`, and with `more`. */
async function producer(namespace: string, ...more: string[]): Promise<Redis> {
  const admin = new Redis(redis.url);
  const redisVersion = /redis_version:(\S+)/.exec(await admin.info('server'))?.[1] ?? '';
  const user = `producer-${namespace}`;
  const [rules = ''] = aclLines({ namespace, role: 'producer', user, channels: ['*'], redisVersion });
  await admin.call('ACL', 'SETUSER', ...rules.split(' ').slice(1), '>pass', ...more);
  admin.disconnect();
  return new Redis(redis.url.replace('redis://', `redis://${user}:pass@`), { enableReadyCheck: false });
}

async function open(namespace: string) {
  store = RedisAuthStore.at(redis.url, namespace);
  await addUser(store, 'alice');
  await addUser(store, 'root', 'admin');
  gateway = await openAuthGateway({ REDIS_URL: redis.url, NAMESPACE: namespace }, store);
  const root = await gateway.signedIn('root');
  const audit = async () => JSON.stringify((await root.ask('/api/entries?channels=audit:*')).body);
  return { keys: new RedisKeys(namespace), root, audit };
}

it.each(['llm', randomNamespace()])(
  '20: a PUBLISH to the channels of the audit makes no entry there, in the namespace %s',
  async (namespace) => {
    const { keys, root, audit } = await open(namespace);
    const attacker = await producer(namespace);
    const watching = await gateway.watch(root, 'channels=audit:*,logs*');
    await watching.saw('live');
    for (const channel of [
      'audit:auth',
      'audit:refusals',
      'events:runs',
      'runs:alice/x',
      'conversations:alice/x',
    ])
      await attacker.publish(keys.plain(channel), '{"msg":"forged"}').catch(() => undefined);
    await attacker.publish(keys.plain('logs'), 'the last one');
    await eventually('what came before was handled', () => watching.msgs.includes('the last one'));
    expect(watching.msgs).not.toContain('forged');
    expect(await audit()).not.toContain('forged');
    const all = await root.ask('/api/entries?channels=*,runs:*,conversations:*,events:runs*');
    expect(JSON.stringify(all.body)).not.toContain('forged');
    attacker.disconnect();
  },
);

it('20: {ns}:#auth is out of its reach; whoever may write there makes gateways look, and ends nobody', async () => {
  const namespace = randomNamespace();
  const { keys } = await open(namespace);
  const attacker = await producer(namespace);
  await expect(attacker.publish(keys.authChanged, '999')).rejects.toThrow(/NOPERM/);
  const trusted = await producer(namespace, 'allchannels');
  const alice = await gateway.watch(await gateway.signedIn('alice'));
  await alice.saw('live');
  for (const text of ['999999999999999999', '*', 'user:alice', '', '\0'])
    expect(await trusted.publish(keys.authChanged, text)).toBeGreaterThan(0);
  await store.changeUser('root', { role: 'viewer' }, { force: true }); // so that one comparison comes after all of these
  await gateway.broker.publish([line('logs', 'after')]);
  await eventually('alice reads on', () => alice.msgs.includes('after'));
  expect(alice.named('bye')).toEqual([]);
  for (const one of [attacker, trusted]) one.disconnect();
});
