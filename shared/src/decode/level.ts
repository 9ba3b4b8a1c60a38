// Finds the level that a word, a number or a log line of another program means.

import { LEVELS, type Level } from '../entry.ts';
import { statusOf } from './access-log.ts';
import { withoutColors } from './colors.ts';

// Keys are in lower case. Single characters are those of klog (I W E F) and redis-server (. - * #); words of three or four
// letters are those of zerolog, Serilog, logrus and .NET.
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

// These words are levels, too, but a sentence may begin with them ("Fine-tuning …", "Config loaded"). So they count only if a field
// or a bracket marks them as a level.
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

/** The level of pino's number, also as a string of digits, or of any usual word; `undefined` for anything else. */
export function parseLevel(value: unknown): Level | undefined {
  // Numbers below 10 have no level: syslog and OpenTelemetry use them in opposite directions.
  if (typeof value === 'number') return LEVELS[Math.min(5, Math.floor(value / 10) - 1)];
  if (typeof value !== 'string' || value.length > 40) return undefined;
  if (/^\d{2,3}$/.test(value)) return parseLevel(Number(value));
  // Go's slog writes ERROR+4 for a level between two names.
  const word = withoutColors(value)
    .trim()
    .replace(/[+-]\d{1,3}$/, '');
  return levelOf(word) ?? lookUp(MARKED_LEVEL_OF, word);
}

/** The level of syslog's severity, 0 to 7, as GELF and journald write it. */
export function parseSyslogLevel(value: unknown): Level | undefined {
  return (['fatal', 'fatal', 'fatal', 'error', 'warn', 'info', 'info', 'debug'] as const)[wholeNumber(value)];
}

/** The level of OpenTelemetry's severity number, 1 to 24: four numbers for each level. */
export function parseOtelLevel(value: unknown): Level | undefined {
  return LEVELS[Math.floor((wholeNumber(value) - 1) / 4)];
}

function wholeNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : Number.NaN;
}

/** The level of an HTTP status: `error` from 500, `warn` from 400. */
export function levelOfStatus(status: number): Level | undefined {
  if (status >= 400 && status < 600) return status >= 500 ? 'error' : 'warn';
  return undefined;
}

const TIME = String.raw`(?:[[(<]?\d[\dTZ:.,+\-/ |]*[\])>]?\s*)?`;
const WORD = String.raw`[[(<]?([A-Za-z]{3,11})\d?!?[\])>]?(?=[\s|:(\]]|$)`;
const MARKED = Object.keys(MARKED_LEVEL_OF).join('|');

// The forms in which a line names its level, the most certain first. The first form that gives a known word decides.
const MARKED_FORMS = [
  // level=warn, "level":"warn": logfmt, and JSON that was cut
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
 * [emerg] …, [core:error] …: nginx and Apache. It is tried last, because many loggers write the name of a part of a program in
 * brackets after the level, and that name may be `http` or `config`.
 */
const BRACKETED = new RegExp(
  String.raw`^.{0,40}\[(?:[a-z_]{1,40}:)?(${MARKED}|debug|info|notice|warn|error|crit)\]`,
);

/** Only the beginning of a line is searched: levels stand there, and a hostile line stays cheap. */
const HEAD_CHARS = 160;
const PRIORITY = /^<(\d{1,3})>/;

/**
 * The level that the beginning of a plain line names, in the forms that servers and tools use, or the level of the status of its
 * request, if that is worse. `otherwise` if the line has neither.
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
