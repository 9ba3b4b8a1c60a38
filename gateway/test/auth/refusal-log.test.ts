// What the operator reads of refused credentials: why, and not more than one line a second, whatever is sent.
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { RefusalLog } from '../../src/auth/refusal-log.ts';

it('ten thousand refusals in a second are one line, and the next line says how many there were', () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) }) as Logger;
  let now = 0;
  const refusals = new RefusalLog(logger, 'a token', () => now);
  for (let i = 0; i < 10_000; i++) expect(refusals.refuse('it has expired')).toBeUndefined();
  expect(lines).toHaveLength(1);
  now = 1_000;
  refusals.refuse('it is too long');
  expect(lines).toMatchObject([
    { reason: 'it has expired', msg: 'a token was refused' },
    { reason: 'it is too long', before: 9_999 },
  ]);
});
