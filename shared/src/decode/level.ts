// Which level somebody else's word, number or log line means.

import { LEVELS, type Level } from '../entry.ts';
import { statusOf } from './access-log.ts';
import { withoutColors } from './colors.ts';

// Lower case. The single signs are those of klog (I W E F) and of redis-server (. - * #), three and four letters those
// of zerolog, Serilog, logrus and .NET.
const LEVEL_OF: Readonly<Record<string, Level>> = {
  trace: 'trace',
  trac: 'trace',
  trc: 'trace',
  trce: 'trace',
  '.': 'debug',
  '-': 'debug',
  d: 'debug',
  debug: 'debug',
  debu: 'debug',
  dbg: 'debug',
  dbug: 'debug',
  verbose: 'debug',
  vrb: 'debug',
  '*': 'info',
  i: 'info',
  info: 'info',
  inf: 'info',
  information: 'info',
  notice: 'info',
  '#': 'warn',
  w: 'warn',
  warn: 'warn',
  warning: 'warn',
  wrn: 'warn',
  e: 'error',
  err: 'error',
  erro: 'error',
  eror: 'error',
  error: 'error',
  exception: 'error',
  traceback: 'error',
  f: 'fatal',
  crit: 'fatal',
  critical: 'fatal',
  fata: 'fatal',
  fatal: 'fatal',
  ftl: 'fatal',
  pani: 'fatal',
  panic: 'fatal',
  dpanic: 'fatal',
  pnc: 'fatal',
};

// Levels too, but also words with which a sentence begins ("Fine-tuning …", "Config loaded"): they count where a field
// or a bracket says that they are a level.
const MARKED_LEVEL_OF: Readonly<Record<string, Level>> = {
  silly: 'trace',
  finest: 'trace',
  finer: 'trace',
  fine: 'debug',
  config: 'debug',
  http: 'debug',
  log: 'info',
  default: 'info',
  success: 'info',
  severe: 'error',
  fail: 'error',
  alert: 'fatal',
  emerg: 'fatal',
  emergency: 'fatal',
};

/** pino's number, also in digits, or any usual word; `undefined` for anything else. */
export function parseLevel(value: unknown): Level | undefined {
  // None below 10: those are syslog's and OpenTelemetry's numbers, which run in opposite directions.
  if (typeof value === 'number') return LEVELS[Math.min(5, Math.floor(value / 10) - 1)];
  if (typeof value !== 'string' || value.length > 40) return undefined;
  if (/^\d{2,3}$/.test(value)) return parseLevel(Number(value));
  // Go's slog writes ERROR+4 for a level between two names.
  const word = withoutColors(value)
    .trim()
    .replace(/[+-]\d{1,3}$/, '');
  return levelOf(word) ?? lookUp(MARKED_LEVEL_OF, word);
}

/** Syslog's severity, 0 to 7, as GELF and journald write it. */
export function parseSyslogLevel(value: unknown): Level | undefined {
  return (['fatal', 'fatal', 'fatal', 'error', 'warn', 'info', 'info', 'debug'] as const)[wholeNumber(value)];
}

/** OpenTelemetry's severity number, 1 to 24: four for each level. */
export function parseOtelLevel(value: unknown): Level | undefined {
  return LEVELS[Math.floor((wholeNumber(value) - 1) / 4)];
}

function wholeNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : Number.NaN;
}

/** The level of an HTTP response. */
export function levelOfStatus(status: number): Level | undefined {
  if (status >= 400 && status < 600) return status >= 500 ? 'error' : 'warn';
  return undefined;
}

const TIME = String.raw`(?:[[(<]?\d[\dTZ:.,+\-/ |]*[\])>]?\s*)?`;
const WORD = String.raw`[[(<]?([A-Za-z]{3,11})\d?!?[\])>]?(?=[\s|:(\]]|$)`;
const MARKED = Object.keys(MARKED_LEVEL_OF).join('|');

