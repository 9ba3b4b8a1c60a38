// What the servers read from the environment.

import { SECRET_BYTES, SECRET_RULE } from './serve.ts';

export interface Secrets {
  listings: string;
  analytics: string;
}

/** @throws Error that says which variable is missing */
export function readSecrets(env: Readonly<Record<string, string | undefined>> = process.env): Secrets {
  return {
    listings: secret('LISTINGS_TOKEN', env.LISTINGS_TOKEN),
    analytics: secret('ANALYTICS_TOKEN', env.ANALYTICS_TOKEN),
  };
}

/** Where analytics finds the listings. */
export function readListingsUrl(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  return env.LISTINGS_URL === '' ? undefined : env.LISTINGS_URL;
}

function secret(name: string, value = ''): string {
  if (Buffer.byteLength(value) >= SECRET_BYTES) return value;
  throw new Error(`${name}: ${SECRET_RULE}`);
}
