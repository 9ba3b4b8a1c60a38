// Makes the parts that say who asks and what he may do, from the configuration: the checks of each kind of credential, the gate that
// every request passes, and the audit.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { Audit } from './auth/audit.ts';
import {
  Authenticator,
  type BearerChecks,
  type CredentialKind,
  type HeaderCheck,
} from './auth/authenticator.ts';
import { wayIn } from './auth/config.ts';
import { BootstrapKey, readBootstrapKey } from './auth/credentials/bootstrap-key.ts';
import { Gate } from './auth/gate.ts';
import { RefusalLog } from './auth/refusal-log.ts';
import type { Config } from './config.ts';

export interface Auth {
  gate: Gate;
  audit: Audit;
  close(): Promise<void>;
}

/** The checks of all kinds of credentials, and what they need to know and to tell. */
export interface CredentialChecks {
  bearer: BearerChecks;
  headers?: readonly HeaderCheck[];
  /** Tells the bootstrap key whether there is anybody. */
  users?: () => Promise<readonly unknown[]>;
  /** Called for each credential that is not valid. @throws CodedError `too_many_attempts` */
  onInvalid?: (kind: CredentialKind, address: string) => Promise<void>;
}

/** @throws CodedError `invalid_config` */
export function composeAuth(
  config: Config,
  broker: Broker,
  gateway: string,
  logger: Logger,
  { bearer, headers = [], users = async () => [], onInvalid }: CredentialChecks,
): Auth {
  const { AUTH: mode, AUTH_ANONYMOUS: anonymous, AUTH_BOOTSTRAP_KEY_FILE: path } = config;
  const audit = new Audit(broker, gateway, logger);
  const bootstrap =
    path === undefined || mode === 'off' ? undefined : new BootstrapKey(readBootstrapKey(path), { users });
  const authenticator = new Authenticator(
    { ...bearer, bootstrap },
    headers,
    new RefusalLog(logger, 'a credential'),
  );
  if (config.isOpenOnPurpose) {
    const way = wayIn(config);
    const why = way === undefined ? 'AUTH is off' : `AUTH is off and ${way}`;
    logger.warn(`${why}: whoever reaches this gateway may read and write everything`);
  }
  if (mode === 'report')
    logger.warn(
      'AUTH=report: everything is allowed; the channel audit:refusals says what AUTH=on would refuse',
    );
  return {
    gate: new Gate({ mode, authenticator, audit, anonymous, onInvalid }),
    audit,
    close: () => audit.close(),
  };
}
