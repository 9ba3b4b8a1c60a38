// Attack 12: random grants, queries, resumes and publishes on two gateways. Whatever way an entry comes (live, replay, resume, gzip, to
// a lagging viewer, in a page, as NDJSON), it never reaches somebody none of whose grants matches its channel, and it always reaches
// those whose query and grants match it. What matches is found here by regular expressions, without any code of the product.
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { line, openGateway, type TestGateway } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import type { SseClient } from '../../../../test-support/sse-client.ts';
import type { Principal } from '../../../src/auth/principal.ts';
import { bearer, People, person } from '../people.ts';

const ROUNDS = 6;
const PEOPLE = 6;
const VIEWERS = 14;
const BATCHES = 30;

const CHANNELS = ['logs', 'logs:a', 'logs:a:x', 'logs:b', 'team:a', 'team:a:logs', 'a', 'runs', 'events:x'];
const RESERVED = ['runs:p0/r', 'runs:p1/r', 'conversations:p0/c', 'events:runs:p1', 'audit:x', 'runs:old'];
const PATTERNS = [
  '*',
  'logs*',
  'logs:*',
  '*:a',
  '*a*',
  'team:*',
  'l*s:*',
  '*:x',
  'r*',
  'runs:*',
  'runs:p0/*',
  '*s:*',
];
const GRANTS = [...PATTERNS, ...CHANNELS, 'conversations:*', 'events:*', 'audit:*'];
const QUERIES = [...GRANTS, ...RESERVED, '*r', 'a*', 'events:runs:*', 'conversations:p0/*', 'c*'];

const allowed = (globs: readonly string[], channel: string) =>
  globs.some((glob) => {
    const prefix = /^(?:runs:|conversations:|events:runs:|audit:)/.exec(channel)?.[0] ?? '';
    const body = glob.replaceAll(/[.\\^$+?()[\]{}|/-]/g, String.raw`\$&`).replaceAll('*', '.*');
    return glob.startsWith(prefix) && new RegExp(`^${body}$`).test(channel);
  });

/** Refused is whoever names a channel that he may not read, or may read nothing of what he asks for; and nobody else. */
function judge(status: number, { grants }: Principal, query: readonly string[]): void {
  const isNamed = query.some((one) => !one.includes('*') && !allowed(grants.read, one));
  const isCommon = [...CHANNELS, ...RESERVED].some((one) => allowed(query, one) && allowed(grants.read, one));
  const what = `${grants.read} asks for ${query}: ${status}`;
  expect([200, 403], what).toContain(status);
  if (isNamed) expect(status, what).toBe(403);
  else if (isCommon) expect(status, what).toBe(200);
}

