// For tests: people with keys, without a store. A key is `lls_` and the person's name.

import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { type Grants, ownPatterns, type Principal } from '../../src/auth/principal.ts';
import type { Credentials } from '../../src/compose-auth.ts';

export const person = (name: string, grants: Partial<Grants>, more: Partial<Principal> = {}): Principal => ({
  id: `key:${name}`,
  kind: 'key',
  name,
  owner: name,
  expires: Number.POSITIVE_INFINITY,
  ...more,
  grants: {
    publish: [],
    run: false,
    metrics: false,
    admin: false,
    ...grants,
    read: [...(grants.read ?? []), ...ownPatterns(name)],
  },
});

export class People {
  readonly #all: Map<string, Principal>;
  /** While true, nobody can be looked up. */
  away = false;

  constructor(...all: Principal[]) {
    this.#all = new Map(all.map((one) => [`lls_${one.name}`, one]));
  }

  get credentials(): Credentials {
    const principalOf = async (credential: string) => {
      if (this.away) throw new BrokerUnavailable('the store of people cannot be reached');
      return this.#all.get(credential);
    };
    const cookie = ({ headers }: { headers: Readonly<Record<string, unknown>> }) => {
      const [, token] = /(?:^|; )test=([^;]+)/.exec(`${headers.cookie ?? ''}`) ?? [];
      return token === undefined
        ? undefined
        : { kind: 'session' as const, principal: () => principalOf(token) };
    };
    return { tokens: { apiKey: { principalOf } }, headers: [{ find: cookie }] };
  }
}

export const bearer = (name: string) => ({ authorization: `Bearer lls_${name}` });
