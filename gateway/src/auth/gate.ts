// Decides of each request whether its principal may do what the route needs, in each mode. Nobody is let through by an error: while
// it cannot be found out who somebody is, that is said, and is neither a yes nor a no.

import {
  type ChannelSet,
  channelSets,
  isCovered,
  stepBudget,
  TooManyPatterns,
} from '@llm-streamer/shared/channel-sets.ts';
import { AUDIT_PREFIX } from '@llm-streamer/shared/channels.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { type Access, OPEN_ACCESS, PrincipalAccess, ReportedAccess, signInFirst } from './access.ts';
import type { Audit } from './audit.ts';
import {
  type Authenticator,
  type CredentialKind,
  type CredentialSource,
  InvalidCredential,
} from './authenticator.ts';
import type { AuthMode } from './config.ts';
import { EVERYONE, type Grants, NO_GRANTS, type Principal } from './principal.ts';
import { renewableAs } from './renewal.ts';

/**
 * `nothing`: no credential is looked at. `anyone`: a credential must be valid, but there may be none. `signed-in`: anybody but
 * `anonymous`. `read`, `publish`: a grant for some channel; the route itself looks at the channels of the request. `operate`: an
 * admin, or anybody where nobody signs in.
 */
export type Need =
  | 'nothing'
  | 'anyone'
  | 'signed-in'
  | 'read'
  | 'publish'
  | 'run'
  | 'metrics'
  | 'operate'
  | 'admin';

export interface GateRequest extends CredentialSource {
  needs: Exclude<Need, 'nothing'>;
  /** The method and the path of the route. */
  route: string;
  address: string;
}

/** What everybody may do where `AUTH=report`. The audit is for admins, who are known in this mode. */
const REPORT_GRANTS: Grants = {
  ...EVERYONE.grants,
  read: EVERYONE.grants.read.filter((pattern) => !pattern.startsWith(AUDIT_PREFIX)),
};

export interface GateOptions {
  mode: AuthMode;
  authenticator: Authenticator;
  audit: Pick<Audit, 'refused'>;
  /** What may be read without a credential, and with any. */
  anonymous: readonly string[];
  /** Called for each credential that is not valid. @throws CodedError `too_many_attempts` */
  onInvalid?: ((kind: CredentialKind, address: string) => Promise<void>) | undefined;
}

export class Gate {
  readonly mode: AuthMode;
  readonly #authenticator: Authenticator;
  readonly #audit: Pick<Audit, 'refused'>;
  readonly #anonymous: Principal;
  readonly #public: readonly ChannelSet[];
  readonly #onInvalid: GateOptions['onInvalid'];
  /** Of each principal, the one that also reads what everybody may: rights only add. */
  readonly #withPublic = new WeakMap<Principal, Principal>();
  /** Of each principal, the one that may do everything, so that its connections share that, too. */
  readonly #widened = new WeakMap<Principal, Principal>();
  readonly #everyone: Principal = { ...EVERYONE, grants: REPORT_GRANTS };

