// A certificate of one's own for 127.0.0.1, made anew for each test file, and what a server of Redis needs to speak TLS with it.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface TestCertificate {
  /** As PEM. Whoever trusts it trusts the servers that have it. */
  readonly pem: string;
  /** Names and values of a redis.conf, without the port. Servers speak TLS to each other as well. */
  readonly config: readonly (readonly [string, string])[];
  remove(): Promise<void>;
}

export async function makeCertificate(): Promise<TestCertificate> {
  const dir = await mkdtemp(join(tmpdir(), 'llm-streamer-tls-'));
  const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'certificate.pem')];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', key, '-out', certificate],
  ]);
  return {
    pem: await readFile(certificate, 'utf8'),
    config: [
      ['tls-cert-file', certificate],
      ['tls-key-file', key],
      ['tls-ca-cert-file', certificate],
      ['tls-auth-clients', 'no'],
      ['tls-replication', 'yes'],
    ],
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}
