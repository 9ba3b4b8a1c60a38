// For tests: a real OpenID provider (oidc-provider) at localhost, a gateway's routes at 127.0.0.1, which is another site, and browsers
// that follow redirects and keep cookies as real ones do.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLogger, type Logger } from '@llm-streamer/shared/logger.ts';
import { parseSetCookie } from 'cookie';
import { type FastifyInstance, fastify } from 'fastify';
import { Provider } from 'oidc-provider';
import { z } from 'zod';
import { MemoryAttempts } from '../../../src/auth/attempt-counter.ts';
import { Authenticator } from '../../../src/auth/authenticator.ts';
import { SessionCookie } from '../../../src/auth/credentials/session-cookie.ts';
import { Sessions } from '../../../src/auth/credentials/sessions.ts';
import { Gate } from '../../../src/auth/gate.ts';
import { type OidcSignIn, oidcSignIn } from '../../../src/auth/sign-in/oidc.ts';
import type { AuthStore } from '../../../src/auth/store/auth-store.ts';
import { Throttle } from '../../../src/auth/throttle.ts';
import { oidcVariables } from '../../../src/auth/ways-config.ts';
import { oidcRoutes } from '../../../src/http/auth/oidc.ts';
import { authorization } from '../../../src/http/plugins/authorization.ts';
import { problems } from '../../../src/http/plugins/problems.ts';

export const SECRET = 'the secret of the gateway';

export async function listen(
  host: string,
  server = createServer(),
): Promise<{ server: Server; url: string }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://${host}:${(server.address() as AddressInfo).port}` };
}

export async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** The claims of people, who are called as they sign in. */
export const PEOPLE: Record<string, Record<string, unknown>> = {
  alice: {
    groups: ['developers', 'others'],
    preferred_username: 'Alice A.',
    email: 'alice@example.com',
    email_verified: true,
  },
  bob: { groups: ['others'], email: 'bob@example.com', email_verified: false },
  carol: { groups: 'developers' },
  dave: {},
  erin: { groups: [7] },
};

export class TestProvider {
  readonly issuer: string;
  /** Paths of requests, in the order in which they came. */
  readonly asked: string[] = [];
  readonly #server: Server;

  private constructor(server: Server, url: string, callbacks: string[]) {
    this.#server = server;
    this.issuer = url;
    const provider = new Provider(url, {
      clients: [
        {
          client_id: 'streamer',
          client_secret: SECRET,
          redirect_uris: callbacks,
          response_types: ['code'],
          grant_types: ['authorization_code'],
        },
      ],
      claims: {
        openid: ['sub'],
        profile: ['preferred_username'],
        groups: ['groups'],
        email: ['email', 'email_verified'],
      },
      scopes: ['openid', 'profile', 'groups', 'email'],
      pkce: { required: () => true },
      findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id, ...PEOPLE[id] }) }),
      cookies: { keys: ['test'] },
    });
    const handle = provider.callback();
    server.on('request', (request, response) => {
      this.asked.push((request.url ?? '').split('?')[0] as string);
      handle(request, response);
    });
  }

  static async start(callbacks: string[]): Promise<TestProvider> {
    const { server, url } = await listen('localhost');
    return new TestProvider(server, url, callbacks);
  }

  stop(): Promise<void> {
    return stop(this.#server);
  }
}

export interface TestGateway {
  url: string;
  app: FastifyInstance;
  audited: string[];
  /** What makes a session of what comes back. */
  oidc: OidcSignIn;
}

interface GatewayOptions {
  issuer: string;
  store: AuthStore;
  variables?: Record<string, string>;
  /** Where browsers are sent back, if it is not this gateway itself. */
  publicUrl?: string;
  logger?: Logger;
}