  constructor({ mode, authenticator, audit, anonymous, onInvalid }: GateOptions) {
    this.#onInvalid = onInvalid;
    this.mode = mode;
    this.#authenticator = authenticator;
    this.#audit = audit;
    this.#public = channelSets(anonymous, () => undefined);
    this.#anonymous = {
      id: 'anonymous',
      kind: 'anonymous',
      name: 'anonymous',
      owner: '-', // nobody can have this name
      grants: { ...NO_GRANTS, read: anonymous },
      expires: Number.POSITIVE_INFINITY,
    };
  }

  /** @throws CodedError `unauthorized`, `forbidden` or `invalid_header`; BrokerUnavailable while that cannot be known */
  async accessFor(request: GateRequest): Promise<Access> {
    if (this.mode === 'off') return openAccess(request.needs);
    if (this.mode === 'on') return this.#judge(request, false);
    let judged: PrincipalAccess | undefined;
    try {
      judged = await this.#judge(request, true);
    } catch (error) {
      if (!(error instanceof CodedError) || request.needs === 'admin') throw error;
    }
    const tell = (code: string) => this.#tell(request, code, judged?.principal, true);
    return new ReportedAccess(
      this.#widen(judged?.principal),
      judged ?? new PrincipalAccess(this.#anonymous, () => {}),
      tell,
    );
  }

  async #judge(request: GateRequest, allowed: boolean): Promise<PrincipalAccess> {
    let principal: Principal | undefined;
    try {
      const proved = await this.#authenticator.principalOf(request);
      principal = proved === undefined ? this.#anonymous : this.#addPublic(proved);
      if (!may(principal, request.needs))
        throw principal.kind === 'anonymous'
          ? signInFirst()
          : new CodedError('forbidden', `you lack the right ${rightOf(request.needs)}, which this needs`);
    } catch (error) {
      const known = error instanceof CodedError && error.code !== 'broker_unavailable';
      if (known) {
        const credential = error instanceof InvalidCredential ? error.kind : undefined;
        this.#tell(request, error.code, principal, allowed, credential);
        if (credential !== undefined) await this.#onInvalid?.(credential, request.address);
      }
      throw error;
    }
    return new PrincipalAccess(principal, (code) => this.#tell(request, code, principal, allowed));
  }

  #tell(
    { route, address }: GateRequest,
    code: string,
    principal: Principal | undefined,
    allowed: boolean,
    credential?: string,
  ): void {
    const by = principal === undefined || principal.kind === 'anonymous' ? undefined : principal.id;
    this.#audit.refused({ code, route, address, by, credential, allowed });
  }

  #addPublic(principal: Principal): Principal {
    const known = this.#withPublic.get(principal);
    if (known !== undefined) return known;
    const { read } = principal.grants;
    const more = this.#publicBeside(read);
    const both =
      more.length === 0
        ? principal
        : renewableAs(
            principal,
            { ...principal, grants: { ...principal.grants, read: [...read, ...more] } },
            (now) => this.#addPublic(now),
          );
    this.#withPublic.set(principal, both);
    return both;
  }

  /** What everybody may read and `read` does not cover. Where comparing takes too long it is all, which allows nothing more. */
  #publicBeside(read: readonly string[]): readonly string[] {
    const spend = stepBudget();
    try {
      const own = channelSets(read, spend);
      return this.#public.filter((one) => !isCovered(one, own, spend)).map(({ pattern }) => pattern);
    } catch (error) {
      if (error instanceof TooManyPatterns) return this.#anonymous.grants.read;
      throw error;
    }
  }

  #widen(principal: Principal | undefined): Principal {
    if (principal === undefined || principal.kind === 'anonymous') return this.#everyone;
    let wide = this.#widened.get(principal);
    if (!wide) {
      const { admin } = principal.grants;
      const read = admin ? EVERYONE.grants.read : REPORT_GRANTS.read;
      wide = { ...principal, grants: { ...REPORT_GRANTS, read, admin } };
      delete wide.source;
      renewableAs(principal, wide, (now) => this.#widen(now));
      this.#widened.set(principal, wide);
    }
    return wide;
  }
}

/** @throws CodedError `forbidden` for what needs an admin: see `EVERYONE` */
export function openAccess(needs: Need): Access {
  if (needs !== 'admin') return OPEN_ACCESS;
  throw new CodedError('forbidden', 'people, roles and keys are managed here only where AUTH is on');
}

function may({ kind, grants }: Principal, needs: GateRequest['needs']): boolean {
  switch (needs) {
    case 'anyone':
      return true;
    case 'signed-in':
      return kind !== 'anonymous';
    case 'read':
      return grants.read.length > 0;
    case 'publish':
      return grants.publish.length > 0;
    case 'metrics':
      return grants.metrics || grants.admin;
    case 'operate':
      return grants.admin;
    default:
      return grants[needs];
  }
}

function rightOf(needs: Need): string {
  return needs === 'operate' ? 'admin' : needs;
}
