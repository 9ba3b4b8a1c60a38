// Who a proxy says has signed in, in a header (Authelia, oauth2-proxy). Believed from the addresses of TRUST_PROXY alone, by the
// address of the socket: from anybody else, twice, or written so that the proxy would not have removed it, the request is refused.

import { randomBytes } from 'node:crypto';
import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import type { CredentialSource, HeaderCheck, PresentedCredential } from '../authenticator.ts';
import { isUserName } from '../names.ts';
import { NO_GRANTS, type Principal } from '../principal.ts';
import { RefusalLog } from '../refusal-log.ts';
import { renewable } from '../renewal.ts';
import { grantsOfRoles, type RoleGrants, rolesIn } from '../rights/roles.ts';
import type { AuthStore } from '../store/auth-store.ts';
import { type ProxyConfig, rolesByGroup } from '../ways-config.ts';
import { rolesOfGroups } from './claimed-grants.ts';
import type { CredentialCheck } from './credential-check.ts';
import { ownerOfSubject, shownName } from './outside-names.ts';
import { personPrincipal } from './person.ts';

const MAX_NAME = 256;
const MAX_GROUPS = 1_000;
/** What a proxy writes where it knows no name: Caddy its own placeholder, `{http.reverse_proxy.header.Remote-User}`, and Apache `(null)`. */
const UNKNOWN = /[{}]|^(?:-|\(null\))$/;

/** The names that TRUST_PROXY knows for networks, as Fastify does. */
const NETWORKS: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.1/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

interface Header {
  /** In lower case. */
  name: string;
  value: string;
}

interface ProxyOptions {
  header: string;
  groupsHeader: string;
  roles: ReadonlyMap<string, readonly string[]>;
  proxies: BlockList;
}

export class ProxyHeaders implements CredentialCheck, HeaderCheck {
  readonly #options: ProxyOptions;
  readonly #roles: RoleGrants;
  readonly #store: Pick<AuthStore, 'user'>;
  readonly #refusals: RefusalLog;
  /** Begins each credential that is made here. Nobody else can write one, for example as a Bearer token. */
  readonly #mark = `proxy ${randomBytes(24).toString('base64')} `;

  constructor(options: ProxyOptions, store: Pick<AuthStore, 'roles' | 'user'>, logger: Logger) {
    this.#options = options;
    this.#store = store;
    this.#roles = rolesIn(store);
    this.#refusals = new RefusalLog(logger, 'a header of a proxy');
  }

  /**
   * Undefined if the request has none of these headers.
   *
   * @param check asks `principalOf`, perhaps only if it does not remember the answer.
   */
  find(
    { rawHeaders, peer }: CredentialSource,
    check: CredentialCheck = this,
  ): PresentedCredential | undefined {
    const shown = this.#headersIn(rawHeaders);
    if (shown.length === 0) return undefined;
    const credential = this.#credentialIn(shown, peer);
    const principal = async () => (credential === undefined ? undefined : check.principalOf(credential));
    return { kind: 'proxy header', principal };
  }

  /** The same for the same person and groups; only this process can read it. Undefined if the headers are not to be believed. */
  #credentialIn(shown: readonly Header[], peer: string): string | undefined {
    if (!isOneOf(this.#options.proxies, peer))
      return this.#refusals.refuse('it came from an address that TRUST_PROXY does not name');
    const user = shown.filter(({ name }) => name === this.#options.header);
    const groups = shown.filter(({ name }) => name === this.#options.groupsHeader);
    if (user.length + groups.length < shown.length)
      return this.#refusals.refuse('it is written with _ in place of -');
    if (user.length > 1 || groups.length > 1) return this.#refusals.refuse('it came twice');
    const name = textOf(user[0]?.value ?? '');
    if (name === '' || name.length > MAX_NAME || /[\p{Cc}\uFFFD]/u.test(name))
      return this.#refusals.refuse('it holds no name');
    if (UNKNOWN.test(name))
      return this.#refusals.refuse('it holds what a proxy writes when it knows no name');
    return this.#mark + JSON.stringify([name, ...groupsIn(groups[0]?.value ?? '')]);
  }

  /** @param credential what `find` has made; anything else is nobody's. */
  async principalOf(credential: string): Promise<Principal | undefined> {
    if (!credential.startsWith(this.#mark)) return undefined;
    const [name, ...groups] = JSON.parse(credential.slice(this.#mark.length)) as [string, ...string[]];
    const named = isUserName(name);
    if (named && (await this.#store.user(name))?.disabled)
      return this.#refusals.refuse('the person is disabled here');
    const owner = named ? name : ownerOfSubject(`proxy ${this.#options.header}`, name);
    const roles = rolesOfGroups(groups, this.#options.roles);
    const grants = (await grantsOfRoles(roles, this.#roles)) ?? NO_GRANTS;
    const principal = personPrincipal(shownName(name), owner, grants);
    return renewable(principal, () => this.principalOf(credential));
  }

  /** Both headers, also with `_` for `-`: some servers take them for the same, so a proxy that removes one may let the other pass. */
  #headersIn(rawHeaders: readonly string[]): Header[] {
    const { header, groupsHeader } = this.#options;
    const shown: Header[] = [];
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      const name = (rawHeaders[i] as string).toLowerCase();
      const value = (rawHeaders[i + 1] as string).trim();
      const meant = name.replaceAll('_', '-');
      if (meant !== header && meant !== groupsHeader) continue;
      // A proxy that asks everybody writes an empty header for those who have not signed in.
      if (value !== '' || name !== meant) shown.push({ name, value });
    }
    return shown;
  }
}

function isOneOf(addresses: BlockList, address: string): boolean {
  return isIP(address) !== 0 && addresses.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** Node reads headers as Latin-1, and proxies write UTF-8. */
function textOf(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8').trim();
}

/** Authelia and oauth2-proxy write `a,b`, authentik writes `a|b`. */
function groupsIn(value: string): string[] {
  const groups = textOf(value)
    .split(/[,|]/, MAX_GROUPS)
    .map((group) => group.trim());
  return groups.filter((group) => group !== '');
}

/** @param list addresses, networks and their names, separated by commas: TRUST_PROXY, which its schema has checked. */
export function proxyAddresses(list: string): BlockList {
  const addresses = new BlockList();
  for (const item of list.split(',').map((text) => text.trim())) {
    for (const network of NETWORKS[item] ?? [item]) {
      const [address = '', bits] = network.split('/');
      const kind = isIPv6(address) ? 'ipv6' : 'ipv4';
      if (bits === undefined) addresses.addAddress(address, kind);
      else addresses.addSubnet(address, Number(bits), kind);
    }
  }
  return addresses;
}

/** Undefined where no header is configured. */
export function proxyHeaders(
  config: ProxyConfig & { TRUST_PROXY: string },
  store: Pick<AuthStore, 'roles' | 'user'>,
  logger: Logger,
): ProxyHeaders | undefined {
  const { AUTH_PROXY_HEADER, AUTH_PROXY_GROUPS_HEADER, AUTH_PROXY_ROLES, TRUST_PROXY } = config;
  if (AUTH_PROXY_HEADER === undefined || AUTH_PROXY_GROUPS_HEADER === undefined) return undefined;
  const options = {
    header: AUTH_PROXY_HEADER.toLowerCase(),
    groupsHeader: AUTH_PROXY_GROUPS_HEADER.toLowerCase(),
    roles: rolesByGroup(AUTH_PROXY_ROLES),
    proxies: proxyAddresses(TRUST_PROXY),
  };
  return new ProxyHeaders(options, store, logger);
}
