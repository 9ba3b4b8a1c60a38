// Attacks on what belongs to somebody else: the runs, the conversations, and what is told of both.

import { draft } from '@llm-streamer/shared/entry.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { type OwnedGateway, ownedGateway } from './owned-gateway.ts';
import { frames, id, SILENT_MODELS_MS } from './run-gateway.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const open: OwnedGateway[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((gateway) => gateway.close()));
});

type Env = Record<string, string>;

/** Two gateways on one Redis; with the log in memory, both are the same gateway. */
const kinds = [
  {
    kind: 'in memory',
    serve: async (env: Env = {}, tokenMs = 0) => {
      const gateway = await ownedGateway(env, tokenMs);
      open.push(gateway);
      return [gateway, gateway] as const;
    },
  },
  {
    kind: 'on two gateways with Redis',
    serve: async (env: Env = {}, tokenMs = 0) => {
      const shared = { REDIS_URL: redis.url, NAMESPACE: randomNamespace(), ...env };
      const both = [await ownedGateway(shared, tokenMs), await ownedGateway(shared, tokenMs)] as const;
      open.push(...both);
      return both;
    },
  },
];

const POST = { method: 'POST' };
const json = async (response: Response) => (await response.json()) as Record<string, unknown>;
const events = async (response: Response) => frames(response);
/** All that an answer says, but for what differs from one answer to the next. */
const said = async (response: Response) => {
  const headers = Object.fromEntries(response.headers);
  delete headers.date;
  return { status: response.status, headers, body: await response.text() };
};
const done = async (gateway: OwnedGateway, who: string, message_id: string) => {
  const all = await events(await gateway.ask(who, `/api/runs/${message_id}/stream`));
  expect(all.at(-1)?.json.final).toBe(true);
  return all.map(({ json: { message = '' } }) => message).join('');
};
const runsOf = async (gateway: OwnedGateway, who: string, query = '') => {
  const { runs } = (await json(await gateway.ask(who, `/api/runs${query}`))) as {
    runs: { channel: string }[];
  };
  return runs.map(({ channel }) => channel);
};
const entries = async (gateway: OwnedGateway, who: string, query: string) =>
  (await json(await gateway.ask(who, `/api/entries?${query}`))) as {
    entries: { channel: string; msg: string; run?: string; attrs?: Record<string, unknown> }[];
    gaps: { channel: string | null }[];
  };

