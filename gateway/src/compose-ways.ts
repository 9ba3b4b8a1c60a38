// Makes the ways in that others vouch for, where the configuration names them: tokens of an issuer, headers of a proxy, an identity
// provider.

import type { Logger } from '@llm-streamer/shared/logger.ts';
import { jwtCheck } from './auth/credentials/jwt.ts';
import { proxyHeaders } from './auth/credentials/proxy-headers.ts';
import { type OidcSignIn, oidcSignIn } from './auth/sign-in/oidc.ts';
import type { AuthStore } from './auth/store/auth-store.ts';
import type { CredentialChecks } from './compose-auth.ts';
import type { PeopleParts } from './compose-people.ts';
import type { Config } from './config.ts';

export interface WayChecks {
  credentials: Required<Pick<CredentialChecks, 'bearer' | 'headers'>>;
  oidc: OidcSignIn | undefined;
  close(): void;
}

/** @throws CodedError `invalid_config` if the file of a secret cannot be read */
export function composeWays(
  config: Config,
  store: AuthStore,
  { services: { sessions }, remember, watch }: Pick<PeopleParts, 'services' | 'remember' | 'watch'>,
  logger: Logger,
): WayChecks {
  const jwt = jwtCheck(config, store, logger);
  jwt?.onKeysGone(() => watch?.doubtTokens());
  const proxy = proxyHeaders(config, store, logger);
  const remembered = proxy && remember(proxy);
  return {
    credentials: {
      bearer: { jwt: jwt && remember(jwt) },
      headers: proxy ? [{ find: (source) => proxy.find(source, remembered) }] : [],
    },
    oidc: oidcSignIn(config, store, sessions, logger),
    close: () => jwt?.close(),
  };
}
