// The process's own log on stderr, so that stdout stays free for a program's output.

import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type { Logger } from 'pino';

/**
 * Writes JSON lines for a collector in production, and otherwise lines for a person. `level` is one of pino's. @param mixin gives fields
 * of the moment in which a line is written.
 */
export function createLogger(name: string, level: string, production: boolean, mixin?: () => object): Logger {
  const options = { name, level, base: { name }, ...(mixin && { mixin }) };
  if (production) return pino(options, pino.destination(2));
  const colorize = process.stderr.isTTY === true;
  // Synchronous, so that the last lines of a process that exits are not lost.
  return pino(options, pretty({ destination: 2, sync: true, colorize, translateTime: 'SYS:HH:MM:ss.l' }));
}
