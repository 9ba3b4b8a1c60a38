// Finds the parameters of a link that the page ignores, because no view can have their value.
import { FLAGS, parseView } from './view-state.ts';

const SHOWN_CHARS = 40;

/** Each as `name=value`, reduced to printable ASCII and cut to 40 characters, since a link may contain anything. */
export function ignoredIn(search: string): string[] {
  const { invalidChannels, level, tail, range, time, sort, panel, theme } = parseView(search);
  const got = new Map([
    ['level', level || 'trace'],
    ['tail', String(tail)],
    ['range', range ? `${range.from}..${range.to}` : ''],
    ['time', time],
    ['sort', sort],
    ['panel', panel],
    ['theme', theme],
  ]);
  const ignored = invalidChannels.map((name) => `channels=${name}`);
  for (const [name, value] of new URLSearchParams(search)) {
    const isGot = FLAGS.includes(name) ? /^[01]$/.test(value) : value === (got.get(name) ?? value);
    if (value.trim() !== '' && !isGot) ignored.push(`${name}=${value}`);
  }
  return ignored.map((text) => text.replace(/[^\x20-\x7e]/g, '?').slice(0, SHOWN_CHARS));
}
