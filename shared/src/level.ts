// Which level somebody else's word, number or log line means.

import { LEVELS, type Level } from './entry.ts';

// Lower case. The single signs are those of klog (I W E F) and of redis-server (. - * #).
const LEVEL_OF: Readonly<Record<string, Level>> = {
  trace: 'trace',
  '.': 'debug',
  '-': 'debug',
  debug: 'debug',
  verbose: 'debug',
  '*': 'info',
  i: 'info',
  info: 'info',
  information: 'info',
  notice: 'info',
  '#': 'warn',
  w: 'warn',
  warn: 'warn',
  warning: 'warn',
  e: 'error',
  err: 'error',
  error: 'error',
  exception: 'error',
  traceback: 'error',
  f: 'fatal',
  crit: 'fatal',
  critical: 'fatal',
  fatal: 'fatal',
  panic: 'fatal',
};

/** pino's number or any usual word; `undefined` for anything else. */
export function parseLevel(value: unknown): Level | undefined {
  // None below 10: those are syslog's and OpenTelemetry's numbers, which run in opposite directions.
  if (typeof value === 'number') return LEVELS[Math.min(5, Math.floor(value / 10) - 1)];
  return typeof value === 'string' ? levelOf(value) : undefined;
}

const TIME = String.raw`(?:[[(<]?\d[\dTZ:.,+\-/ |]*[\])>]?\s*)?`;
const WORD = String.raw`[[(<]?([A-Za-z]{3,11})\d?!?[\])>]?(?=[\s|:(\]]|$)`;

// How a line names its level, the surest form first; the first that yields a known word decides.
const FORMS = [
  // level=warn, "level":"warn": logfmt, and JSON that is not whole
  /(?:^|[\s{,])"?(?:level|lvl|severity)"?[=:]\s*"?([A-Za-z]{1,11})\b/,
  // WARNING: …, [error] …, 2026-11-21 03:22:01.123 | INFO | …
  new RegExp(`^${TIME}${WORD}`),
  // main.c:12:5: error: …, npm warn …
  new RegExp(String.raw`^${TIME}(?:\S{1,60}:|npm)\s+${WORD}`),
  // (EngineCore pid=99) ERROR …, 2026-11-21 03:22:01,123 - root - WARNING - …
  /[\s[(<|](TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|PANIC)(?=[\s\])>|:]|$)/,
  // E1121 03:22:01.123456 1 server.cc:674] …
  /^([IWEF])\d{4} \d\d:/,
  // 1:M 21 Nov 2026 03:22:01.867 # …
  /^\d+:[XCSM] \d\d? [A-Z][a-z]{2} \d{4} [\d:.]+ ([.\-*#]) /,
  // torch.cuda.OutOfMemoryError: …, app.py:12: DeprecationWarning: …
  /(?:^|:\d{1,6}: )[\w$.]{0,100}(Error|Exception|Warning)(?=:|$)/,
] as const;

const COLOR = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, 'g');
/** A level stands at the head of a line; a bound also keeps a hostile line cheap. */
const HEAD_CHARS = 160;

/** The level that a plain line's beginning names, in the forms that servers and tools use; `otherwise` where it names none. */
export function guessLevel(line: string, otherwise: Level = 'info'): Level {
  const head = line.slice(0, HEAD_CHARS).replaceAll(COLOR, '').trimStart();
  for (const form of FORMS) {
    const level = levelOf(form.exec(head)?.[1] ?? '');
    if (level) return level;
  }
  return otherwise;
}

function levelOf(word: string): Level | undefined {
  const key = word.toLowerCase();
  return Object.hasOwn(LEVEL_OF, key) ? LEVEL_OF[key] : undefined;
}
