// Sends messages about alerts to one destination: a webhook with generic JSON, Slack's form, or ntfy's. Its address and its token come
// from the operator alone, are read when they are needed, and stand in no error, log or entry. No redirect is followed, so that whoever
// answers cannot send the gateway to an address inside.

import { readFileSync } from 'node:fs';
import type { FiringAlert } from '@llm-streamer/shared/api-types.ts';
import { isKey } from '../../runs/rules.ts';
import { type DestinationSettings, isWebhook } from '../rules-file.ts';
import { type DeliveredAlert, jsonBody, ntfyRequest, slackBody } from './messages.ts';

const ANSWER_MS = 10_000;
/** A destination that asks for a longer pause is asked again after this one. */
const LONGEST_PAUSE_MS = 600_000;

/** `retry`: a later attempt may succeed. `problem` may be shown to anybody. */
export type Outcome =
  | { delivered: true }
  | { delivered: false; retry: boolean; afterMs?: number; problem: string };

export type ReadSecret = (name: string) => string | undefined;

export class Destination {
  readonly #settings: DestinationSettings;
  readonly #readSecret: ReadSecret;

  constructor(settings: DestinationSettings, readSecret: ReadSecret) {
    this.#settings = settings;
    this.#readSecret = readSecret;
  }

  /** What is missing in the environment or in files; undefined if nothing is. */
  complaint(): string | undefined {
    try {
      this.#address();
      this.#token();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  async send(alerts: readonly DeliveredAlert[]): Promise<Outcome> {
    let response: Response;
    try {
      const { body, headers } = this.#request(alerts);
      response = await fetch(this.#address(), {
        method: 'POST',
        body,
        headers,
        redirect: 'manual',
        signal: AbortSignal.timeout(ANSWER_MS),
      });
    } catch (error) {
      return { delivered: false, retry: true, problem: problemOf(error) };
    }
    response.body?.cancel().catch(() => undefined); // nothing that it says is needed, however long it is
    const { status } = response;
    if (status >= 200 && status < 300) return { delivered: true };
    const afterMs = pauseOf(response.headers.get('retry-after'));
    const retry = status === 408 || status === 429 || status >= 500;
    return {
      delivered: false,
      retry,
      ...(afterMs !== undefined && { afterMs }),
      problem: `it answered ${status}`,
    };
  }

  #request(alerts: readonly DeliveredAlert[]): { body: string; headers: Record<string, string> } {
    const token = this.#token();
    const authorization: Record<string, string> =
      token === undefined ? {} : { authorization: `Bearer ${token}` };
    const json = { 'content-type': 'application/json', ...authorization };
    switch (this.#settings.kind) {
      case 'json':
        return { body: jsonBody(alerts), headers: json };
      case 'slack':
        return { body: slackBody(alerts), headers: json };
      case 'ntfy': {
        const { body, headers } = ntfyRequest(alerts);
        return { body, headers: { ...headers, ...authorization } };
      }
    }
  }

  #address(): string {
    const { url, url_env: variable, url_file: file } = this.#settings;
    const text = url ?? this.#secret(variable, file);
    if (text === undefined || !isWebhook(text))
      throw new Unusable(`${variable ?? file} holds no http:// or https:// address`);
    return text;
  }

  #token(): string | undefined {
    const { token_env: variable, token_file: file } = this.#settings;
    if (variable === undefined && file === undefined) return undefined;
    const token = this.#secret(variable, file);
    if (token === undefined || !isKey(token)) throw new Unusable(`${variable ?? file} holds no token`);
    return token;
  }

  #secret(variable: string | undefined, file: string | undefined): string | undefined {
    if (variable !== undefined) {
      const value = this.#readSecret(variable)?.trim();
      if (value === undefined || value === '') throw new Unusable(`${variable} is not set`);
      return value;
    }
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, 'utf8').trim();
    } catch (error) {
      throw new Unusable(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
  }
}

/** Something that the operator has to mend. */
class Unusable extends Error {}

/** A message that says that it is only a test. */
export function testAlert(now: number): DeliveredAlert {
  const alert: FiringAlert = {
    text: 'This is a test of a destination for alerts; nothing is wrong',
    level: 'warn',
    alert: 'test',
    rule: 'test',
    since: now,
  };
  return { id: `test@${now}`, event: 'alert.firing', time: now, test: true, ...alert };
}

/** The errors of `fetch` name the address in their causes. */
function problemOf(error: unknown): string {
  if (error instanceof Unusable) return error.message;
  if (error instanceof Error && error.name === 'TimeoutError')
    return `it did not answer within ${ANSWER_MS / 1_000} s`;
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return `it cannot be reached${typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code) ? ` (${code})` : ''}`;
}

function pauseOf(retryAfter: string | null): number | undefined {
  if (retryAfter === null) return undefined;
  const ms = /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), LONGEST_PAUSE_MS);
}
