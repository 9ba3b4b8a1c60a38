// The lines for Redis users, given to a Redis that starts with them: each user may do what its role needs, and nothing else. That a
// gateway works wholly as such a user is in gateway/test/e2e/redis-users.test.ts.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../../test-support/process.ts';
import { type RedisServer, startRedis } from '../../../../test-support/redis.ts';
import { ACL_KINDS, type AclRequest, aclLines } from '../../../src/broker/redis/acl.ts';
import { RedisBroker } from '../../../src/broker/redis/redis-broker.ts';
import { Ear, line } from '../conformance.ts';

const PASSWORD = 'a password';
const passwordSha256 = createHash('sha256').update(PASSWORD).digest('hex');

const request = (more: Partial<AclRequest>): AclRequest => ({
  namespace: 'llm',
  role: 'producer',
  user: 'p',
  channels: ['logs*'],
  redisVersion: '7.0.15',
  ...more,
});

describe('aclLines', () => {
  it('gives a producer the plain names of its channels, and no more than PUBLISH', () => {
    expect(aclLines(request({ channels: ['logs*', 'events:x'] }))).toEqual([
      'user p on resetkeys resetchannels &logs* &events:x -@all +publish +ping +hello +client|setname',
    ]);
    expect(aclLines(request({ namespace: 'team', passwordSha256 }))).toEqual([
      `user p on #${passwordSha256} resetkeys resetchannels &{team}:logs* -@all +publish +ping +hello +client|setname`,
    ]);
  });

  it('gives the lines that docs/deployment.md shows', () => {
    const page = readFileSync(join(ROOT, 'docs/deployment.md'), 'utf8');
    for (const role of ACL_KINDS)
      expect(page.split('\n')).toContain(aclLines(request({ role, user: role, channels: ['logs*'] }))[0]);
  });

  it.each([
    ['llm', '*', ['&[^{]*']],
    ['llm', '**', ['&[^{]*']],
    ['llm', '*s', ['&[^{]*s', '&s']],
    ['team', '*', ['&{team}:[^=#]*']],
    ['team', '*:a*', ['&{team}:[^=#]*:a*', '&{team}::a*']],
  ])(
    'keeps a producer in %s that may publish on %s from what the log publishes',
    (namespace, pattern, rules) => {
      const [text = ''] = aclLines(request({ namespace, channels: [pattern] }));
      expect(text.split(' ').filter((rule) => rule.startsWith('&'))).toEqual(rules);
    },
  );

  it.each([
    ['7.0.15', false],
    ['7.2.0', true],
    ['7.10.1', true],
    ['8.0.0', true],
    ['6.2.7', false],
  ])('for Redis %s: names CLIENT SETINFO only where the server knows it', (redisVersion, knows) => {
    const [text] = aclLines(request({ redisVersion }));
    expect(text?.includes('+client|setinfo')).toBe(knows);
  });

  it.each<[string, Partial<AclRequest>]>([
    ['a name with a space, which would add rules', { user: 'p +@all' }],
    ['a channel that is none', { channels: ['logs +@all'] }],
    ['a class of characters in a pattern', { channels: ['[a-z]*'] }],
    ['a namespace with a brace', { namespace: 'a}:*' }],
    ['no channels', { channels: [] }],
    ['a password instead of its digest', { passwordSha256: 'hunter2' }],
    ['no version', { redisVersion: 'new' }],
  ])('refuses %s', (_, more) => {
    expect(() => aclLines(request(more))).toThrow(expect.objectContaining({ code: 'invalid_config' }));
  });
});

