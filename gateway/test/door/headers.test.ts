import { describe, expect, it } from 'vitest';
import { makeApiKey } from '../../src/auth/credentials/api-keys.ts';
import { isOwnCredential, type Outgoing, toClient, toService } from '../../src/door/headers.ts';

const { key } = makeApiKey();
const outgoing: Outgoing = {
  host: 'api.example.com',
  bodyBytes: 2,
  hops: 1,
  key: undefined,
  ownKey: true,
  personal: ['remote-user'],
};
const sent = (headers: string[], more: Partial<Outgoing> = {}) =>
  toService(headers, { ...outgoing, ...more }).slice(2, -4);

describe('towards the service', () => {
  it('the client’s headers pass as they are written, in their order, also twice', () => {
    const headers = [
      'X-Stainless-Lang',
      'js',
      'OpenAI-Beta',
      'a',
      'openai-beta',
      'b',
      'Authorization',
      'Bearer sk-1',
    ];
    expect(sent(headers)).toEqual(headers);
  });

  it.each([
    'Connection',
    'Keep-Alive',
    'Transfer-Encoding',
    'TE',
    'Trailer',
    'Upgrade',
    'Proxy-Authorization',
    'Host',
    'Content-Length',
    'Expect',
    'Cookie',
    'Origin',
    'Referer',
    'Sec-Fetch-Site',
    'X-Forwarded-For',
    'X-Forwarded-User',
    'Forwarded',
    'Via',
    'Remote-User',
    'llm-streamer-source',
    'llm-streamer-hops',
  ])('%s does not pass', (name) => {
    expect(sent([name, 'x', name.toUpperCase(), 'y'])).toEqual([]);
  });

  it('what `Connection` names does not pass', () => {
    expect(sent(['Connection', 'close, X-Secret', 'X-Secret', '1', 'X-Other', '2'])).toEqual([
      'X-Other',
      '2',
    ]);
  });

  it('a key or a session of the gateway passes in no header', () => {
    for (const value of [`Bearer ${key}`, key, 'lst_abc', `x=${key}`])
      expect(sent(['Authorization', value, 'X-Api-Key', value, 'X-Any', value])).toEqual([]);
  });

  it('the gateway’s key takes the place of all keys of the client', () => {
    const headers = ['Authorization', 'Bearer sk-1', 'api-key', 'sk-1', 'X-Api-Key', 'sk-1', 'Accept', '*/*'];
    expect(toService(headers, { ...outgoing, key: 'sk-own' })).toEqual([
      ...['Host', 'api.example.com', 'Accept', '*/*', 'Content-Length', '2'],
      ...['Authorization', 'Bearer sk-own', 'llm-streamer-hops', '1'],
    ]);
  });

  it('what has proved who calls is for the gateway alone', () => {
    expect(sent(['Authorization', 'Bearer a.b.c'], { ownKey: false })).toEqual([]);
  });
});

describe('back to the client', () => {
  it('headers pass as they are written, in their order, also twice', () => {
    const headers = [
      'X-Request-Id',
      '1',
      'x-ratelimit-remaining-tokens',
      '5',
      'Warning',
      'a',
      'Warning',
      'b',
    ];
    expect(toClient(headers, {})).toEqual(headers);
  });

  it.each([
    'Set-Cookie',
    'Strict-Transport-Security',
    'Alt-Svc',
    'Clear-Site-Data',
    'Access-Control-Allow-Origin',
    'Transfer-Encoding',
    'Keep-Alive',
    'Refresh',
  ])('%s of the service does not speak for the gateway’s own site', (name) => {
    expect(toClient([name, 'x'], {})).toEqual([]);
  });
});

it('a credential of the gateway is known by its form, also as the password of Basic', () => {
  const basic = `Basic ${Buffer.from(`any:${key}`).toString('base64')}`;
  expect([`Bearer ${key}`, basic, 'Bearer lst_x1'].every(isOwnCredential)).toBe(true);
  expect(['Bearer sk-proj-1', 'Bearer a.b.c', 'Basic eDp5'].some(isOwnCredential)).toBe(false);
});
