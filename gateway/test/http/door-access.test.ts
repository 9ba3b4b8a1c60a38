// Who may call through the door, with which key, and where to: nothing of this gateway reaches a service, and no service is reached
// that nobody has named.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openGateway } from '../../../test-support/gateway.ts';
import { freePort } from '../../../test-support/redis.ts';
import { makeApiKey } from '../../src/auth/credentials/api-keys.ts';
import type { Grants } from '../../src/auth/principal.ts';
import { FileAuthStore } from '../../src/auth/store/file-auth-store.ts';
import { rawCall } from '../door/raw-call.ts';
import { ScriptedService, wire } from '../door/scripted-service.ts';
import { openAuthGateway } from './auth-gateway.ts';
import { openDoor, promptsFile, type UpstreamSetting } from './door-gateway.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const DONE = wire(
  ['Content-Type: text/event-stream', 'Set-Cookie: llm-streamer=evil', 'Access-Control-Allow-Origin: *'],
  ['data: {"choices":[{"delta":{"content":"secret text"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'],
);

async function service(): Promise<ScriptedService> {
  const one = await ScriptedService.open(({ socket }) => void socket.end(DONE));
  closing.push(() => one.close());
  return one;
}

async function door(
  upstreams: string | UpstreamSetting[],
  env: Record<string, string> = {},
  store?: FileAuthStore,
) {
  const gateway = await openDoor(upstreams, env, store);
  closing.push(() => gateway.close());
  return gateway;
}

async function keyIn(
  store: FileAuthStore,
  grants: Partial<Grants> = { run: true },
  source?: string,
): Promise<string> {
  const { id, key, digest } = makeApiKey();
  await store.addKey({
    id,
    digest,
    name: `bot-${id}`,
    grants: { read: [], publish: [], run: false, metrics: false, admin: false, ...grants },
    ...(source !== undefined && { source }),
    created: Date.now(),
    expires: Date.now() + 3_600_000,
    lastUsed: 0,
  });
  return key;
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** node:http, because fetch lets a test choose neither Host nor Origin. */
function call(
  v1: string,
  headers: Record<string, string> = {},
  body: string | Buffer = '{"model":"m"}',
  path = '/chat/completions',
  method = 'POST',
) {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = { 'content-type': 'application/json', ...headers };
  const asked = httpRequest(`${v1}${path}`, { method, headers: sent, agent: false }, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
  });
  asked.on('error', reject).end(method === 'GET' ? undefined : body);
  return promise;
}

const codeOf = ({ body }: Answer) =>
  (JSON.parse(body) as { error: { code: string; type: string; message: string } }).error;