describe.each(['llm', 'team'])('a Redis that starts with the lines for the namespace %s', (namespace) => {
  let server: RedisServer;
  let dir: string;
  const plain = (channel: string) => (namespace === 'llm' ? channel : `{${namespace}}:${channel}`);
  const url = (user: string) => server.url.replace('redis://', `redis://${user}:a%20password@`);
  const clients: Redis[] = [];
  const as = (user: string) => {
    const client = new Redis(url(user), { enableReadyCheck: false });
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    const redisVersion = /v=(\S+)/.exec(
      execFileSync('redis-server', ['--version'], { encoding: 'utf8' }),
    )?.[1];
    dir = await mkdtemp(join(tmpdir(), 'llm-streamer-acl-'));
    const lines = ACL_KINDS.flatMap((role) =>
      aclLines(
        request({
          namespace,
          role,
          user: role,
          channels: ['logs*', 'own'],
          redisVersion: redisVersion as string,
          passwordSha256,
        }),
      ),
    );
    const admin = 'user admin on nopass ~* &* +@all';
    await writeFile(join(dir, 'users.acl'), ['user default off', admin, ...lines, ''].join('\n'));
    server = await startRedis({ args: ['--aclfile', join(dir, 'users.acl')] });
  });

  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await server.stop();
    await rm(dir, { recursive: true });
  });

  it('a gateway listens, adopts and reads; a writer appends; a reader hears; and nobody is refused anything', async () => {
    const gateway = new RedisBroker({
      url: url('gateway'),
      namespace,
      adopt: ['logs*'],
      plainChannels: true,
    });
    await gateway.open(10_000);
    const ear = new Ear();
    await gateway.subscribe(['*'], ear);
    const reader = as('reader');
    const heard: string[] = [];
    reader.on('message', (_, text: string) => heard.push(text));
    await reader.subscribe(plain('logs'), plain('own'));
    const writer = new RedisBroker({ url: url('writer'), namespace, plainChannels: true });
    await writer.publish([line('own', 'by the writer')]);
    await gateway.publish([line('logs', 'by the gateway')]);
    const producer = as('producer');
    await expect
      .poll(async () => {
        await producer.publish(plain('logs'), 'by the producer');
        return gateway.status().adopted;
      })
      .toBeGreaterThan(0);
    await ear.heard(({ msgs }) => msgs.includes('by the producer'));
    expect(ear.msgs.slice(0, 3)).toEqual(['by the writer', 'by the gateway', 'by the producer']);
    const { items } = await gateway.readPage({ channels: ['*'], after: 0, limit: 10 });
    expect(items.map(({ record }) => record?.entry.msg)).toEqual(expect.arrayContaining(ear.msgs));
    await expect.poll(() => heard.join()).toMatch(/by the writer.*by the gateway.*by the producer/);
    await writer.close();
    await gateway.close();
    const admin = new Redis(server.url.replace('redis://', 'redis://admin:x@'));
    clients.push(admin);
    expect(await admin.call('ACL', 'LOG')).toEqual([]);
  });

  const log = (name: string) => `{${namespace}}:${name}`;
  const publish = (channel: string) => ['PUBLISH', channel, 'x'];
  const SCRIPT = ['EVAL', 'return 1', '0'];

  it.each<[string, string[][]]>([
    ['producer', [publish(log('=logs')), publish(log('#lease')), publish(log('#tick:x'))]],
    ['producer', [publish(plain('runs:x')), publish(plain('other')), publish('elsewhere')]],
    ['producer', [['GET', log('log')], ['SUBSCRIBE', plain('logs')], SCRIPT, ['CONFIG', 'GET', '*']]],
    ['reader', [publish(plain('logs')), publish(log('=logs')), ['GET', log('log')], SCRIPT]],
    [
      'reader',
      [
        ['PSUBSCRIBE', '*'],
        ['SUBSCRIBE', plain('other')],
        ['SUBSCRIBE', log('=runs:x')],
      ],
    ],
    ['writer', [publish(log('#tick:x')), publish(log('#lease')), publish(log('=other'))]],
    ['writer', [['GET', 'elsewhere'], ['FLUSHALL'], ['CONFIG', 'GET', '*']]],
    ['gateway', [['GET', 'elsewhere'], ['FLUSHALL'], ['CONFIG', 'GET', '*'], ['ACL', 'LIST'], ['KEYS', '*']]],
  ])('a %s may not %j', async (user, commands) => {
    const client = as(user);
    for (const [command = '', ...rest] of commands)
      await expect(client.call(command, ...rest)).rejects.toThrow(/NOPERM/);
  });
});

it('a user without a password cannot log in', async () => {
  const server = await startRedis();
  const admin = new Redis(server.url);
  const [text = ''] = aclLines(request({ user: 'nobody' }));
  await admin.call('ACL', 'SETUSER', ...text.split(' ').slice(1));
  await expect(admin.call('AUTH', 'nobody', '')).rejects.toThrow(/WRONGPASS/);
  admin.disconnect();
  await server.stop();
});
