// Where the engine listens: a socket file, or a proxy of it on a TCP port.

import { usage } from '../arguments.ts';

export const DEFAULT_SOCKET = '/var/run/docker.sock';
/** Where engines usually listen. */
export const USUAL_SOCKETS: readonly string[] = ['/run/podman/podman.sock', DEFAULT_SOCKET];

export type Address = { socketPath: string } | { host: string; port: number };

/** Reads `/run/podman/podman.sock`, `unix:///var/run/docker.sock` or `tcp://socket-proxy:2375`. @throws CodedError `usage`. */
export function parseAddress(name: string, text: string): Address {
  if (text.startsWith('/')) return { socketPath: text };
  const path = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { socketPath: path };
  const [, host, port] =
    /^(?:tcp|http):\/\/([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
  if (host !== undefined) return { host: host.replaceAll(/[[\]]/g, ''), port: Number(port ?? 2375) };
  throw usage(
    `${name} ${JSON.stringify(text.slice(0, 100))}: must be a path, unix:///path or tcp://host:port (an engine behind ssh or TLS needs a tunnel)`,
  );
}

export function nameOf(address: Address): string {
  return 'socketPath' in address ? address.socketPath : `${address.host}:${address.port}`;
}