describe.each(kinds)('what belongs to somebody, $kind', ({ serve }) => {
  it('16: the same message_id of two people is two runs, with the same body and with another', async () => {
    const [a, b] = await serve();
    const message_id = id();
    const hers = await a.begin('alice', { message_id });
    expect(hers.status).toBe(202);
    expect(await json(hers)).toMatchObject({
      message_id,
      owner: 'alice',
      channel: `runs:alice/${message_id}`,
    });
    const same = await b.begin('bob', { message_id });
    expect(await json(same)).toMatchObject({ owner: 'bob', channel: `runs:bob/${message_id}` });
    const other = await b.begin('carol', { message_id, message: 'Explain rain' });
    expect(other.status).toBe(202);
    expect(await done(a, 'carol', message_id)).not.toContain('tides');
    expect(await done(b, 'alice', message_id)).toContain('tides');
    await done(b, 'bob', message_id);
    const again = await a.begin('alice', { message_id, message: 'Explain rain' });
    expect(again.status).toBe(409);
  });

  it('16: a foreign run is answered as one that never was: read, watched, stopped, by owner and without', async () => {
    const [a, b] = await serve({}, SILENT_MODELS_MS);
    const message_id = id();
    await a.begin('alice', { message_id });
    const none = id();
    for (const owner of ['', '?owner=alice'])
      for (const [path, init] of [
        ['', {}],
        ['/stream', {}],
        ['/cancel', POST],
      ] as const) {
        const foreign = await said(await b.ask('bob', `/api/runs/${message_id}${path}${owner}`, init));
        expect(foreign.status).toBe(404);
        expect(foreign).toEqual(await said(await b.ask('bob', `/api/runs/${none}${path}${owner}`, init)));
        expect(JSON.parse(foreign.body)).toMatchObject({ code: 'run_not_found' });
      }
    const eventSource = { headers: { accept: 'text/event-stream', 'last-event-id': '1-1' } };
    const path = `/api/runs/${message_id}/stream?owner=alice`;
    expect((await b.ask('bob', path, eventSource)).status).toBe(404);
    expect((await b.ask('', `/api/runs/${message_id}?owner=alice`)).status).toBe(401);
    expect(await json(await b.ask('alice', `/api/runs/${message_id}`))).toMatchObject({ state: 'running' });
  });

  it('a shared run is watched but not stopped; an admin stops it', async () => {
    const [a, b] = await serve({}, SILENT_MODELS_MS);
    const message_id = id();
    await a.begin('alice', { message_id });
    const path = `/api/runs/${message_id}`;
    expect(await json(await b.ask('carol', `${path}?owner=alice`))).toMatchObject({ owner: 'alice' });
    expect((await b.ask('carol', path)).status).toBe(404);
    expect((await b.ask('carol', `${path}/cancel?owner=alice`, POST)).status).toBe(404);
    const watched = events(await b.ask('carol', `${path}/stream?owner=alice`));
    expect(await json(await b.ask('alice', path))).toMatchObject({ state: 'running' });
    expect((await b.ask('root', `${path}/cancel`, POST)).status).toBe(404);
    expect(await json(await b.ask('root', `${path}/cancel?owner=alice`, POST))).toMatchObject({
      state: 'cancelled',
    });
    expect((await watched).at(-1)?.json).toMatchObject({ code: 'cancelled', message_id });
  });

  it('16: a list holds what one may read, and is filtered before it is cut', async () => {
    const [a, b] = await serve();
    const [mine, first, second] = [id(), id(), id()];
    await a.begin('bob', { message_id: mine });
    await done(a, 'bob', mine);
    for (const message_id of [first, second]) {
      await a.begin('alice', { message_id });
      await done(a, 'alice', message_id);
    }
    const [his, hers] = [`runs:bob/${mine}`, [`runs:alice/${second}`, `runs:alice/${first}`]];
    expect(await runsOf(b, 'bob', '?limit=1')).toEqual([his]);
    expect(await runsOf(b, 'bob', '?owner=alice')).toEqual([]);
    expect(await runsOf(b, 'alice')).toEqual(hers);
    expect(await runsOf(b, 'carol')).toEqual(hers);
    expect(await runsOf(b, 'root')).toEqual([...hers, his]);
    expect(await runsOf(b, 'root', '?owner=bob')).toEqual([his]);
    expect(await runsOf(b, 'root', '?owner=-')).toEqual([]);
  });

  it.each(['Alice', '..', 'a/b', '*', 'a'.repeat(58), '__proto__'])('%s is no owner', async (owner) => {
    const [a] = await serve();
    const answer = await a.ask('root', `/api/runs/m1?owner=${owner}`);
    expect(answer.status).toBe(400);
    expect(await json(answer)).toMatchObject({ code: 'invalid_query', field: 'owner' });
  });

  it('17: a foreign conversation_id reaches nothing: neither his turns my prompt, nor mine his', async () => {
    const [a, b] = await serve();
    const conversation_id = id();
    const say = async (who: string, message: string) => {
      const message_id = id();
      expect((await a.begin(who, { message_id, message, conversation_id })).status).toBe(202);
      return done(b, who, message_id);
    };
    await say('alice', 'What is rust?');
    expect(await say('bob', 'What is copper?')).not.toContain('rust');
    expect(await say('alice', 'What is iron?')).toContain('Coming from rust');
    const path = `/api/conversations/${conversation_id}`;
    const turns = async (who: string) =>
      ((await json(await b.ask(who, path))) as { turns: { role: string; message: string }[] }).turns
        .filter(({ role }) => role === 'user')
        .map(({ message }) => message);
    expect(await turns('alice')).toEqual(['What is rust?', 'What is iron?']);
    expect(await turns('bob')).toEqual(['What is copper?']);
    const foreign = await said(await b.ask('carol', `${path}?owner=alice`));
    expect(foreign.status).toBe(404);
    expect(foreign).toEqual(await said(await b.ask('carol', `/api/conversations/${id()}?owner=alice`)));
    expect((await b.ask('root', `${path}?owner=alice`)).status).toBe(200);
  });

  it('who runs what is told to its owner alone; of calls others learn figures', async () => {
    const [a, b] = await serve({ LOG_CONTENT: 'true' });
    const [message_id, conversation_id] = [id(), id()];
    await a.begin('alice', { message_id, conversation_id });
    await done(a, 'alice', message_id);
    await eventually('the calls are told', async () => {
      const { entries: told } = await entries(b, 'bob', 'channels=logs:generation');
      return told.length === 6;
    });
    const all = await entries(b, 'bob', 'channels=*');
    for (const word of [message_id, conversation_id, 'tides', 'llm-1', 'llm-combine', 'alice'])
      expect(JSON.stringify(all)).not.toContain(word);
    const finished = all.entries.find(({ msg }) => msg === 'model call finished');
    expect(finished?.attrs?.['gen_ai.usage.output_tokens']).toBeGreaterThan(1);
    expect((await entries(b, 'alice', 'channels=events:runs:alice')).entries.map(({ run }) => run)).toEqual([
      message_id,
      message_id,
    ]);
    expect((await b.ask('bob', '/api/entries?channels=events:runs:alice')).status).toBe(403);
    expect((await entries(b, 'bob', 'channels=events:runs:*')).entries).toEqual([]);
    expect((await entries(b, 'root', 'channels=events:runs')).entries).toEqual([]);
  });

  it('16: run= picks among what one may read: it neither widens nor tells', async () => {
    const [a, b] = await serve();
    const message_id = id();
    await a.begin('alice', { message_id });
    await done(a, 'alice', message_id);
    await a.begin('bob', { message_id, message: 'Explain rain' });
    await done(a, 'bob', message_id);
    const found = async (who: string, query: string) =>
      new Set((await entries(b, who, query)).entries.map(({ channel }) => channel));
    expect(await found('bob', `channels=runs:*&run=${message_id}`)).toEqual(
      new Set([`runs:bob/${message_id}`]),
    );
    expect(await found('bob', `channels=*&run=${message_id}`)).toEqual(new Set());
    expect(
      (await b.ask('bob', `/api/entries?channels=runs:alice/${message_id}&run=${message_id}`)).status,
    ).toBe(403);
    expect(await found('root', `channels=runs:*&run=${message_id}`)).toEqual(
      new Set([`runs:alice/${message_id}`, `runs:bob/${message_id}`]),
    );
  });

  it('15: a gap names no channel that one may not read', async () => {
    const [a, b] = await serve({ RETENTION_ENTRIES: '100' });
    const channel = 'runs:alice/long';
    const says = (msg: string) => draft({ time: 1, channel, source: 'test', level: 'info', msg });
    const [first] = await a.broker.publish([says('first')]);
    for (let batch = 0; batch < 10; batch++)
      await a.broker.publish(Array.from({ length: 400 }, (_, i) => says(`${batch}-${i}`)));
    const after = `after=${first}`;
    const gaps = async (who: string) => (await entries(b, who, `channels=runs:*,*&${after}`)).gaps;
    expect((await gaps('root')).map((gap) => gap.channel)).toContain(channel);
    expect(await gaps('bob')).toEqual([]);
    expect(await gaps('alice')).toEqual(await gaps('carol'));
  });
});

