// Opening the log where it cannot live: each server, each right that is missing and each setting that forbids it, and the
// line that says so. Real servers wherever there is one.

import { once } from 'node:events';
import { createServer as createWebServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { RedisBroker, type RedisBrokerOptions } from '../../../src/broker/redis/redis-broker.ts';
import { redisStage } from './redis-stage.ts';

const PATIENCE_MS = 2_000;
const stage = redisStage();
const servers: Server[] = [];

afterAll(() => {
  for (const server of servers) server.close();
});

async function portOf(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A server that answers each command with OK, and INFO with these fields: of versions that no machine here has. */
function saying(...fields: string[]): Server {
  const info = fields.map((field) => `${field}\r\n`).join('');
  return createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      for (const [command] of data.toString().matchAll(/^(client|info)$/gim))
        socket.write(command === 'info' ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n');
    });
  });
}

/** What opening the log says, or 'opened'. */
async function opening(url: string, options: Partial<RedisBrokerOptions> = {}): Promise<string> {
  const broker = new RedisBroker({ url, namespace: randomNamespace(), ...options });
  try {
    await broker.open(PATIENCE_MS);
    return 'opened';
  } catch (error) {
    expect(error).toMatchObject({ code: 'broker_unavailable' });
    return (error as Error).message;
  } finally {
    await broker.close();
  }
}

describe('a server that cannot keep the log is named for what it is', () => {
  const silent = () => createServer(() => {});
  const web = () => createWebServer((_request, response) => void response.end('welcome'));
  const html = () => createServer((socket) => void socket.on('error', () => {}).end('<html>400</html>'));
  const ssh = () =>
    createServer((socket) => void socket.on('error', () => {}).write('SSH-2.0-OpenSSH_9.6\r\n'));
  const tls = () => createTlsServer();
  const alert = () =>
    createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 10])));
    });
  it.each([
    ['silent', 'redis', silent, /accepts connections there, but does not answer/],
    ['silent, by TLS', 'rediss', silent, /no TLS connection came about/],
    ['a web server', 'redis', web, /it is a web server, not Redis/],
    ['a web server that answers without a head', 'redis', html, /it is a web server, not Redis/],
    ['a web server, by TLS', 'rediss', web, /it does not speak TLS: write redis:\/\//],
    ['an SSH server', 'redis', ssh, /it does not answer as Redis does/],
    ['a server that speaks TLS', 'redis', tls, /does it want TLS \(rediss:\/\/\)/],
    ['a server that answers with a TLS alert', 'redis', alert, /it speaks TLS: write rediss:\/\//],
    [
      'too old',
      'redis',
      () => saying('redis_version:6.2.14', 'run_id:a'),
      /it is Redis 6\.2\.14, .* 7 or newer/,
    ],
    // What these answer to INFO, by their sources: none of them could be had for this test.
    [
      'Dragonfly',
      'redis',
      () => saying('redis_version:7.4.0', 'dragonfly_version:df-v1.34.0', 'redis_mode:standalone'),
      /it is Dragonfly, which cannot keep the log: its scripts/,
    ],
    [
      'Garnet',
      'redis',
      () => saying('garnet_version:1.0.80', 'run_id:a', 'redis_version:7.4.3', 'redis_mode:standalone'),
      /it is Garnet, which cannot keep the log: it has no streams/,
    ],
    [
      'KeyDB',
      'redis',
      () => saying('redis_version:6.3.4', 'redis_mode:standalone', 'run_id:a', 'mvcc_depth:0'),
      /it is KeyDB, which cannot keep the log: its scripts/,
    ],
    ['a Sentinel', 'redis', () => saying('redis_version:7.0.15', 'redis_mode:sentinel'), /it is a Sentinel/],
    ['loading', 'redis', () => saying('redis_version:7.0.15', 'run_id:a', 'loading:1'), /loading its data/],
    ['nameless', 'redis', () => saying('redis_version:7.0.15'), /which server process it is/],
  ] as const)('%s', async (_name, protocol, server, line) => {
    const said = await opening(`${protocol}://127.0.0.1:${await portOf(server())}`);
    expect(said).toMatch(line);
    expect(said).not.toContain('\n');
  });

  it('Redis itself, asked for by TLS', async () => {
    expect(await opening(`rediss://127.0.0.1:${stage.server.port}`)).toMatch(/TLS/);
  });

  it('a node of a cluster', async () => {
    const node = await startRedis({ args: ['--cluster-enabled', 'yes'] });
    expect(await opening(node.url)).toMatch(/it is a node of a Redis Cluster/);
    await node.stop();
  });

  it('a replica', async () => {
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', '1'] });
    expect(await opening(replica.url)).toMatch(/READONLY/);
    await replica.stop();
  });

  it('without the database that is asked for, and nothing is written into another', async () => {
    const namespace = randomNamespace();
    expect(await opening(`${stage.server.url}/99`, { namespace })).toMatch(/DB index is out of range/);
    expect(await stage.redis.keys(`{${namespace}}*`)).toEqual([]);
    expect(await opening(`${stage.server.url}/3`, { namespace })).toBe('opened');
  });
});

