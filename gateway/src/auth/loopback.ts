// Whether only this machine can be meant by a name or an address of a host: then nobody else comes, and what is sent needs no TLS.

import { isIP } from 'node:net';

/** @param host as in a URL or a variable: IPv6 with or without brackets. */
export function isLoopback(host: string): boolean {
  const address = host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/^::ffff:/, '');
  return (
    ['localhost', '::1', '0:0:0:0:0:0:0:1'].includes(address) ||
    (isIP(address) === 4 && address.startsWith('127.'))
  );
}
