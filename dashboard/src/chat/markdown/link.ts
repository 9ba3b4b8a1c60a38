// Where a link of an answer may lead: to the web or to a mailbox. Anything else, such as `javascript:`, is no link.

const PROTOCOLS: readonly string[] = ['http:', 'https:', 'mailto:'];

export interface Target {
  href: string;
  /** Where it really leads, whatever the link's text says: a host, or a mail address. */
  host: string;
  /** The text says so itself. */
  isSaid: boolean;
}

export function targetOf(href: string, text: string): Target | undefined {
  let url: URL;
  try {
    url = new URL(href);
  } catch {
    return undefined; // relative links would lead into this page
  }
  if (!PROTOCOLS.includes(url.protocol)) return undefined;
  const isMail = url.protocol === 'mailto:';
  const host = isMail ? url.pathname : url.host;
  const said = text.startsWith(url.origin) ? text.slice(url.origin.length) : undefined;
  return {
    href: url.href,
    host,
    isSaid: text === host || (!isMail && said !== undefined && /^(?:$|[/?#])/.test(said)),
  };
}
