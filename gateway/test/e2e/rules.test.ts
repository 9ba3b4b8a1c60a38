// Rules and alerts over several gateways of which one after the other is killed under load: each event once, each alert once, and each
// message at its destination.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPages } from '@llm-streamer/shared/broker/read-pages.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { line } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { type RedisServer, startRedis } from '../../../test-support/redis.ts';
import { type ServedGateway, startGateway } from './run-fleet.ts';

let redis: RedisServer;
let folder: string;
let hook: Server;
const delivered: string[] = [];

beforeAll(async () => {
  redis = await startRedis();
  folder = await mkdtemp(join(tmpdir(), 'llm-streamer-rules-'));
  hook = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      for (const { id } of JSON.parse(body).alerts) delivered.push(id);
      response.end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  hook.close().closeAllConnections();
  await rm(folder, { recursive: true });
  await redis.stop();
});

it('killed gateways neither lose nor double an event, an alert or a message', async () => {
  const file = join(folder, 'rules.json');
  await writeFile(
    file,
    JSON.stringify({
      rules: [
        {
          name: 'done',
          channels: ['logs*'],
          match: 'job (?P<job>\\d+) done',
          emit: { channel: 'events:job', event: 'job.done' },
        },
        {
          name: 'round',
          channels: ['logs*'],
          match: 'job \\d+00 done',
          alert: { when: 'match', by: ['round'], to: ['hook'] },
        },
        {
          name: 'many',
          channels: ['logs*'],
          alert: { when: 'count', bound: 1_000, within: '1h', to: ['hook'] },
        },
      ],
      destinations: {
        hook: { kind: 'json', url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/` },
      },
    }),
  );
  const env = { REDIS_URL: redis.url, RULES_FILE: file };
  const gateways: ServedGateway[] = await Promise.all([startGateway(env), startGateway(env)]);
  const broker = new RedisBroker({ url: redis.url });
  await broker.open(10_000);

  // Fewer than the log keeps of a channel.
  const total = 8_000;
  /** One of each hundred jobs makes an alert, but for the very first. */
  const rounds = Array.from({ length: total / 100 - 1 }, (_, i) => i + 1);
  let written = 0;
  const write = async (until: number) => {
    for (; written < until; written += 100)
      await broker.publish(
        Array.from({ length: 100 }, (_, i) => {
          const job = written + i;
          return line('logs:jobs', `job ${job} done`, { attrs: { round: Math.floor(job / 100) } });
        }),
      );
  };
  const read = async (channel: string): Promise<Entry[]> => {
    const entries: Entry[] = [];
    for await (const { items } of readPages(broker, { channels: [channel], after: 0, limit: 1_000 }))
      for (const { record } of items) if (record !== undefined) entries.push(record.entry);
    return entries;
  };
  try {
    for (let round = 1; round <= 4; round++) {
      await write((round * total) / 5);
      // Somewhere in the middle of its work, and with more to come.
      await eventually(
        'rules are applied',
        async () => (await read('events:job')).length > ((round - 1) * total) / 5,
      );
      const leader = await eventually('one gateway leads', () => leaderOf(gateways));
      leader.process.kill('SIGKILL');
      await leader.process.exited;
      gateways.splice(gateways.indexOf(leader), 1, await startGateway(env));
    }
    await write(total);
    await eventually('all events are there', async () => (await read('events:job')).length >= total, 120_000);
    await eventually('all messages are there', () => new Set(delivered).size > rounds.length, 60_000);

    const jobs = (await read('events:job')).map(({ attrs }) => Number(attrs?.job));
    expect(jobs).toEqual(Array.from({ length: total }, (_, i) => i));
    const alerts = (await read('events:alerts')).map(({ event, attrs }) => `${event} ${attrs?.alert}`);
    expect(alerts.filter((one) => one.includes(' many'))).toEqual(['alert.firing many']);
    expect(alerts.sort()).toEqual(
      ['alert.firing many', ...rounds.map((round) => `alert.firing round/${round}`)].sort(),
    );
    const [gateway] = gateways;
    const answer = (await (await fetch(`${gateway?.url}/api/alerts`)).json()) as {
      alerts: { alert: string }[];
    };
    expect(answer.alerts).toHaveLength(rounds.length + 1);
  } finally {
    await broker.close();
    await Promise.all(gateways.map(({ process }) => process.stop()));
  }
}, 300_000);

/** A gateway with one rule that makes an event of each job, and what it has made. */
async function startJobs(env: Record<string, string>) {
  const file = join(folder, 'jobs.json');
  const emit = { channel: 'events:job', event: 'job.done' };
  await writeFile(
    file,
    JSON.stringify({ rules: [{ name: 'done', channels: ['logs*'], match: 'job \\d+ done', emit }] }),
  );
  const { url, process } = await startGateway({ ...env, RULES_FILE: file });
  return {
    process,
    publish: async (job: number) => {
      const sent = await fetch(`${url}/api/publish?channel=logs:jobs`, {
        method: 'POST',
        // So that what is sent again is stored once.
        headers: {
          'content-type': 'text/plain',
          'publisher-id': '0'.repeat(32),
          'publisher-seq': `${job}`,
        },
        body: `job ${job} done`,
      });
      return sent.ok;
    },
    made: async () => {
      const page = await fetch(`${url}/api/entries?channels=events:job&tail=100`);
      return ((await page.json()) as { entries: Entry[] }).entries.map(({ msg }) => msg);
    },
  };
}

it.each<Record<string, string>>([{ WORKERS: '2' }, { AUTH: 'report' }])(
  'with %j each entry is applied once, whichever process takes it',
  async (env) => {
    const { process, publish, made } = await startJobs({
      ...env,
      REDIS_URL: redis.url,
      NAMESPACE: `n${Date.now()}`,
    });
    try {
      for (let job = 1; job <= 20; job++) expect(await publish(job)).toBe(true);
      await eventually('all events', async () => (await made()).length >= 20, 60_000);
      expect((await made()).sort()).toEqual(Array.from({ length: 20 }, (_, i) => `job ${i + 1} done`).sort());
    } finally {
      await process.stop();
    }
  },
  120_000,
);

it('a Redis that is killed and comes back costs no event, and doubles none', async () => {
  const own = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const { process, publish, made } = await startJobs({ REDIS_URL: own.url });
  try {
    await publish(1);
    await eventually('the first event', async () => (await made()).length > 0, 60_000);
    await publish(2);
    await own.kill('SIGKILL');
    await own.restart();
    await eventually('the log takes entries again', () => publish(3), 60_000);
    await eventually('the events', async () => (await made()).includes('job 3 done'), 60_000);
    expect(await made()).toEqual(['job 1 done', 'job 2 done', 'job 3 done']);
  } finally {
    await process.stop();
    await own.stop();
  }
}, 180_000);

async function leaderOf(gateways: readonly ServedGateway[]): Promise<ServedGateway | undefined> {
  for (const gateway of gateways) {
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    if (metrics.includes('llm_streamer_rules_leading 1')) return gateway;
  }
  return undefined;
}
