// A browser's session cookie has the strictest form that its connection allows.

import { describe, expect, it } from 'vitest';
import { SessionCookie } from '../../../src/auth/credentials/session-cookie.ts';

const TOKEN = 'lst_0123456789012345678901234567890123456789012';

function written(cookie: SessionCookie, host: string, protocol = 'http'): string {
  const headers = new Map<string, string>();
  const reply = { header: (name: string, value: string) => headers.set(name, value) };
  cookie.set({ headers: { host }, protocol }, reply, TOKEN, Date.now() + 60_500);
  return headers.get('set-cookie') ?? '';
}

describe('the session cookie', () => {
  it('is for this gateway alone where there is no https: its name holds the port', () => {
    const cookie = new SessionCookie({ basePath: '' });
    expect(written(cookie, '127.0.0.1:8000')).toBe(
      `llm-streamer-8000=${TOKEN}; Max-Age=60; Path=/; HttpOnly; SameSite=Strict`,
    );
    expect(written(cookie, 'localhost:8001')).toMatch(/^llm-streamer-8001=/);
  });

  it('is bound to the host by its name where the public address or a trusted proxy has https', () => {
    const cookie = new SessionCookie({ basePath: '', publicUrl: 'https://logs.example.com' });
    const header = written(cookie, 'logs.example.com');
    expect(header).toMatch(/^__Host-llm-streamer=/);
    expect(header).toMatch(/; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
    expect(written(new SessionCookie({ basePath: '' }), 'logs.example.com', 'https')).toMatch(/^__Host-/);
    expect(written(new SessionCookie({ basePath: '' }), 'logs.example.com:8443', 'https')).toMatch(
      /^__Host-llm-streamer-8443=/,
    );
  });

  it('keeps to its base path, which __Host- would not allow', () => {
    const cookie = new SessionCookie({ basePath: '/logs' });
    expect(written(cookie, 'example.com', 'https')).toMatch(/^__Secure-llm-streamer=.*; Path=\/logs\/;/);
  });

  it('works on the address of the gateway itself beside a public one', () => {
    const cookie = new SessionCookie({ basePath: '', publicUrl: 'https://logs.example.com' });
    expect(written(cookie, '127.0.0.1:8000')).toMatch(
      /^llm-streamer-8000=[^;]*; Max-Age=60; Path=\/; HttpOnly; SameSite/,
    );
  });

  it('is read back among others, and an empty one is none', () => {
    const cookie = new SessionCookie({ basePath: '' });
    const read = (text: string, host = '127.0.0.1:8000') =>
      cookie.read({ headers: { cookie: text, host }, protocol: 'http' });
    expect(read(`a=1; llm-streamer-8000=${TOKEN}; llm-streamer-8001=other`)).toBe(TOKEN);
    expect(read(`llm-streamer-8000=${TOKEN}`, '127.0.0.1:8001')).toBeUndefined();
    expect(read('llm-streamer-8000=')).toBeUndefined();
    expect(read('__proto__=x')).toBeUndefined();
  });
});
