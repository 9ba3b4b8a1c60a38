// The log in Redis where something goes wrong between two messages: slow acknowledgements, cuts, and wiped logs.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { randomNamespace } from '../../../../test-support/redis.ts';
import { RedisAppend } from '../../../src/broker/redis/append.ts';
import { RedisJanitor } from '../../../src/broker/redis/janitor.ts';
import { RedisKeys } from '../../../src/broker/redis/keys.ts';
import { DEFAULT_RETENTION } from '../../../src/broker/retention.ts';
import { Ear, line } from '../conformance.ts';
import { redisStage } from './redis-stage.ts';

const stage = redisStage();

/** A way to the server on which what the subscriber's connection sends can be held back. */
async function slowSubscriber(): Promise<{
  url: string;
  hold(): void;
  held(): number;
  release(): void;
  close(): void;
}> {
  let holding = false;
  const waiting: (() => void)[] = [];
  const relay = createServer((client) => {
    const upstream = connect(stage.server.port, '127.0.0.1');
    let isSubscriber = false;
    client.on('data', (data) => {
      isSubscriber ||= data.includes('llm-streamer-subscriber');
      if (holding && isSubscriber) waiting.push(() => upstream.write(data));
      else upstream.write(data);
    });
    upstream.pipe(client);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return {
    url: `redis://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    hold: () => {
      holding = true;
    },
    held: () => waiting.length,
    release: () => {
      holding = false;
      for (const send of waiting.splice(0)) send();
    },
    close: () => relay.close(),
  };
}

/** A relay to the server that can cut all connections. It can also refuse new ones that say `label`, until that is undone. */
async function brittleLink(): Promise<{
  url: string;
  cut(label: string): void;
  turnedAway(): number;
  connected(label: string): number;
  mend(): void;
  close(): void;
}> {
  const open = new Set<Socket>();
  const seen: string[] = [];
  let unwanted: string | undefined;
  let turnedAway = 0;
  const relay = createServer((client) => {
    open.add(client);
    const upstream = connect(stage.server.port, '127.0.0.1');
    client.on('data', (data) => {
      const label = /llm-streamer-(\w+)/.exec(data.toString('latin1'))?.[1];
      if (label !== undefined) seen.push(label);
      if (label !== undefined && label === unwanted) {
        turnedAway++;
        client.destroy();
      } else upstream.write(data);
    });
    upstream.pipe(client);
    client.on('close', () => open.delete(client));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return {
    url: `redis://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    cut: (label) => {
      unwanted = label;
      seen.length = 0;
      for (const socket of open) socket.destroy();
    },
    turnedAway: () => turnedAway,
    connected: (label) => seen.filter((each) => each === label).length,
    mend: () => {
      unwanted = undefined;
    },
    close: () => relay.close(),
  };
}

/** Keys of a namespace for a writer whose entries are stored, but announced where no broker listens. */
const unheardKeys = (namespace: string) =>
  Object.assign(new RedisKeys(namespace), { announcePrefix: 'elsewhere:' });

describe('RedisBroker', () => {
  it('counts a lost link once, however many attempts to take it up again fail on the way', async () => {
    const link = await brittleLink();
    const broker = await stage.broker({ url: link.url });
    const ear = new Ear();
    await broker.subscribe(['a'], ear);
    expect(broker.status().reconnects).toBe(0);
    link.cut('history');
    // The subscription is back at once, but without history it cannot go on, and begins anew.
    await expect.poll(() => link.connected('subscriber'), { timeout: 20_000 }).toBeGreaterThan(2);
    expect(link.turnedAway()).toBeGreaterThan(0);
    expect(broker.status().reconnects).toBe(0);
    link.mend();
    await expect
      .poll(() => broker.status(), { timeout: 20_000 })
      .toMatchObject({ ready: true, reconnects: 1 });
    await broker.publish([line('a', 'after')]);
    await ear.heard(({ msgs }) => msgs.includes('after'));
    await broker.close();
    link.close();
  });

  it('does not blame a server for the time in which the process itself was busy', async () => {
    const broker = await stage.broker();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000); // as a start on a busy machine
    expect(broker.status()).toMatchObject({ ready: true });
    const ear = new Ear();
    await broker.subscribe(['a'], ear);
    await broker.publish([line('a', 'heard')]);
    await ear.heard(({ msgs }) => msgs.includes('heard'));
  });

  it('names a server that hangs, refuses subscriptions meanwhile, and goes on with it', async () => {
    const broker = await stage.broker();
    stage.server.pause();
    try {
      await expect(broker.subscribe(['a'], new Ear())).rejects.toThrow('cannot be reached');
      await expect.poll(() => broker.status().reason, { timeout: 20_000 }).toContain('it does not answer');
    } finally {
      stage.server.resume();
    }
    await expect.poll(() => broker.status().ready, { timeout: 20_000 }).toBe(true);
    await broker.subscribe(['a'], new Ear());
  });

  it('begins a subscription only when Redis has acknowledged it, also one that another has asked for', async () => {
    const link = await slowSubscriber();
    const broker = await stage.broker({ url: link.url });
    const clock = new Ear();
    await broker.subscribe(['clock'], clock);
    link.hold();
    let begun = 0;
    const both = [new Ear(), new Ear()].map(async (ear) => {
      await broker.subscribe(['late'], ear);
      begun++;
    });
    const ticks = clock.positions.length;
    await clock.heard(({ positions }) => positions.length >= ticks + 2);
    expect(begun).toBe(0);
    link.release();
    await Promise.all(both);
    await broker.close();
    link.close();
  });

  it('does not take its own entries for a stranger’s while a subscription that it leaves still brings them', async () => {
    const link = await slowSubscriber();
    const broker = await stage.broker({ url: link.url, adopt: ['logs*'] });
    const ear = new Ear();
    await broker.subscribe(['logs:a'], ear);
    // Several: in which order Redis serves patterns is its own affair.
    const others = ['*', 'l*', 'lo*', 'log*', '*a', '*:a', 'l*a', 'logs:*'];
    const everything = await broker.subscribe(others, new Ear());
    await ear.heard(({ positions }) => positions.length >= 3);
    link.hold();
    everything.close();
    await expect.poll(() => link.held()).toBeGreaterThan(0); // leaves them, and Redis does not know yet
    await broker.publish([line('logs:a', 'once')]);
    const { length } = ear.positions;
    await ear.heard(({ positions }) => positions.length >= length + 3);
    expect(ear.msgs).toEqual(['once']);
    expect(broker.status().adopted).toBe(0);
    link.release();
    await broker.close();
    link.close();
  });

  it('names what may be missing of messages that are not stored, and only to their readers', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace, adopt: [] });
    const [reader, other] = [new Ear(), new Ear()];
    await broker.subscribe(['bare*'], reader);
    await broker.subscribe(['a'], other);
    const say = (msg: string) => stage.redis.publish(`{${namespace}}:bare:1`, msg);
    await say('before');
    await reader.heard(({ records }) => records.length === 1);
    await stage.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await reader.heard(({ gaps }) => gaps.length > 0);
    await broker.publish([line('a', 'later')]);
    await other.heard(({ records }) => records.length === 1);
    expect(reader.gaps).toEqual([
      expect.objectContaining({ channel: 'bare:1', reason: 'not_stored', missed: null }),
    ]);
    expect(other.gaps).toEqual([]);
  });

  it('delivers the entries of a new log, also where its clock is slower than the wiped log’s positions', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace });
    const ear = new Ear();
    await broker.subscribe(['a'], ear);
    await stage.redis.hset(`{${namespace}}:log`, 'n', `${(Date.now() + 3_600_000) * 1000}`);
    await broker.publish([line('a', 'before')]);
    await ear.heard(({ msgs }) => msgs.includes('before'));
    await stage.redis.del(...(await stage.redis.keys(`{${namespace}}:*`)));
    await broker.publish([line('a', 'after')]);
    await ear.heard(({ msgs }) => msgs.includes('after'));
    await broker.publish([line('a', 'more')]);
    await ear.heard(({ msgs }) => msgs.includes('more'));
    expect(ear.msgs).toEqual(['before', 'after', 'more']);
    expect(ear.gaps).toMatchObject([{ channel: null, reason: 'reset' }]);
  });

  it('reads from history whatever was not announced, however often', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace });
    const client = await stage.client();
    const silent = new RedisAppend(client, unheardKeys(namespace), DEFAULT_RETENTION);
    const ear = new Ear();
    await broker.subscribe(['a'], ear);
    const expected: string[] = [];
    for (let i = 0; i < 5; i++) {
      await silent.appendBatch([line('a', `silent ${i}`)]);
      await broker.publish([line('a', `loud ${i}`)]);
      expected.push(`silent ${i}`, `loud ${i}`);
      await ear.heard(({ msgs }) => msgs.includes(`loud ${i}`));
    }
    expect([ear.msgs, ear.gaps]).toEqual([expected, []]);
  });

  it('does not blame a channel that was forgotten when announcements of another are missing', async () => {
    const namespace = randomNamespace();
    const retention = { ...DEFAULT_RETENTION, maxChannels: 2 };
    const broker = await stage.broker({ namespace, retention });
    const client = await stage.client();
    const silent = new RedisAppend(client, unheardKeys(namespace), retention);
    const ear = new Ear();
    await broker.subscribe(['*'], ear);
    await broker.publish([line('a', '1')]);
    await broker.publish([line('b', '2')]);
    await stage.redis.del(`{${namespace}}:ch:b`);
    await new RedisJanitor(client, new RedisKeys(namespace), retention, undefined).sweep();
    expect((await broker.channels('*')).map(({ channel }) => channel)).toEqual(['a']);
    await silent.appendBatch([line('a', '3')]);
    await broker.publish([line('a', '4')]);
    await ear.heard(({ msgs }) => msgs.includes('4'));
    expect([ear.msgs, ear.gaps]).toEqual([['1', '2', '3', '4'], []]);
  });

  it('says in the log what plain PUBLISHes it may have missed while its subscription was cut', async () => {
    const broker = await stage.broker({ adopt: ['logs*'] });
    const ear = new Ear();
    await broker.subscribe(['logs:gateway'], ear);
    await ear.heard(({ positions }) => positions.length >= 3); // by then it holds the lease
    const { reconnects } = broker.status();
    await stage.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await expect.poll(() => broker.status().reconnects).toBeGreaterThan(reconnects);
    await ear.heard(({ msgs }) => msgs.some((msg) => msg.includes('may be missing')));
  });
});
