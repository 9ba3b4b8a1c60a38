// Reads command lines strictly: anything wrong becomes one clear line, and nothing is guessed.

import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { CodedError } from '@llm-streamer/shared/errors.ts';

/** @throws CodedError `usage`. */
export function parseOptions<T extends ParseArgsOptionsConfig>(
  command: string,
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ options: T }>>['values'] {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split(/\.?(?:\n|\. |$)/);
    throw usage(`${sentence}; see ${command} --help`);
  }
}

export function usage(message: string): CodedError {
  return new CodedError('usage', message);
}

/** A number from `min` to `max`. */
export function parseNumber(option: string, text: string, min: number, max: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= min && value <= max) return value;
  throw usage(`--${option} ${JSON.stringify(text)}: must be a number from ${min} to ${max}`);
}

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds from `90`, `30s`, `5m` or `1.5h`; a bare number is in seconds. */
export function parseDuration(option: string, text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Number(number) * UNIT_MS[unit as keyof typeof UNIT_MS];
  if (ms > 0) return ms;
  throw usage(`--${option} ${JSON.stringify(text)}: must be a time like 90, 30s, 5m or 1.5h`);
}

/** A source: 1 to 200 characters. */
export function parseSource(text: string): string {
  if (text.length >= 1 && text.length <= 200) return text;
  throw usage('--source: must be 1 to 200 characters');
}

/** A source made from the name of the host: always the same on one host, and different for each container of a service. */
export function defaultSource(role: string): string {
  return `${role}-${createHash('sha256').update(hostname()).digest('hex').slice(0, 4)}`;
}
