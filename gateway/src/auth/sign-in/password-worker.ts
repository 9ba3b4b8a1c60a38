// The thread that hashes passwords. `scryptSync` keeps it busy for half a second and takes none of libuv's four threads, which
// compress streams.

import { scryptSync } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

export interface HashJob {
  password: string;
  salt: Uint8Array;
  /** log2 of the number of blocks. */
  ln: number;
  r: number;
  p: number;
  length: number;
}

const port = parentPort;
port?.on('message', ({ password, salt, ln, r, p, length }: HashJob) => {
  const N = 2 ** ln;
  // OpenSSL needs 128 · r · (N + p + 2) bytes.
  port.postMessage(scryptSync(password, salt, length, { N, r, p, maxmem: 128 * r * (N + p + 32) }));
});
