// The simulator's faults, chosen by the model's name: before an answer begins, or in the middle of it.

import { setTimeout as pause } from 'node:timers/promises';

export const FAULTS = {
  'sim-401': 'refuses the key',
  'sim-429': 'limits the rate, Retry-After one second',
  'sim-503': 'is unavailable',
  'sim-hang-headers': 'accepts and never sends headers',
  'sim-hang-body': 'sends headers and nothing more',
  'sim-stall': 'stops after a third of the answer',
  'sim-die': 'drops the connection after a third of the answer',
  'sim-truncate': 'ends the stream after a third, without a finish reason',
  'sim-error-chunk': 'sends an error chunk after a third of the answer',
} as const;

export type BodyFault = 'hang' | 'stall' | 'die' | 'truncate' | 'error-chunk';

const STATUS: Record<string, readonly [number, string]> = {
  'sim-401': [401, 'Incorrect API key provided: simulated-secret'],
  'sim-429': [429, 'Rate limit reached for organization simulated-secret'],
  'sim-503': [503, 'simulated-secret is overloaded'],
};

/** The refusal that `model` stands for; `undefined` where it answers. Hangs until the abort for `sim-hang-headers`. */
export async function answerFault(model: string, signal: AbortSignal): Promise<Response | undefined> {
  if (model === 'sim-hang-headers') await pause(2 ** 31 - 1, undefined, { signal, ref: false });
  const refusal = Object.hasOwn(STATUS, model) ? STATUS[model] : undefined;
  if (!refusal) return undefined;
  const [status, message] = refusal;
  const headers = status === 429 ? { 'retry-after': '1' } : {};
  return Response.json({ error: { message, type: 'simulated' } }, { status, headers });
}

const BODY: Record<string, BodyFault> = {
  'sim-hang-body': 'hang',
  'sim-stall': 'stall',
  'sim-die': 'die',
  'sim-truncate': 'truncate',
  'sim-error-chunk': 'error-chunk',
};

/** How an answer of `model` breaks; `undefined` where it does not. */
export function bodyFault(model: string): BodyFault | undefined {
  return Object.hasOwn(BODY, model) ? BODY[model] : undefined;
}
