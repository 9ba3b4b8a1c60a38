// The names under which loggers write time, level, message and the other fields in a JSON object. A name with dots is a key with
// dots, or a path into nested objects: `log.level` finds `{"log.level":…}` and `{"log":{"level":…}}`.

import { isLabel, LEVELS, type Level } from '../entry.ts';
import { parseLevel, parseOtelLevel, parseSyslogLevel } from './level.ts';
import { parseTime } from './time.ts';

export interface Field<T> {
  /** The entry's own name for the field. In strict mode a value of a wrong type under this name is an error. */
  own: string;
  parse: (value: unknown) => T | undefined;
  allowed: string;
  /** Whether the value is what another logger writes under the same name. It is then an attribute, and no error. */
  isForeign?: (value: unknown) => boolean;
  /** Other names, in order of preference. The first one whose value can be parsed counts; the others stay attributes. */
  aliases: readonly string[];
  /** Aliases whose values have a form of their own. */
  special?: Readonly<Record<string, (value: unknown) => T | undefined>>;
}

export const TIME: Field<number> = {
  own: 'time',
  parse: parseTime,
  allowed: 'epoch milliseconds or ISO 8601',
  // For example a duration, a time of day, or Go's "no time".
  isForeign: (value) => typeof value === 'number' || (typeof value === 'string' && /^\d/.test(value)),
  aliases: [
    'timestamp',
    'ts',
    '@timestamp',
    '@t', // Serilog
    'Timestamp', // .NET
    'timeUnixNano', // OpenTelemetry
    'observedTimeUnixNano',
    '_SOURCE_REALTIME_TIMESTAMP', // journald
    '__REALTIME_TIMESTAMP',
    'record.time.timestamp', // loguru
    'ISODATE', // syslog-ng
    'timereported', // rsyslog
    'instant', // log4j2
    'timeMillis',
    'date', // Fluent Bit
    'datetime',
    'asctime',
    't',
  ],
  special: { instant: parseInstant },
};

export const LEVEL: Field<Level> = {
  own: 'level',
  parse: parseLevel,
  allowed: `one of ${LEVELS.join(', ')}`,
  aliases: [
    'severity',
    'levelname', // Python
    'lvl',
    'log.level', // Elastic
    '@l', // Serilog
    'Level',
    'LogLevel', // .NET
    'severityText', // OpenTelemetry
    'severity_text',
    'SeverityText',
    'severityNumber',
    'PRIORITY', // journald by number, syslog-ng by name
    'syslogseverity', // rsyslog
    'syslogseverity-text',
    'record.level.name', // loguru
  ],
  special: { severityNumber: parseOtelLevel, PRIORITY: parsePriority, syslogseverity: parseSyslogLevel },
};

/**
 * The level of loggers whose `level` is a number on another scale: PHP's Monolog counts to 600 and names the level in `level_name`;
 * GELF, recognized by `short_message`, counts as syslog does.
 */
export function levelOfOtherScale(object: Record<string, unknown>): Level | undefined {
  if (typeof object.level_name === 'string') return parseLevel(object.level_name);
  return typeof object.short_message === 'string' ? parseSyslogLevel(object.level) : undefined;
}

function parsePriority(value: unknown): Level | undefined {
  return parseSyslogLevel(value) ?? parseLevel(value);
}

export const MESSAGE: Field<string> = {
  own: 'msg',
  parse: (value) => (typeof value === 'string' ? value : undefined),
  allowed: 'a string',
  isForeign: isFilled,
  aliases: [
    'message',
    'Message', // .NET
    '@m', // Serilog
    'RenderedMessage',
    'record.message', // loguru
    'fields.message', // Rust's tracing
    'short_message', // GELF
    'body', // OpenTelemetry
    'body.stringValue',
    'Body',
    '_msg', // VictoriaLogs
  ],
};

/** A message under its other names. Unlike `msg` itself, a blank value does not count, so that the next name is tried. */
export const OTHER_MESSAGE: Field<string> = {
  ...MESSAGE,
  parse: (value) => (typeof value === 'string' && value.trim() !== '' ? value : undefined),
};

const LABEL = {
  parse: (value: unknown) => (isLabel(value) ? value.toWellFormed() : undefined),
  allowed: 'a string of 1 to 200 characters',
};

export const SOURCE: Field<string> = {
  ...LABEL,
  own: 'source',
  isForeign: isFilled, // for example the place in the code, which Go's slog writes
  aliases: [
    'name',
    'logger',
    'logger_name', // Logback
    'loggerName', // log4j2
    'log.logger', // Elastic
    'service.name',
    'Category', // .NET
    'record.name', // loguru
    'SYSLOG_IDENTIFIER', // journald
    '_SYSTEMD_UNIT',
    'PROGRAM', // syslog-ng
    'programname', // rsyslog
    'kubernetes.pod_name', // Fluent Bit, Fluentd
  ],
};

export const EVENT: Field<string> = {
  ...LABEL,
  own: 'event',
  isForeign: isFilled, // for example an object, which Elastic writes
  aliases: ['event_type'],
};

export const RUN: Field<string> = { ...LABEL, own: 'run', aliases: ['run_id'] };

/** The container's name in a record of Docker's driver `fluentd`, whose `source` is the output that the line was written to. */
export function containerOf({ container_name: name, source }: Record<string, unknown>): string | undefined {
  if (source !== 'stdout' && source !== 'stderr') return undefined;
  return isLabel(name) ? name.replace(/^\/(?=.)/, '') : undefined;
}

function isFilled(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

/** The line of a program that a collector carries in an object, under `log` (Docker, Fluent Bit) or `MESSAGE` (journald). */
export function carriedLine(object: Record<string, unknown>): { key: string; line: string } | undefined {
  for (const key of ['log', 'MESSAGE']) {
    const value = key === 'MESSAGE' ? textOfBytes(object[key]) : object[key];
    if (typeof value === 'string' && value.trim() !== '') return { key, line: value };
  }
  return undefined;
}

/** journald writes a message that is not plain text, for example one with colors, as an array of its bytes. */
function textOfBytes(value: unknown): unknown {
  const isBytes =
    Array.isArray(value) && value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256);
  return isBytes ? new TextDecoder().decode(Uint8Array.from(value)) : value;
}

/** Reads the time of log4j2, which writes seconds and nanoseconds as two numbers. */
function parseInstant(value: unknown): number | undefined {
  const { epochSecond, nanoOfSecond } = (value ?? {}) as Record<string, unknown>;
  if (typeof epochSecond !== 'number') return undefined;
  return parseTime(epochSecond + (typeof nanoOfSecond === 'number' ? nanoOfSecond / 1e9 : 0));
}

/** The value under a name that may have dots. Only own properties count, so that no prototype is reached. */
export function valueAt(object: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name];
  const dot = name.indexOf('.');
  if (dot < 0 || !Object.hasOwn(object, name.slice(0, dot))) return undefined;
  let value: unknown = object;
  for (const key of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
