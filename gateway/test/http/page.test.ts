// GET /: the dashboard as built, under strict headers, at the root or under a base path.
import { afterEach, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';

let gateway: TestGateway;
afterEach(() => gateway.close());

it('serves the page with headers under which only its own scripts run', async () => {
  gateway = await openGateway();
  const response = await fetch(`${gateway.url}/`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch('text/html');
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'self'");
  expect(policy).toContain("object-src 'none'");
  expect(policy).not.toContain('unsafe');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(response.headers.get('cache-control')).toBe('no-cache');
});

it('every file that the page names is there, and may be cached without limit', async () => {
  gateway = await openGateway();
  const page = await (await fetch(`${gateway.url}/`)).text();
  const files = [...page.matchAll(/(?:src|href)="([^"]*assets[^"]*)"/g)].map(([, file]) => file as string);
  expect(files.length).toBeGreaterThan(1);
  for (const file of files) {
    const response = await fetch(new URL(file, `${gateway.url}/`));
    expect(response.status, file).toBe(200);
    expect(response.headers.get('cache-control')).toContain('immutable');
    expect(response.headers.get('content-type')).toMatch(/javascript|css/);
  }
});

it('works under a base path, with probes also at the root', async () => {
  gateway = await openGateway({ AUTH: 'off', BASE_PATH: '/logs' });
  const root = `http://127.0.0.1:${gateway.port}`;
  for (const path of ['/logs/', '/logs/healthz', '/logs/api/channels', '/healthz', '/readyz'])
    expect((await fetch(`${root}${path}`)).status, path).toBe(200);
  for (const path of ['/', '/api/channels', '/stream'])
    expect((await fetch(`${root}${path}`)).status, path).toBe(404);
  const page = await (await fetch(`${root}/logs/`)).text();
  const [, script = ''] = /src="([^"]*assets[^"]*)"/.exec(page) ?? [];
  expect((await fetch(new URL(script, `${root}/logs/`))).status).toBe(200);
  const viewer = await gateway.view('channels=a');
  await viewer.saw('live');
  viewer.vanish();
});

it('a base path without its slash leads to the page', async () => {
  gateway = await openGateway({ AUTH: 'off', BASE_PATH: '/logs' });
  const response = await fetch(`${gateway.url}?channels=a`);
  expect(response.status).toBe(200);
  expect(response.url).toBe(`${gateway.url}/?channels=a`);
});
