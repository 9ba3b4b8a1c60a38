// Makes the parts by which people and programs sign in, on the store of people, keys and sessions: the checks of their credentials,
// what slows guessing down, and the watch that ends streams.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { MemoryAttempts, RedisAttempts } from './auth/attempt-counter.ts';
import type { HeaderCheck } from './auth/authenticator.ts';
import { ApiKeys } from './auth/credentials/api-keys.ts';
import type { CredentialCheck } from './auth/credentials/credential-check.ts';
import { PrincipalCache } from './auth/credentials/principal-cache.ts';
import { SessionCookie } from './auth/credentials/session-cookie.ts';
import { SessionUse } from './auth/credentials/session-use.ts';
import { Sessions } from './auth/credentials/sessions.ts';
import { RefusalLog } from './auth/refusal-log.ts';
import { RightsWatch } from './auth/rights/rights-watch.ts';
import { Passwords } from './auth/sign-in/passwords.ts';
import { SignIn } from './auth/sign-in/sign-in.ts';
import type { AuthStore } from './auth/store/auth-store.ts';
import { Throttle } from './auth/throttle.ts';
import type { CredentialChecks } from './compose-auth.ts';
import type { Config } from './config.ts';
import type { AuthServices } from './http/auth/services.ts';

export interface PeopleParts {
  credentials: CredentialChecks & { headers: readonly HeaderCheck[] };
  /** All that the routes need but what is made after the credentials. */
  services: Omit<AuthServices, 'audit' | 'oidcName'>;
  /** Undefined where nobody has rights of his own. */
  watch: RightsWatch | undefined;
  sessionUse: SessionUse;
  /** What a check finds is shared by all who show the same credential, until rights change. */
  remember: (check: CredentialCheck) => CredentialCheck;
  close(): Promise<void>;
}

export function composePeople(config: Config, store: AuthStore, broker: Broker, logger: Logger): PeopleParts {
  const { AUTH: mode, BASE_PATH: basePath, PUBLIC_URL: publicUrl } = config;
  const sessions = new Sessions(store, Date.now, new RefusalLog(logger, 'a session'));
  const caches: PrincipalCache[] = [];
  const remember = (check: CredentialCheck) => {
    const cache = new PrincipalCache(check);
    caches.push(cache);
    return cache;
  };
  const sessionCache = remember(sessions);
  const keyCache = remember(new ApiKeys(store, Date.now, new RefusalLog(logger, 'an API key')));
  const passwords = new Passwords();
  const cookie = new SessionCookie({ basePath, publicUrl });
  const client = broker instanceof RedisBroker ? broker.client('sign-in') : undefined;
  const throttle = new Throttle(
    client === undefined ? new MemoryAttempts() : new RedisAttempts(client, config.NAMESPACE),
  );
  const signIn = new SignIn({ store, sessions, passwords, throttle, logger });
  const watch =
    mode === 'off'
      ? undefined
      : new RightsWatch({
          store,
          forget: (principals) => {
            for (const cache of caches) cache.changed(principals);
          },
          logger,
        });
  if (watch !== undefined && broker instanceof RedisBroker) broker.guard(watch);
  const sessionUse = new SessionUse(store, logger);
  return {
    remember,
    credentials: {
      bearer: { apiKey: keyCache, session: sessionCache },
      headers: [inCookie(cookie, sessionCache)],
      users: () => store.users(),
      onInvalid: (kind, address) =>
        kind === 'session' ? Promise.resolve() : throttle.countCredential(address),
    },
    services: {
      mode,
      store,
      signIn,
      sessions,
      passwords,
      throttle,
      cookie,
      signUpRole: config.AUTH_SIGNUP,
    },
    watch,
    sessionUse,
    close: async () => {
      watch?.close();
      sessionUse.close();
      client?.close();
      await passwords.close();
    },
  };
}

/** A cookie that holds anything else than a session is as invalid as one that is over. */
function inCookie(cookie: SessionCookie, sessions: PrincipalCache): HeaderCheck {
  return {
    find: (request) => {
      const token = cookie.read(request);
      return token === undefined
        ? undefined
        : { kind: 'session', principal: () => sessions.principalOf(token) };
    },
  };
}