/** What `audit:refusals` says of runs and conversations, without the numbers. */
const told = async (gateway: OwnedGateway, until: string) =>
  eventually(until, async () => {
    const { entries: found } = await entries(gateway, 'root', 'channels=audit:refusals');
    const lines = found.map(({ msg }) => msg.replace(/, \d+ ×$/, ''));
    return lines.some((line) => line.includes(until)) && [...new Set(lines)].sort();
  });

describe('the audit', () => {
  it('counts what was asked for and is not allowed, though the answer is that it is absent', async () => {
    const gateway = await ownedGateway({}, SILENT_MODELS_MS);
    open.push(gateway);
    const message_id = id();
    await gateway.begin('alice', { message_id });
    for (const who of ['bob', 'alice']) {
      await gateway.ask(who, `/api/runs/${message_id}?owner=alice`);
      await gateway.ask(who, `/api/conversations/x?owner=alice`);
      await gateway.ask(who, `/api/runs/${message_id}/cancel?owner=alice`, POST);
    }
    expect(await told(gateway, 'cancel')).toEqual([
      'refused GET /api/conversations/:id to user:bob: conversation_not_found',
      'refused GET /api/runs/:id to user:bob: run_not_found',
      'refused POST /api/runs/:id/cancel to user:bob: run_not_found',
    ]);
  });
});

