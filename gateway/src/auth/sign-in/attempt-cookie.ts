// The cookie of an attempt to sign in with the identity provider. Unlike that of a session it is `Lax`: the way back begins at another
// site. With https its name begins with `__Host-`, so that no neighbour under the same domain can plant one.

import { parseCookie, stringifySetCookie } from 'cookie';
import type { CookieReply, CookieRequest } from '../credentials/session-cookie.ts';

export class AttemptCookie {
  readonly #secure: boolean;
  readonly #name: string;

  constructor(publicUrl: string | undefined) {
    const url = publicUrl === undefined ? undefined : new URL(publicUrl);
    this.#secure = url?.protocol === 'https:';
    // Browsers send a cookie to all ports of a host, where another gateway may be.
    const port = url?.port ? `-${url.port}` : '';
    this.#name = `${this.#secure ? '__Host-' : ''}llm-streamer-oidc${port}`;
  }

  read({ headers }: Pick<CookieRequest, 'headers'>): string | undefined {
    const { cookie } = headers;
    return typeof cookie === 'string' ? parseCookie(cookie)[this.#name] : undefined;
  }

  set(reply: CookieReply, value: string, maxAge: number): void {
    const cookie = {
      name: this.#name,
      value,
      maxAge,
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: this.#secure,
    } as const;
    reply.header('set-cookie', stringifySetCookie(cookie));
  }
}