// How a line names its level, the surest form first; the first that yields a known word decides.
const MARKED_FORMS = [
  // level=warn, "level":"warn": logfmt, and JSON that is not whole
  /(?:^|[\s{,])"?(?:level|lvl|severity)"?[=:]\s*"?([A-Za-z]{1,11})\b/,
  // fail: App.Worker[0] (.NET)
  /^(trce|dbug|fail): /,
  // SEVERE: … (java.util.logging, on the line after its time)
  /^(?:[A-Z][a-z]{2} \d{1,2}, \d{4} [^\n]{1,120}\n)?(SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): /,
];
const FORMS = [
  // ERRO[0012] …: logrus on a terminal
  /^([A-Z]{4})\[\d+\] /,
  // thread 'main' panicked at …, thread 'main' (12) panicked at …
  /^thread '[^']{0,100}' (?:\(\d{1,20}\) )?(panic)ked at /,
  // WARNING: …, [error] …, 2026-11-21 03:22:01.123 | INFO | …
  new RegExp(`^${TIME}${WORD}`),
  // main.c:12:5: error: …, npm warn …
  new RegExp(String.raw`^${TIME}(?:\S{1,60}:|npm)\s+${WORD}`),
  // Unhandled exception. System.…, Uncaught Error: …
  /^(?:Unhandled|Uncaught) ([Ee]xception|[Ee]rror)\b/,
  // (EngineCore pid=99) ERROR …, 2026-11-21 03:22:01,123 - root - WARNING - …, 5:04AM ERR …, … ERROR/MainProcess]
  /[\s[(<|](TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|PANIC|DBG|INF|WRN|ERR|FTL)(?=[\s\])>|:/]|$)/,
  // E1121 03:22:01.123456 1 server.cc:674] …
  /^([IWEF])\d{4} \d\d:/,
  // 0.12.345.678 E srv …: llama.cpp
  /^\d{1,6}\.\d\d\.\d{3}\.\d{3} ([DIWE]) /,
  // 1:M 21 Nov 2026 03:22:01.867 # …
  /^\d+:[XCSM] \d\d? [A-Z][a-z]{2} \d{4} [\d:.]+ ([.\-*#]) /,
  // torch.cuda.OutOfMemoryError: …, app.py:12: DeprecationWarning: …, and Node's, below the place in the source
  /(?:^|\n|:\d{1,6}: )[\w$.]{0,100}(Error|Exception|Warning)(?=:|$)/,
];

/**
 * [emerg] …, [core:error] …: nginx and Apache. The last of all: many loggers name the part of a program in brackets behind the
 * level, and it may be called `http` or `config`.
 */
const BRACKETED = new RegExp(
  String.raw`^.{0,40}\[(?:[a-z_]{1,40}:)?(${MARKED}|debug|info|notice|warn|error|crit)\]`,
);

/** A level stands at the head of a line; a bound also keeps a hostile line cheap. */
const HEAD_CHARS = 160;
const PRIORITY = /^<(\d{1,3})>/;

/**
 * The level that a plain line's beginning names, in the forms that servers and tools use, or that the status of its
 * request means where that is worse; `otherwise` where there is none.
 */
export function guessLevel(line: string, otherwise: Level = 'info'): Level {
  const head = withoutColors(line.slice(0, HEAD_CHARS)).trimStart();
  const named = namedLevel(head) ?? otherwise;
  const answered = levelOfStatus(statusOf(line));
  return answered && LEVELS.indexOf(answered) > LEVELS.indexOf(named) ? answered : named;
}

function namedLevel(head: string): Level | undefined {
  const priority = Number(PRIORITY.exec(head)?.[1] ?? 999);
  if (priority <= 191) return parseSyslogLevel(priority % 8);
  for (const form of MARKED_FORMS) {
    const level = parseLevel(form.exec(head)?.[1]);
    if (level) return level;
  }
  for (const form of FORMS) {
    const level = levelOf(form.exec(head)?.[1] ?? '');
    if (level) return level;
  }
  return parseLevel(BRACKETED.exec(head)?.[1]);
}

function levelOf(word: string): Level | undefined {
  return lookUp(LEVEL_OF, word);
}

function lookUp(table: Readonly<Record<string, Level>>, word: string): Level | undefined {
  const key = word.toLowerCase();
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