let redis: RedisServer;
const open: TestGateway[] = [];
const viewers: SseClient[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
const closeAll = async () => {
  for (const viewer of viewers.splice(0)) viewer.vanish();
  for (const gateway of open.splice(0)) await gateway.close();
};
afterEach(closeAll);
afterAll(() => redis.stop());

interface Written {
  id: string;
  channel: string;
  msg: string;
}

interface Watching {
  client: SseClient;
  who: Principal;
  query: string[];
  /** It gets what was written after this many. */
  from: number;
}

it('12: nobody ever gets an entry that none of his grants matches', { timeout: 300_000 }, async () => {
  // Without shrinking: a smaller case costs a round of two gateways, and the seed plays the same one again.
  const parameters = { numRuns: ROUNDS, endOnFailure: true };
  await fc.assert(fc.asyncProperty(fc.gen(), playRound).afterEach(closeAll), parameters);
});

/** @param draw chooses, by the seed of the run. */
async function playRound(draw: fc.GeneratorValue): Promise<void> {
  const below = (most: number) => draw(fc.nat, { max: most - 1 });
  const pick = <T>(all: readonly T[]): T => all[below(all.length)] as T;
  const some = (all: readonly string[], most: number) => [
    ...new Set(Array.from({ length: 1 + below(most) }, () => pick(all))),
  ];

  const all = Array.from({ length: PEOPLE }, (_, i) =>
    person(`p${i}`, { read: some(GRANTS, 4), publish: some(GRANTS, 3) }),
  );
  const people = new People(...all);
  const env = { AUTH: 'on', REDIS_URL: redis.url, NAMESPACE: randomNamespace() };
  for (let i = 0; i < 2; i++) open.push(await openGateway(env, { credentials: people.credentials }));
  const gateway = () => pick(open);

  const written: Written[] = [];
  const refused: string[] = [];
  const watching: Watching[] = [];
  let serial = 0;

  /** Writes as the gateway itself does, to any channel. */
  const write = async () => {
    const batch = Array.from({ length: 1 + below(5) }, () => ({
      channel: pick([...CHANNELS, ...RESERVED]),
      msg: `m${++serial}`,
    }));
    // Large ones fill the sockets of viewers that do not read.
    const pad = 'x'.repeat(pick([0, 0, 20_000]));
    const ids = await gateway().broker.publish(
      batch.map(({ channel, msg }) => line(channel, `${msg} ${pad}`)),
    );
    for (const [i, one] of batch.entries()) written.push({ ...one, id: `${ids[i]}` });
  };

  const publish = async () => {
    const who = pick(all);
    const batch = Array.from({ length: 1 + below(3) }, () => ({
      channel: pick([...CHANNELS, ...CHANNELS, ...RESERVED]),
      msg: `m${++serial}`,
    }));
    const asWritten = below(2) === 0;
    const answer = await fetch(`${gateway().url}/api/publish`, {
      method: 'POST',
      headers: {
        ...bearer(who.name),
        'content-type': asWritten ? 'application/x-ndjson' : 'application/json',
      },
      body: asWritten
        ? batch.map(({ channel, msg }) => line(channel, msg).body).join('\n')
        : JSON.stringify(batch),
    });
    const may = batch.every(
      ({ channel }) => !RESERVED.includes(channel) && allowed(who.grants.publish, channel),
    );
    expect(answer.status === 200, `${who.grants.publish} writes ${batch.map((one) => one.channel)}`).toBe(
      may,
    );
    if (!may) return void refused.push(...batch.map(({ msg }) => msg));
    const { ids } = (await answer.json()) as { ids: string[] };
    for (const [i, one] of batch.entries()) written.push({ ...one, id: `${ids[i]}` });
  };

  const watch = async () => {
    const who = pick(all);
    const query = some(QUERIES, 3);
    const from = written.length === 0 ? 0 : below(written.length);
    const cursor = written[from - 1]?.id ?? '0-0';
    const client = await gateway().view(`channels=${query.join()}`, {
      lastEventId: cursor,
      headers: { ...bearer(who.name), ...(below(2) === 0 && { 'accept-encoding': 'gzip' }) },
    });
    viewers.push(client);
    judge(client.status, who, query);
    if (client.status !== 200) return;
    watching.push({ client, who, query, from });
    if (below(3) === 0) client.pause();
  };

  for (let i = 0; i < BATCHES; i++) {
    await write();
    await publish();
    if (i % 2 === 0 && watching.length < VIEWERS) await watch();
  }
  for (const { client } of watching) client.resume();
  await write();

  // The gateway's own entries come beside those of the test.
  const ours = (entries: readonly Record<string, unknown>[]) =>
    entries
      .filter(({ msg }) => /^m\d+( |$)/.test(`${msg}`))
      .map(({ msg }) => `${msg}`.split(' ')[0] as string);
  const due = ({ who, query, from }: Omit<Watching, 'client'>) =>
    written
      .slice(from)
      .filter(({ channel }) => allowed(query, channel) && allowed(who.grants.read, channel))
      .map(({ msg }) => msg);

  for (const one of watching) {
    const what = `${one.who.grants.read} watches ${one.query}`;
    await eventually(what, () => ours(one.client.entries).length >= due(one).length);
    expect(ours(one.client.entries).sort(), what).toEqual(due(one).sort());
    for (const entry of one.client.entries)
      expect(allowed(one.who.grants.read, `${entry.channel}`), `${what}: ${entry.channel}`).toBe(true);
    for (const { data } of one.client.named('gap'))
      if (data.channel !== null) expect(allowed(one.who.grants.read, `${data.channel}`), what).toBe(true);
  }

  let pages = 0;
  for (const who of all)
    for (const ndjson of [false, true]) {
      const query = some(QUERIES, 3);
      const what = `${who.grants.read} asks for ${query}`;
      const answer = await fetch(
        `${gateway().url}/api/entries?channels=${query.join()}&after=0-0&limit=10000`,
        {
          headers: { ...bearer(who.name), ...(ndjson && { accept: 'application/x-ndjson' }) },
        },
      );
      const text = await answer.text();
      judge(answer.status, who, query);
      if (answer.status !== 200) continue;
      pages++;
      const entries: Record<string, unknown>[] = ndjson
        ? text
            .split('\n')
            .filter(Boolean)
            .map((one) => JSON.parse(one))
        : JSON.parse(text).entries;
      expect(ours(entries).sort(), what).toEqual(due({ who, query, from: 0 }).sort());
      for (const { channel } of entries) expect(allowed(who.grants.read, `${channel}`), what).toBe(true);
    }
  expect(pages + watching.length, 'something was read').toBeGreaterThan(0);
  const everything = new Set(watching.flatMap(({ client }) => ours(client.entries)));
  for (const msg of refused) expect(everything.has(msg), msg).toBe(false);
}