describe('AUTH=report', () => {
  it('tells which runs and conversations would be absent, and which lists shorter', async () => {
    const gateway = await ownedGateway({ AUTH: 'report' }, SILENT_MODELS_MS);
    open.push(gateway);
    const message_id = id();
    await gateway.begin('alice', { message_id, conversation_id: 'talk' });
    expect(await runsOf(gateway, 'alice', '?owner=alice')).toHaveLength(1);
    expect(await runsOf(gateway, 'root')).toHaveLength(1);
    expect(await runsOf(gateway, 'bob')).toEqual([`runs:alice/${message_id}`]);
    expect((await gateway.ask('bob', `/api/runs/${message_id}?owner=alice`)).status).toBe(200);
    await gateway.ask('bob', '/api/conversations/talk?owner=alice');
    const stopped = await gateway.ask('bob', `/api/runs/${message_id}/cancel?owner=alice`, POST);
    expect(await json(stopped)).toMatchObject({ state: 'cancelled' });
    expect(await told(gateway, 'cancel')).toEqual([
      'AUTH=on would refuse GET /api/conversations/:id to user:bob: conversation_not_found',
      'AUTH=on would refuse GET /api/runs to user:bob: narrowed',
      'AUTH=on would refuse GET /api/runs/:id to user:bob: run_not_found',
      'AUTH=on would refuse POST /api/runs/:id/cancel to user:bob: run_not_found',
    ]);
  });

  it('leaves runs of people who have not signed in to everybody, who can watch and stop them', async () => {
    const gateway = await ownedGateway({ AUTH: 'report' }, SILENT_MODELS_MS);
    open.push(gateway);
    const message_id = id();
    expect(await json(await gateway.begin('', { message_id }))).toMatchObject({
      channel: `runs:${message_id}`,
    });
    expect(await runsOf(gateway, '')).toEqual([`runs:${message_id}`]);
    expect(await json(await gateway.ask('', `/api/runs/${message_id}/cancel`, POST))).toMatchObject({
      state: 'cancelled',
    });
  });
});

describe('runs from before there were owners', () => {
  it("are an admin's: he finds, reads and lists them, and nobody else does", async () => {
    const shared = { REDIS_URL: redis.url, NAMESPACE: randomNamespace() };
    const before = await ownedGateway({ ...shared, AUTH: 'off' }, 0);
    const message_id = id();
    await before.begin('', { message_id, conversation_id: 'talk' });
    await done(before, '', message_id);
    await before.close();
    const after = await ownedGateway(shared, 0);
    open.push(after);
    const path = `/api/runs/${message_id}`;
    expect(await runsOf(after, 'root')).toEqual([`runs:${message_id}`]);
    expect(await runsOf(after, 'root', '?owner=-')).toEqual([`runs:${message_id}`]);
    expect(await json(await after.ask('root', `${path}?owner=-`))).toMatchObject({ state: 'finished' });
    expect((await after.ask('root', '/api/conversations/talk?owner=-')).status).toBe(200);
    for (const who of ['alice', 'carol']) {
      expect((await after.ask(who, path)).status).toBe(404);
      expect((await after.ask(who, `${path}?owner=-`)).status).toBe(404);
      expect((await after.ask(who, '/api/conversations/talk?owner=-')).status).toBe(404);
      expect(await runsOf(after, who)).toEqual([]);
    }
  });
});
