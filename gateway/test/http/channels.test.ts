// GET /api/channels: the channels, how many entries they have, and their rate; the channels with people's texts are not listed.
import { afterEach, expect, it } from 'vitest';
import { line, openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';

let gateway: TestGateway;
afterEach(() => gateway.close());

interface Channel {
  channel: string;
  entries: number;
  total: number;
  rate: number | null;
  last: string;
  lastTime: number;
}

const channels = async (): Promise<Channel[]> => {
  const answer = await (await fetch(`${gateway.url}/api/channels`)).json();
  return (answer as { channels: Channel[] }).channels;
};

it('lists channels by name with what they hold and their newest entry, reserved ones never', async () => {
  gateway = await openGateway({ RETENTION_ENTRIES: '10' });
  const ids: (string | null)[] = [];
  for (let i = 0; i < 20; i++) ids.push(...(await gateway.broker.publish([line('b', `${i}`)])));
  await gateway.broker.publish([
    line('a', 'x'),
    line('runs:1', 'private'),
    line('conversations:1', 'private'),
  ]);
  const found = await channels();
  expect(found.map(({ channel }) => channel)).toEqual(['a', 'b', 'logs:gateway']);
  const b = found[1] as Channel;
  expect(b).toMatchObject({ total: 20, last: ids.at(-1) });
  expect(b.entries).toBeLessThan(20);
  expect(b.lastTime).toBe(Number(`${ids.at(-1)}`.split('-')[0]));
});

it('has a rate once it has looked twice', async () => {
  gateway = await openGateway();
  await gateway.broker.publish([line('a', 'x')]);
  expect((await channels())[0]?.rate).toBeNull();
  await eventually('a rate', async () => {
    await gateway.broker.publish([line('a', 'x')]);
    const [a] = await channels();
    return a !== undefined && a.rate !== null && a.rate > 0;
  });
});

it('a parameter is refused by name, here as on the routes of health', async () => {
  gateway = await openGateway();
  for (const path of ['/api/channels', '/healthz', '/readyz', '/sse/health']) {
    const response = await fetch(`${gateway.url}${path}?chanel=a`);
    expect(response.status, path).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid_query', field: 'chanel' });
    expect((await fetch(`${gateway.url}${path}?`)).status, path).toBe(200);
  }
});
