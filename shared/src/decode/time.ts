// Reads the time of an entry: from the value of a field, or from the beginning of a plain line.
//
// Only times from 1973 to 5138 count, because in this range the size of a number shows its unit: 1795224320 is seconds, and
// 1795224320113 is milliseconds. A smaller number is a duration, an uptime or a clock that was never set; the "no time" of Go and
// .NET lies outside the range, too.

import { withoutColors } from './colors.ts';

const EARLIEST_MS = 1e11;
const LATEST_MS = 1e14;

/** Whole ms from epoch seconds, ms, µs or ns (by the size of the number), or from a date as text; `undefined` for any other value. */
export function parseTime(value: unknown): number | undefined {
  if (typeof value === 'string') {
    const text = value.slice(0, 100);
    return /^\d+(\.\d+)?$/.test(text) ? parseTime(Number(text)) : parseDate(text);
  }
  if (typeof value !== 'number') return undefined;
  return believed(
    value < 1e11 ? value * 1e3 : value < 1e14 ? value : value < 1e17 ? value / 1e3 : value / 1e6,
  );
}

function believed(ms: number): number | undefined {
  return ms >= EARLIEST_MS && ms < LATEST_MS ? Math.round(ms) : undefined;
}

// Date.parse alone accepts almost any text that ends in a number.
const DATE_TEXT = /^(?:\d{4}[-/]\d|[A-Z][a-z]{2},? )/;
// 29/Nov/2026:05:00:04 +0000
const ACCESS_LOG_DATE = /^(\d\d)\/([A-Z][a-z]{2})\/(\d{4})[: ]([\d:]{8})(?: ([+-]\d{4}))?$/;

function parseDate(text: string): number | undefined {
  const [, day, month, year, time, zone = ''] = ACCESS_LOG_DATE.exec(text) ?? [];
  if (time !== undefined) return believed(Date.parse(`${day} ${month} ${year} ${time} ${zone}`));
  return DATE_TEXT.test(text) ? believed(Date.parse(text.replace(/,(?=\d{3})/, '.'))) : undefined;
}

/** Only the beginning of a line is searched: its time stands there, and a hostile line stays cheap. */
const HEAD_CHARS = 160;

/**
 * What a logger may write before the time: `<11>1 `, `[GIN] `, `(EngineCore pid=99) `, `ERROR `, `ts=`, brackets and quotes. A time
 * that stands later in a line is part of its text.
 */
const LEAD = String.raw`^(?:<\d{1,3}>(?:1 )?)?(?:\([^()]{1,60}\) )?(?:\[[A-Za-z]{1,20}\] )?(?:[A-Z]{4,8}:? {1,4})?(?:(?:time|ts|t)=)?[[("]?`;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const CLOCK = String.raw`\d\d:\d\d:\d\d(?:[.,]\d{1,9})?`;

/** The named groups are the parts of the time. Without a year, the year is the last one in which the time is not after the arrival. */
const LINE_FORMS = [
  // 2026-11-29T05:00:05.123Z, 2026-11-29 05:00:05,123 +0100, 2026/11/29 - 05:00:04
  new RegExp(
    String.raw`${LEAD}(?<year>\d{4})[-/](?<month>\d\d)[-/](?<day>\d\d)(?:[T ]| - )(?<clock>${CLOCK}) ?(?<zone>Z|UTC|[+-]\d\d:?\d\d)?`,
  ),
  // 127.0.0.1 - - [29/Nov/2026:05:00:04 +0000]
  new RegExp(
    String.raw`\[(?<day>\d\d)/(?<month>[A-Z][a-z]{2})/(?<year>\d{4})[: ](?<clock>${CLOCK})(?: (?<zone>[+-]\d{4}))?\]`,
  ),
  // E1129 05:00:11.000000 1 server.go:11]
  new RegExp(String.raw`^[IWEF](?<month>\d\d)(?<day>\d\d) (?<clock>${CLOCK})`),
  // INFO 11-29 05:00:05 [engine.py:310] …: vLLM
  new RegExp(String.raw`${LEAD}(?<month>\d\d)-(?<day>\d\d) (?<clock>${CLOCK})`),
  // <11>Nov 29 05:00:12 host app[12]: …
  new RegExp(String.raw`${LEAD}(?<month>[A-Z][a-z]{2}) (?<day>[ \d]?\d) (?<clock>${CLOCK}) `),
  // Nov 29, 2026 5:00:04 AM …: java.util.logging
  /^(?<month>[A-Z][a-z]{2}) (?<day>\d\d?), (?<year>\d{4}) (?<clock>\d\d?:\d\d:\d\d) (?<half>[AP]M) /,
  // [Sun Nov 29 05:00:04.123456 2026]: Apache
  new RegExp(
    String.raw`^\[[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>\d\d) (?<clock>${CLOCK}) (?<year>\d{4})\]`,
  ),
  // 1:M 29 Nov 2026 05:00:04.867 *: Redis
  new RegExp(
    String.raw`^\d{1,9}:[XCSM] (?<day>\d\d?) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<clock>${CLOCK}) `,
  ),
];

/** A line is not from the future, but the clock of its host, or its time zone, may be ahead by this much. */
const CLOCK_AHEAD_MS = 2 * 86_400_000;

/** The time at the beginning of a plain line, in the forms that servers and tools use. Without a zone it is local time. */
export function timeOfLine(line: string, now: number): number | undefined {
  const head = withoutColors(line.slice(0, HEAD_CHARS));
  for (const form of LINE_FORMS) {
    const parts = form.exec(head)?.groups;
    if (parts) return timeOfParts(parts, now);
  }
  return undefined;
}

function timeOfParts(parts: Record<string, string | undefined>, now: number): number | undefined {
  const { year, month = '', day = '', clock = '', zone, half } = parts;
  const monthNumber = /^\d/.test(month) ? Number(month) : MONTHS.indexOf(month) + 1;
  const date = `${twoDigits(monthNumber)}-${twoDigits(Number(day))}`;
  const time = half === undefined ? clock.replace(',', '.') : twentyFourHours(clock, half);
  const offset = zone === 'UTC' ? 'Z' : (zone ?? '').replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');
  const inYear = (candidate: number | string) => Date.parse(`${candidate}-${date}T${time}${offset}`);
  if (year !== undefined) return believed(inYear(year));
  const thisYear = new Date(now).getFullYear();
  const candidates = [thisYear + 1, thisYear, thisYear - 1].map(inYear);
  return believed(candidates.find((ms) => ms <= now + CLOCK_AHEAD_MS) ?? Number.NaN);
}

function twentyFourHours(clock: string, half: string): string {
  const [hour = '', ...rest] = clock.split(':');
  return [twoDigits((Number(hour) % 12) + (half === 'PM' ? 12 : 0)), ...rest].join(':');
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
