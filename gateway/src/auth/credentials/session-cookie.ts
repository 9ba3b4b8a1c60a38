// The cookie in which a browser keeps its session. No script of a page can read it, no other site's request carries it, and two
// gateways on one host do not overwrite each other's.

import { parseCookie, stringifySetCookie } from 'cookie';

/** What the cookie needs to know of a request, in Fastify's names. */
export interface CookieRequest {
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** `https` also where a trusted proxy says so. */
  protocol: string;
}

export interface CookieReply {
  header(name: string, value: string): unknown;
}

export interface SessionCookieOptions {
  /** The path under which a proxy serves the gateway; '' for none. */
  basePath: string;
  /** The address that people use, if it is known. */
  publicUrl?: string | undefined;
}

export class SessionCookie {
  readonly #basePath: string;
  readonly #publicUrl: URL | undefined;

  constructor({ basePath, publicUrl }: SessionCookieOptions) {
    this.#basePath = basePath;
    this.#publicUrl = publicUrl === undefined ? undefined : new URL(publicUrl);
  }

  /** The token that the request carries; undefined if it carries none. Says nothing about whether the token is valid. */
  read(request: CookieRequest): string | undefined {
    const { cookie } = request.headers;
    if (typeof cookie !== 'string') return undefined;
    return parseCookie(cookie)[this.#name(request)] || undefined;
  }

  /** @param expires epoch ms. */
  set(request: CookieRequest, reply: CookieReply, token: string, expires: number): void {
    this.#write(request, reply, token, Math.max(0, Math.floor((expires - Date.now()) / 1_000)));
  }

  clear(request: CookieRequest, reply: CookieReply): void {
    this.#write(request, reply, '', 0);
  }

  #write(request: CookieRequest, reply: CookieReply, value: string, maxAge: number): void {
    const cookie = {
      name: this.#name(request),
      value,
      maxAge,
      path: `${this.#basePath}/`,
      httpOnly: true,
      sameSite: 'strict',
      secure: this.#isSecure(request),
    } as const;
    reply.header('set-cookie', stringifySetCookie(cookie));
  }

  /**
   * Cookies are shared by all ports of a host, so the name holds the port that the browser sees. A browser takes a name that begins
   * with `__Host-` or `__Secure-` from https only, so that nobody can plant such a cookie from a site without it.
   */
  #name(request: CookieRequest): string {
    const secure = this.#isSecure(request);
    const port = /:(\d{1,5})$/.exec(String(request.headers.host))?.[1];
    if (!secure) return `llm-streamer-${port ?? 80}`;
    const prefix = this.#basePath === '' ? '__Host-' : '__Secure-';
    return `${prefix}llm-streamer${port === undefined || port === '443' ? '' : `-${port}`}`;
  }

  /** An operator may use the gateway's own address beside the public one, and that has no https. */
  #isSecure({ protocol, headers }: CookieRequest): boolean {
    if (protocol === 'https') return true;
    return (
      this.#publicUrl?.protocol === 'https:' && this.#publicUrl.host === String(headers.host).toLowerCase()
    );
  }
}