describe('keys', () => {
  it('where nobody signs in, the client’s own key goes to a service without one, and the gateway’s to a service with one', async () => {
    const [own, other] = [await service(), await service()];
    process.env.DOOR_TEST_KEY = 'sk-gateway';
    closing.push(() => delete process.env.DOOR_TEST_KEY);
    const { v1 } = await door([
      { name: 'default', base_url: own.baseUrl },
      { name: 'paid', base_url: other.baseUrl, key_env: 'DOOR_TEST_KEY' },
    ]);
    await call(v1, { authorization: 'Bearer sk-client' });
    await call(
      v1,
      { authorization: 'Bearer sk-client', 'api-key': 'sk-client' },
      '{"model":"paid/m", "n":1}',
    );
    expect(own.requests[0]?.headers.authorization).toBe('Bearer sk-client');
    expect(other.requests[0]?.headers).toMatchObject({ authorization: 'Bearer sk-gateway' });
    expect(JSON.stringify(other.requests[0]?.headers)).not.toContain('sk-client');
    expect(other.requests[0]?.body.toString()).toBe('{"model":"m", "n":1}');
  });

  it('where people sign in, a key of the gateway opens the door, and never passes it', async () => {
    const upstream = await service();
    const store = FileAuthStore.inMemory();
    const key = await keyIn(store);
    const { v1 } = await door(upstream.baseUrl, { AUTH: 'on' }, store);
    const basic = `Basic ${Buffer.from(`x:${key}`).toString('base64')}`;
    for (const authorization of [`Bearer ${key}`, basic])
      expect((await call(v1, { authorization, cookie: 'a=b', 'x-also': key })).status).toBe(200);
    expect(upstream.requests).toHaveLength(2);
    for (const { headers } of upstream.requests)
      expect([headers.authorization, headers.cookie, headers['x-also']]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
  });

  it('a client that has gone while its key was looked up costs the service nothing', async () => {
    const upstream = await service();
    const store = FileAuthStore.inMemory();
    const [key, other] = [await keyIn(store), await keyIn(store)];
    const { promise: free, resolve: release } = Promise.withResolvers<void>();
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const find = store.keyByDigest.bind(store);
    let isFirst = true;
    store.keyByDigest = async (digest) => {
      if (!isFirst) return find(digest);
      isFirst = false;
      ask();
      await free;
      return find(digest);
    };
    const { v1, port } = await door(upstream.baseUrl, { AUTH: 'on' }, store);
    const closed = Promise.withResolvers<void>();
    const onSocket = (message: unknown) =>
      (message as { socket: Socket }).socket.once('close', () => closed.resolve());
    subscribe('net.server.socket', onSocket);
    closing.push(() => unsubscribe('net.server.socket', onSocket));
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${key}\r\n\r\n`,
    );
    await asked;
    socket.destroy();
    await closed.promise;
    release();
    await call(v1, { authorization: `Bearer ${other}` });
    expect(upstream.requests).toHaveLength(1);
  });

  it('a client with both keys sends the gateway’s in a header of its own, and its own to the service', async () => {
    const upstream = await service();
    process.env.DOOR_TEST_KEY = 'sk-gateway';
    closing.push(() => delete process.env.DOOR_TEST_KEY);
    const store = FileAuthStore.inMemory();
    const key = await keyIn(store);
    const named = [{ name: 'default', base_url: upstream.baseUrl, key_env: 'DOOR_TEST_KEY' }];
    const { v1 } = await door(named, { AUTH: 'on' }, store);
    await call(v1, { authorization: 'Bearer sk-client', 'llm-streamer-key': key });
    await call(v1, { 'llm-streamer-key': key });
    expect(upstream.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer sk-client',
      'Bearer sk-gateway',
    ]);
    expect(JSON.stringify(upstream.requests.map(({ headers }) => headers))).not.toContain(key);
  });

  it('without a key, with a wrong one, or with one that starts no runs, there is no call, and the answer has the form of the protocol', async () => {
    const upstream = await service();
    const store = FileAuthStore.inMemory();
    const reader = await keyIn(store, { read: ['*'] });
    const { v1 } = await door(upstream.baseUrl, { AUTH: 'on' }, store);
    const refused = [
      [{}, 401, 'unauthorized'],
      [{ authorization: 'Bearer sk-client' }, 401, 'unauthorized'],
      [{ authorization: 'Bearer sk-client', 'llm-streamer-key': 'lls_wrong' }, 401, 'unauthorized'],
      [{ authorization: `Bearer ${reader}` }, 403, 'forbidden'],
    ] as const;
    for (const [headers, status, code] of refused) {
      const answer = await call(v1, headers);
      expect([answer.status, codeOf(answer)]).toMatchObject([
        status,
        { code, type: 'invalid_request_error' },
      ]);
    }
    expect((await call(v1, {}, '', '/models', 'GET')).status).toBe(401);
    expect(upstream.requests).toEqual([]);
  });

  it('a key of the gateway in the query is refused, because the service would get it', async () => {
    const upstream = await service();
    const { v1 } = await door(upstream.baseUrl);
    const answer = await call(v1, {}, '{}', `/chat/completions?key=${makeApiKey().key}`);
    expect([answer.status, codeOf(answer).code, upstream.requests.length]).toEqual([400, 'invalid_query', 0]);
  });

  it('where refusals are only reported, a foreign key passes as the client’s own, and one of the gateway does not', async () => {
    const upstream = await service();
    const store = FileAuthStore.inMemory();
    const key = await keyIn(store);
    const { v1 } = await door(upstream.baseUrl, { AUTH: 'report' }, store);
    await call(v1, { authorization: 'Bearer sk-client' });
    await call(v1, { authorization: `Bearer ${key}` });
    expect(upstream.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer sk-client',
      undefined,
    ]);
  });
});

describe('whose call it is', () => {
  it('texts are on the caller’s own channel, which others do not read; figures are told to all', async () => {
    const upstream = await service();
    const file = promptsFile([{ name: 'default', base_url: upstream.baseUrl }]);
    closing.push(() => file.remove());
    const gateway = await openAuthGateway({ PROMPTS_FILE: file.path });
    closing.push(() => gateway.close());
    const [alice, bob] = [await gateway.signedIn('alice'), await gateway.signedIn('bob')];
    // A page has no key, only its cookie.
    expect((await alice.post('/v1/chat/completions', { model: 'm', stream: true })).status).toBe(200);
    const read = async (browser: typeof alice, channels: string) =>
      JSON.stringify((await browser.ask(`/api/entries?channels=${channels}`)).body);
    await expect.poll(() => read(alice, 'runs:alice/*')).toContain('generation.finished');
    expect(await read(alice, 'runs:alice/*')).toContain('secret text');
    expect(await read(alice, 'events:runs:alice')).toContain('generation.finished');
    expect(await read(bob, 'runs:alice/*')).toContain('channel_forbidden');
    const told = await read(bob, 'logs:generation');
    expect(told).toContain('generation.finished');
    expect(told).not.toMatch(/secret text|call-/);
    expect(upstream.requests[0]?.headers.cookie).toBeUndefined();
  });

  it.each([
    ['the source of a key', 'gpu-7', {}, 'gpu-7'],
    ['a header, within the pattern of the key', 'gpu-*', { 'llm-streamer-source': 'gpu-9' }, 'gpu-9'],
    [
      'the name of the key, if its pattern allows neither that nor what the client says',
      'gpu-*',
      { 'llm-streamer-source': 'cpu-1' },
      expect.stringMatching(/^bot-/),
    ],
    ['a header without a key', undefined, { 'llm-streamer-source': 'nightly job' }, 'nightly job'],
    [
      'the name of the program',
      undefined,
      { 'user-agent': 'AsyncOpenAI/Python 2.1.0' },
      'AsyncOpenAI/Python',
    ],
    ['the protocol, if the program says nothing', undefined, { 'user-agent': '{"x":1}' }, 'openai'],
  ])('its source is %s', async (_, source, headers, expected) => {
    const upstream = await service();
    const store = FileAuthStore.inMemory();
    const gateway = await door(upstream.baseUrl, { AUTH: source === undefined ? 'off' : 'on' }, store);
    const key = source !== undefined && {
      authorization: `Bearer ${await keyIn(store, { run: true }, source)}`,
    };
    await call(gateway.v1, { ...headers, ...key });
    expect((await gateway.calls())[0]?.source).toEqual(expected);
  });
});

describe('from where', () => {
  it('a program may use any name of the gateway; a page may not, and neither may another site', async () => {
    const upstream = await service();
    const { v1 } = await door(upstream.baseUrl, { CORS_ORIGINS: 'https://board.example' });
    const statuses = async (headers: Record<string, string>) => (await call(v1, headers)).status;
    expect(await statuses({ host: 'gateway:8000' })).toBe(200);
    expect(await statuses({ host: 'evil.example', origin: 'http://evil.example' })).toBe(403);
    expect(await statuses({ host: 'evil.example', 'sec-fetch-site': 'same-origin' })).toBe(403);
    expect(await statuses({ origin: 'https://evil.example' })).toBe(403);
    const listed = await call(v1, { host: 'evil.example' }, '', '/models', 'GET');
    expect([listed.status, codeOf(listed).code]).toEqual([403, 'host_forbidden']);
  });

  it('a site that is allowed reads the answer, by the gateway’s word and not the service’s', async () => {
    const upstream = await service();
    const origin = 'https://board.example';
    const { v1 } = await door(upstream.baseUrl, { CORS_ORIGINS: origin });
    const { headers } = await call(v1, { origin });
    expect(headers).toMatchObject({
      'access-control-allow-origin': origin,
      'x-content-type-options': 'nosniff',
    });
    expect(headers['content-security-policy']).toContain('sandbox');
    expect(headers['set-cookie']).toBeUndefined();
    const asks = {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,x-stainless-lang',
    };
    const preflight = await call(v1, asks, '', '/chat/completions', 'OPTIONS');
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, origin]);
    expect(preflight.headers['access-control-allow-headers']).toContain('x-stainless-lang');
  });

  it('without a list of sites, the word of a service opens nothing', async () => {
    const upstream = await service();
    const { v1 } = await door(upstream.baseUrl);
    const { headers } = await call(v1, {});
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('where to', () => {
  it('what is beside the five paths is not there, and the paths of OpenTelemetry are still its own', async () => {
    const upstream = await service();
    const { v1 } = await door(upstream.baseUrl);
    for (const path of ['/files', '/chat/completions/../../admin', '/chat/completions/x', '/models/%2e%2e/x'])
      expect((await call(v1, {}, '{}', path)).status, path).toBe(404);
    expect((await call(v1, {}, '{}', '/traces')).body).toBe('{}');
    expect(upstream.requests).toEqual([]);
  });

  it('a service that is not there is an error of the protocol, without an address', async () => {
    const upstream = await service();
    const { baseUrl } = upstream;
    const gateway = await door(baseUrl);
    closing.splice(0, 1);
    await upstream.close();
    const answer = await call(gateway.v1);
    expect([answer.status, codeOf(answer)]).toMatchObject([
      502,
      { code: 'service_unreachable', type: 'server_error' },
    ]);
    expect(answer.headers['retry-after']).toBe('2');
    expect(answer.body).not.toContain(new URL(baseUrl).port);
    expect((await gateway.calls()).at(-1)?.attrs).toMatchObject({ 'error.type': 'llm_unreachable' });
  });

  it.each([
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['headers without end', `HTTP/1.1 200 OK\r\n${'X-A: a\r\n'.repeat(20_000)}`],
    ['no status of HTTP', 'HTTP/1.1 001 One\r\nContent-Length: 0\r\n\r\n'],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n'],
  ])('a service that answers %s is one that is not there', async (_, bytes) => {
    const upstream = await ScriptedService.open(({ socket }) => void socket.end(bytes));
    closing.push(() => upstream.close());
    const { v1 } = await door(upstream.baseUrl);
    expect(codeOf(await call(v1)).code).toBe('service_unreachable');
  });

  it('a gateway that is its own upstream ends the loop', async () => {
    const port = await freePort();
    const gateway = await door(`http://127.0.0.1:${port}/v1`, { PORT: `${port}` });
    const answer = await call(gateway.v1);
    expect([answer.status, codeOf(answer).code]).toEqual([508, 'call_loop']);
  });
});

describe('how much', () => {
  it('a body over the limit is refused, and one below it passes whole', async () => {
    const upstream = await service();
    const { v1 } = await door(upstream.baseUrl);
    const large = Buffer.from(`{"messages":"${'a'.repeat(30_000_000)}","model":"m"}`);
    expect((await call(v1, {}, large)).status).toBe(200);
    expect(upstream.requests[0]?.body.equals(large)).toBe(true);
    const tooLarge = await call(v1, {}, Buffer.alloc(34_000_000, 'a'));
    expect([tooLarge.status, codeOf(tooLarge).code]).toEqual([413, 'body_too_large']);
  });

  it('a packed body is refused, because its model could not be read', async () => {
    const upstream = await service();
    const { v1 } = await door(upstream.baseUrl);
    const answer = await call(v1, { 'content-encoding': 'gzip' });
    expect([answer.status, codeOf(answer).code]).toEqual([415, 'unsupported_encoding']);
  });

  it('a client that says more than it sends holds nothing', async () => {
    const upstream = await service();
    const { v1, url } = await door(upstream.baseUrl);
    const { port, hostname } = new URL(v1);
    for (let i = 0; i < 20; i++) {
      const asked = httpRequest({
        port,
        hostname,
        path: '/v1/chat/completions',
        method: 'POST',
        headers: { 'content-length': 20_000_000 },
      });
      asked.on('error', () => {});
      asked.write(Buffer.alloc(1_000_000));
      asked.destroy();
    }
    expect((await call(v1)).status).toBe(200);
    expect((await fetch(`${url}/healthz`)).ok).toBe(true);
  });
});

it('a service of the runs needs no upstreams: the simulator answers', async () => {
  const gateway = await openGateway();
  closing.push(() => gateway.close());
  const answer = await rawCall(`${gateway.url}/v1`, '/models', []);
  expect(answer.body.toString()).toContain('sim-1');
});
