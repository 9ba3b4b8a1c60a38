// Who counts as one client wherever clients share something: the same address, or the same IPv6 network; and which clients are
// likely to be the same somebody.

import { isIPv4, isIPv6 } from 'node:net';

/** The whole of a customer's IPv6 network is one client: each has 2^64 addresses to choose from. */
export function clientOf(address: string): string {
  const groups = groupsOf(address);
  return groups === undefined ? plain(address) : network(groups, 64);
}

/**
 * The networks of a client, the widest first, and the client last. Whoever has many addresses has them in few networks: a
 * provider gives a /48 of IPv6 to anybody, and a /24 of IPv4 to those who pay.
 */
export function networksOf(address: string): string[] {
  const groups = groupsOf(address);
  if (groups !== undefined) return [network(groups, 32), network(groups, 48), network(groups, 64)];
  const client = plain(address);
  if (!isIPv4(client)) return [client];
  const bytes = client.split('.');
  return [`${bytes.slice(0, 2).join('.')}/16`, `${bytes.slice(0, 3).join('.')}/24`, client];
}

/** An address of IPv4 may be written as one of IPv6. */
function plain(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

/** The first four groups of an address of IPv6; undefined for any other. */
function groupsOf(address: string): string[] | undefined {
  if (!isIPv6(address) || plain(address) !== address) return undefined;
  const [head = '', tail] = (address.split('%')[0] as string).split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
}

function network(groups: readonly string[], bits: 32 | 48 | 64): string {
  return `${groups.slice(0, bits / 16).join(':')}::/${bits}`;
}
