// Alerts over HTTP, of a gateway with the log in memory: what fires, who may see it, and the test of destinations.

import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AlertsAnswer } from '@llm-streamer/shared/api-types.ts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { line, openGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { addUser, openAuthGateway } from './auth-gateway.ts';
import { open, publish, start } from './stream-gateway.ts';

let folder: string;
let file: string;
let hook: Server;
let heard: { alerts: { text: string; test?: boolean }[] }[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llm-streamer-alerts-'));
  file = join(folder, 'rules.json');
  heard = [];
  hook = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      heard.push(JSON.parse(body));
      response.end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  hook.close().closeAllConnections();
  await rm(folder, { recursive: true });
});

const MANY = {
  name: 'many',
  channels: ['logs*'],
  level: 'error',
  alert: { when: 'count', bound: 2, within: '1h', by: ['source'], to: ['hook'] },
};
const DONE = {
  name: 'done',
  channels: ['logs*'],
  match: 'job (?P<job>\\d+)',
  emit: { channel: 'events:job', event: 'job.done' },
};

/** Written as editors do it: the file is replaced as a whole. */
async function writeRules(...rules: object[]): Promise<void> {
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
  await writeFile(`${file}.new`, JSON.stringify({ rules, destinations: { hook: { kind: 'json', url } } }));
  await rename(`${file}.new`, file);
}

it('lines become events and alerts, the raw lines go on, and the destination is told', async () => {
  await writeRules(MANY, DONE);
  const gateway = await start({ RULES_FILE: file });
  const viewer = await gateway.view('channels=logs,events:*');
  const bad = () => line('logs', 'ERROR', { level: 'error', source: 'gpu-7' });
  await gateway.broker.publish([line('logs', 'job 42'), bad(), bad()]);
  const events = await eventually('the event and the alert', () => {
    const found = viewer.events.filter(({ data }) => `${data.channel}`.startsWith('events:'));
    return found.length >= 2 && found.map(({ data }) => data);
  });
  expect(events.map(({ channel, event, msg }) => [channel, event, msg])).toEqual([
    ['events:job', 'job.done', 'job 42'],
    ['events:alerts', 'alert.firing', 'many (source gpu-7): 2 entries within 60 min, bound 2'],
  ]);
  expect(viewer.events.filter(({ data }) => data.channel === 'logs')).toHaveLength(3);
  const { alerts } = (await (await fetch(`${gateway.url}/api/alerts`)).json()) as AlertsAnswer;
  expect(alerts).toEqual([
    {
      text: 'many (source gpu-7): 2 entries within 60 min, bound 2',
      level: 'error',
      alert: 'many/gpu-7',
      rule: 'many',
      group: { source: 'gpu-7' },
      value: 2,
      bound: 2,
      since: expect.any(Number),
      cause_channel: 'logs',
      cause_id: expect.stringMatching(/^\d+-\d+$/),
    },
  ]);
  await eventually('the destination is told', () => heard.length > 0);
  expect(heard.flatMap(({ alerts: told }) => told.map(({ text }) => text))).toEqual([alerts[0]?.text]);
});

it('a changed file is in use within seconds; one that is not valid leaves the last good rules, and is reported', async () => {
  await writeRules(DONE);
  const gateway = await start({ RULES_FILE: file });
  await publish(gateway, 'logs', 'job 0');
  await eventually(
    'the first rules are applied',
    async () => (await entries(gateway.url, 'events:job')).length === 1,
  );
  await writeRules({ ...DONE, emit: { channel: 'events:other', event: 'job.done' } });
  const reported = (text: string) =>
    eventually(text, async () => JSON.stringify(await entries(gateway.url, 'logs:gateway')).includes(text));
  await reported('RULES_FILE: 1 rules are in use now');
  await writeFile(file, '{"rules": [');
  await reported('the file is not JSON; the last good rules stay in use');
  await publish(gateway, 'logs', 'job 1');
  await eventually('the event', async () => (await entries(gateway.url, 'events:other')).length === 1);
  expect(await entries(gateway.url, 'events:job')).toHaveLength(1);
});

it('a gateway whose rules are not valid does not start, and says why', async () => {
  await writeRules({ ...DONE, match: '(' });
  await expect(openGateway({ RULES_FILE: file })).rejects.toThrow(
    `RULES_FILE ${file}: rules[0].match: not an expression of RE2`,
  );
  await expect(openGateway({ RULES_FILE: join(folder, 'none.json') })).rejects.toThrow(
    'cannot be read (ENOENT)',
  );
});

it('without rules nothing fires, and there is nothing to test', async () => {
  const gateway = await start();
  expect(await (await fetch(`${gateway.url}/api/alerts`)).json()).toEqual({ rules: false, alerts: [] });
  expect((await test(gateway.url)).status).toBe(404);
});

it('a test reaches the destination at once, says that it is one, and cannot be repeated without a pause', async () => {
  await writeRules(MANY);
  const gateway = await start({ RULES_FILE: file });
  expect((await test(gateway.url, { destination: 'none' })).status).toBe(400);
  const answer = await test(gateway.url, { destination: 'hook' });
  expect(await answer.json()).toEqual({ destinations: [{ name: 'hook', delivered: true }] });
  expect(heard).toMatchObject([{ alerts: [{ test: true }] }]);
  const again = await test(gateway.url);
  expect([again.status, again.headers.get('retry-after')]).toEqual([429, expect.stringMatching(/^[1-5]$/)]);
});

it('where people sign in: alerts are for those who may read their channel, tests are for admins, and nobody forges an alert', async () => {
  await writeRules(MANY);
  const gateway = await openAuthGateway({ RULES_FILE: file });
  open.push(gateway);
  const grants = { read: ['logs*'], publish: ['*'], run: false, metrics: false, admin: false };
  await gateway.store.setRole({ name: 'logs-only', grants });
  await addUser(gateway.store, 'carol', 'logs-only');
  const [root, carol] = [await gateway.signedIn('root'), await gateway.signedIn('carol')];
  expect((await root.ask('/api/alerts')).body).toEqual({ rules: true, alerts: [] });
  expect((await carol.ask('/api/alerts')).body.code).toBe('channel_forbidden');
  expect((await carol.ask('/api/alerts/test', { method: 'POST', body: {} })).body.code).toBe('forbidden');
  expect((await root.ask('/api/alerts/test', { method: 'POST', body: {} })).status).toBe(200);
  const forged = { channel: 'events:alerts', msg: 'all is lost', event: 'alert.firing' };
  expect((await carol.ask('/api/publish', { method: 'POST', body: forged })).body.code).toBe(
    'channel_reserved',
  );
});

const test = (url: string, body?: object) =>
  fetch(`${url}/api/alerts/test`, {
    method: 'POST',
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });

async function entries(url: string, channel: string): Promise<unknown[]> {
  const answer = await (await fetch(`${url}/api/entries?channels=${channel}&tail=100`)).json();
  return (answer as { entries: unknown[] }).entries;
}
