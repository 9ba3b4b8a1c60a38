// Several processes on one port are one MCP server: any of them answers any request of a client, and goes on from any cursor.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { healthy, type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { connect, cursorOf, ERAS, linesOf } from '../mcp/mcp-client.ts';

let redis: RedisServer;
let gateway: RunningProcess;
let url: string;
beforeAll(async () => {
  redis = await startRedis();
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const env = { PORT: `${port}`, WORKERS: '2', REDIS_URL: redis.url, NAMESPACE: randomNamespace() };
  gateway = startProcess(['gateway/src/main.ts'], { env });
  await healthy(`${url}/readyz`, 90_000);
}, 120_000);
afterAll(async () => {
  await gateway?.stop('SIGKILL');
  await redis?.stop();
});

it.each(ERAS)(
  'a client of the %s era follows a channel over all workers, and misses nothing',
  async (era) => {
    const channel = `logs:${era}`;
    const publish = (msg: string) =>
      fetch(`${url}/api/publish`, {
        method: 'POST',
        // Each new connection goes to the next worker.
        headers: { 'content-type': 'application/json', connection: 'close' },
        body: JSON.stringify({ channel, msg }),
      });
    const clients = await Promise.all([connect(url, era), connect(url, era)]);
    await publish('0');
    const found: string[] = [];
    let after = '0-0';
    for (let i = 1; found.length < 20; i++) {
      const { call } = clients[i % 2] as (typeof clients)[0];
      const told = call('wait_for_entries', { channels: channel, after });
      if (i < 20) await publish(`${i}`);
      found.push(...linesOf(await told).map((text) => text.split(' ')[4] as string));
      after = cursorOf(await told);
    }
    expect(found).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
  },
);
