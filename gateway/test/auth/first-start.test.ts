// A first start with AUTH=on and nobody: the page is served, nobody gets in but by the bootstrap key, and what cannot work stops the
// start with one line.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { freePort } from '../../../test-support/redis.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'llm-streamer-first-'));
});
afterAll(() => rm(dir, { recursive: true }));

const KEY = 'bootstrap-key-of-more-than-32-characters';

const start = async (env: Record<string, string>): Promise<{ url: string; gateway: RunningProcess }> => {
  const port = await freePort();
  const gateway = startProcess(['gateway/src/main.ts'], {
    env: { AUTH: 'on', PORT: `${port}`, PRODUCTION: 'true', ...env },
  });
  await gateway.saw('Server listening');
  return { url: `http://127.0.0.1:${port}`, gateway };
};

it('serves the page and nothing else, until somebody is added with the bootstrap key', async () => {
  const path = join(dir, 'key');
  await writeFile(path, `${KEY}\n`);
  const { url, gateway } = await start({
    AUTH_FILE: join(dir, 'people.json'),
    AUTH_BOOTSTRAP_KEY_FILE: path,
  });
  expect((await fetch(url)).status).toBe(200);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await fetch(`${url}/api/entries`)).status).toBe(401);
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  expect((await fetch(`${url}/api/entries?channels=audit:*`, { headers })).status).toBe(200);
  const body = JSON.stringify({ name: 'root', password: 'correct horse battery', role: 'admin' });
  expect((await fetch(`${url}/api/users`, { method: 'POST', headers, body })).ok).toBe(true);
  expect((await fetch(`${url}/api/entries`, { headers })).status).toBe(401);
  expect(await gateway.stop()).toMatchObject({ code: 0 });
  expect(gateway.output).not.toContain(KEY);
});

it('stops with AUTH=report where nobody could ever read what is reported', async () => {
  const gateway = startProcess(['gateway/src/main.ts'], { env: { AUTH: 'report', PORT: '0' } });
  expect(await gateway.exited).toMatchObject({ code: 1 });
  expect(gateway.output).toMatch(
    /^gateway: AUTH=report: nobody could read audit:refusals, [^\n]*; set AUTH_FILE, [^\n]*\n$/,
  );
});

it('stops where nobody could ever be added', async () => {
  const gateway = startProcess(['gateway/src/main.ts'], { env: { AUTH: 'on', PORT: '0' } });
  expect(await gateway.exited).toMatchObject({ code: 1 });
  expect(gateway.output).toMatch(/^gateway: AUTH=on: nobody could sign in; set AUTH_FILE, [^\n]*\n$/);
});