describe('a Redis user without a right', () => {
  let user = 0;
  const as = async (...rules: string[]) => {
    const name = `user${++user}`;
    await stage.redis.call('ACL', 'SETUSER', name, 'on', '>pass', ...rules);
    return stage.server.url.replace('redis://', `redis://${name}:pass@`);
  };

  it.each([
    ['any channels', ['~*', '+@all', 'resetchannels'], /may not publish on channels \{.*\}:#\*/],
    ['any keys', ['&*', '+@all', '~other:*'], /may not use keys \{.*\}:\*/],
    ['scripts', ['~*', '&*', '+@all', '-@scripting'], /'evalsha'/],
    ['INFO', ['~*', '&*', '+@all', '-info'], /'info'/],
    ['SUBSCRIBE', ['~*', '&*', '+@all', '-subscribe'], /may not listen to .*#tick/],
    ['PSUBSCRIBE', ['~*', '&*', '+@all', '-psubscribe'], /may not listen to events\*/],
    ...['XADD', 'XRANGE', 'HSET', 'ZADD', 'PUBLISH', 'DEL', 'MEMORY'].map(
      (command) =>
        [
          command,
          ['~*', '&*', '+@all', `-${command.toLowerCase()}`],
          new RegExp(`may not run ${command}`),
        ] as const,
    ),
  ] as const)('to %s: the start ends with a line that names it', async (_right, rules, line) => {
    const url = await as(...rules);
    const said = await opening(url, { adopt: ['events*'] });
    expect(said).toMatch(line);
    expect(said).not.toMatch(/pass|\n/);
  });

  it('to what the log does not need opens it: CLIENT, CONFIG, ACL', async () => {
    const url = await as('~*', '&*', '+@all', '-client', '-config', '-acl', '-@dangerous', '+info');
    expect(await opening(url)).toBe('opened');
  });
});

describe('a server that takes no writes now', () => {
  afterEach(async () => {
    await stage.redis.config('SET', 'min-replicas-to-write', '0');
  });

  it('is named', async () => {
    await stage.redis.config('SET', 'min-replicas-to-write', '1');
    expect(await opening(stage.server.url)).toMatch(/NOREPLICAS/);
  });
});

it('a connection that is refused what it needs is not replaced in a hurry', async () => {
  const rules = ['~*', '&*', '+@all', '-subscribe'];
  await stage.redis.call('ACL', 'SETUSER', 'deaf', 'on', '>pass', ...rules);
  const connections = async () =>
    Number(/total_connections_received:(\d+)/.exec(await stage.redis.info('stats'))?.[1]);
  const before = await connections();
  // Each connects, is greeted, and is refused then: only the first pauses are short.
  await opening(stage.server.url.replace('redis://', 'redis://deaf:pass@'));
  expect((await connections()) - before).toBeLessThan(15);
});
