// A gateway on which people sign in, with a client that keeps cookies as a browser does. Passwords are hashed once for a test file,
// because a hash takes half a second.

import { type IncomingHttpHeaders, request } from 'node:http';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import type { SseClient } from '../../../test-support/sse-client.ts';
import type { Tuning } from '../../src/app.ts';
import { Sessions } from '../../src/auth/credentials/sessions.ts';
import { Passwords } from '../../src/auth/sign-in/passwords.ts';
import type { AuthStore } from '../../src/auth/store/auth-store.ts';
import { FileAuthStore } from '../../src/auth/store/file-auth-store.ts';

export const PASSWORD = 'correct horse battery';

let hashed: Promise<string> | undefined;

async function passwordHash(): Promise<string> {
  const passwords = new Passwords();
  hashed ??= passwords.hash(PASSWORD).finally(() => passwords.close());
  return hashed;
}

/** Adds a person whose password is PASSWORD. */
export async function addUser(store: AuthStore, name: string, role = 'member'): Promise<void> {
  await store.addUser({
    name,
    passwordHash: await passwordHash(),
    role,
    disabled: false,
    created: Date.now(),
  });
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: what each route answers is what the tests are about
  body: any;
}

export interface AskOptions {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Keeps the cookies that it is given, and says where it comes from, as the gateway's own page does. */
export class Browser {
  readonly #url: URL;
  readonly cookies = new Map<string, string>();
  /** What a page would send with each change; {} for a program. */
  headers: Record<string, string>;

  constructor(url: string) {
    this.#url = new URL(url);
    this.headers = { origin: this.#url.origin };
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  ask(path: string, { method = 'GET', body, headers = {} }: AskOptions = {}): Promise<Answer> {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const sent = {
      ...(method !== 'GET' && this.headers),
      ...(this.cookies.size > 0 && { cookie: this.cookie }),
      ...(text !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    };
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const asked = request(`${this.#url.href.replace(/\/$/, '')}${path}`, {
      method,
      headers: sent,
      agent: false,
    });
    asked.on('response', (response) => {
      let received = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        received += chunk;
      });
      response.on('end', () => {
        for (const line of response.headers['set-cookie'] ?? []) this.#keep(line);
        const json = received.startsWith('{');
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: json ? JSON.parse(received) : received,
        });
      });
    });
    asked.on('error', reject).end(text);
    return promise;
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask(path, { method: 'POST', body, headers });
  }

  login(name: string, password = PASSWORD): Promise<Answer> {
    return this.post('/auth/login', { name, password });
  }

  #keep(line: string): void {
    const [pair = ''] = line.split(';');
    const at = pair.indexOf('=');
    if (/; Max-Age=0/i.test(line)) this.cookies.delete(pair.slice(0, at));
    else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
  }
}

export interface AuthGateway extends TestGateway {
  store: AuthStore;
  browser(): Browser;
  /** A browser in which this person has signed in, without the half second that a password takes. */
  signedIn(name: string): Promise<Browser>;
  watch(browser: Browser, query?: string): Promise<SseClient>;
}

/** With alice (member), bob (member) and root (admin), unless `store` is given. */
export async function openAuthGateway(
  env: Readonly<Record<string, string>> = {},
  store?: AuthStore,
  tuning: Tuning = {},
): Promise<AuthGateway> {
  const people = store ?? FileAuthStore.inMemory();
  if (store === undefined) {
    await addUser(people, 'alice');
    await addUser(people, 'bob');
    await addUser(people, 'root', 'admin');
  }
  const gateway = await openGateway({ AUTH: 'on', ...env }, tuning, people);
  const browser = () => new Browser(gateway.url);
  return {
    ...gateway,
    store: people,
    browser,
    signedIn: async (name) => {
      const one = browser();
      const { token } = await new Sessions(people).begin({ user: name, address: '127.0.0.1', agent: 'test' });
      one.cookies.set(`llm-streamer-${gateway.port}`, token);
      return one;
    },
    watch: (one, query = 'channels=logs*') => gateway.view(query, { headers: { cookie: one.cookie } }),
  };
}
