// The contract of all that turns a credential into a principal: keys, sessions, tokens of an issuer, headers of a proxy.

import type { Principal } from '../principal.ts';

export interface CredentialCheck {
  /**
   * Undefined if the credential is not valid: unknown, expired, revoked, malformed. Why not is for the operator's log only.
   * @throws BrokerUnavailable if that cannot be found out now, which is never an answer `401`.
   */
  principalOf(credential: string): Promise<Principal | undefined>;
}
