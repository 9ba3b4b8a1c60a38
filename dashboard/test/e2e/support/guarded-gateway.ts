// A gateway where people sign in, with people in it: made with the bootstrap key, as an installation without hands would.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Gateway, startGateway } from './gateway.ts';

export const PASSWORD = 'correct horse battery';

export interface GuardedGateway extends Gateway {
  /** Asks as the admin that was there first, by his session's token. */
  asAdmin(method: string, path: string, body?: object): Promise<Response>;
}

/** `root` is an admin; the role `b-reader` reads `logs:b*` alone. */
export async function startGuardedGateway(env: Record<string, string> = {}): Promise<GuardedGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'llm-streamer-people-'));
  const keyFile = join(folder, 'key');
  const bootstrap = 'b'.repeat(40);
  await writeFile(keyFile, bootstrap, { mode: 0o600 });
  const gateway = await startGateway({
    AUTH: 'on',
    AUTH_BOOTSTRAP_KEY_FILE: keyFile,
    AUTH_FILE: join(folder, 'people.json'),
    ...env,
  });
  let token = bootstrap;
  const asAdmin = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${gateway.url}/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return response;
  };
  await asAdmin('POST', 'api/roles', { name: 'b-reader', read: ['logs:b*'] });
  // The bootstrap key ends with the first person, so he is the last that it makes.
  await asAdmin('POST', 'api/users', { name: 'root', password: PASSWORD, role: 'admin' });
  const login = await fetch(`${gateway.url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: gateway.url },
    body: JSON.stringify({ name: 'root', password: PASSWORD }),
  });
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
  const made = await fetch(`${gateway.url}/auth/token`, {
    method: 'POST',
    headers: { cookie, origin: gateway.url, 'content-type': 'application/json' },
    body: '{}',
  });
  token = ((await made.json()) as { token: string }).token;
  return {
    ...gateway,
    asAdmin,
    async publish(...entries) {
      const response = await asAdmin('POST', 'api/publish', entries);
      return ((await response.json()) as { ids: string[] }).ids;
    },
    async stop() {
      await gateway.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