/** The routes of the sign-in, a page, and a route that says who asks, behind the gate of the gateway. */
export async function startGateway(
  server: Server,
  url: string,
  options: GatewayOptions,
): Promise<TestGateway> {
  const {
    issuer,
    store,
    variables,
    publicUrl = url,
    logger = createLogger('test', 'silent', true),
  } = options;
  const config = z.object(oidcVariables).parse({
    OIDC_ISSUER: issuer,
    OIDC_CLIENT_ID: 'streamer',
    OIDC_CLIENT_SECRET: SECRET,
    OIDC_ROLES: 'developers=member,ops=admin,alice@example.com=viewer,bob@example.com=viewer',
    ...variables,
  });
  const sessions = new Sessions(store);
  const cookie = new SessionCookie({ basePath: '', publicUrl });
  const audited: string[] = [];
  const app = fastify({ serverFactory: (handle) => server.on('request', handle) });
  problems(app);
  const authenticator = new Authenticator({}, [
    {
      find: ({ headers }) => {
        const token = cookie.read({
          headers: headers as { cookie?: string; host?: string },
          protocol: 'http',
        });
        return token === undefined
          ? undefined
          : { kind: 'session', principal: () => sessions.principalOf(token) };
      },
    },
  ]);
  authorization(
    app,
    new Gate({ mode: 'on', authenticator, audit: { refused: () => {} }, anonymous: [] }),
    undefined,
  );
  const oidc = oidcSignIn({ ...config, PUBLIC_URL: publicUrl }, store, sessions, logger) as OidcSignIn;
  oidcRoutes(app, {
    oidc,
    cookie,
    publicUrl,
    throttle: new Throttle(new MemoryAttempts()),
    audit: { event: (event, { by = '' }) => void audited.push(`${event} ${by}`.trim()) },
  });
  const open = { config: { needs: 'nothing' as const } };
  app.get('/', open, (_, reply) => reply.type('text/html').send('<!doctype html><title>the page</title>'));
  app.get('/who', { config: { needs: 'signed-in' } }, ({ principal }) => principal);
  await app.ready();
  return { url, app, audited, oidc };
}

/** Follows redirects by hand, and keeps the cookies of each host and port, as a browser does for a navigation. */
export class TestBrowser {
  readonly #cookies = new Map<string, Map<string, string>>();
  /** Where it is, and all URLs on the way. */
  readonly way: string[] = [];

  cookies(url: string): Map<string, string> {
    const { host } = new URL(url);
    const known = this.#cookies.get(host) ?? new Map<string, string>();
    this.#cookies.set(host, known);
    return known;
  }

  /** One request, without what it leads to. */
  async request(url: string, init: RequestInit = {}): Promise<Response> {
    const known = this.cookies(url);
    const cookie = [...known].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...(init.headers as Record<string, string>), ...(cookie !== '' && { cookie }) };
    const answer = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) {
      const { name, value, maxAge, expires } = parseSetCookie(line);
      const isOver = maxAge === 0 || (expires !== undefined && expires.getTime() <= Date.now());
      if (isOver) known.delete(name);
      else known.set(name, value ?? '');
    }
    return answer;
  }

  /** Goes on until a page comes, or until `until` is to be visited; says where it is then. */
  async visit(url: string, until = (_: string) => false, init: RequestInit = {}): Promise<string> {
    let answer = await this.request(url, init);
    for (let at = url; ; ) {
      this.way.push(at);
      const location = answer.headers.get('location');
      if (location !== null) {
        at = new URL(location, at).href;
        if (until(at)) return at;
        answer = await this.request(at);
        continue;
      }
      const page = await answer.text();
      const form = /<form[^>]*action="([^"]*\/interaction\/[^"]*)"/.exec(page)?.[1];
      if (form === undefined) return at;
      const isLogin = page.includes('name="login"');
      const body = new URLSearchParams(
        isLogin ? { prompt: 'login', login: this.name, password: 'x' } : { prompt: 'consent' },
      );
      at = new URL(form, at).href;
      answer = await this.request(at, { method: 'POST', body });
    }
  }

  /** As whom it signs in at the provider. */
  name = 'alice';
}
