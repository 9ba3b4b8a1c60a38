// What a link asks for and does not get: values that no view can have.
import { FLAGS, parseView } from './view-state.ts';

const SHOWN_CHARS = 40;

/** As `name=value`; only printable ASCII, and cut: they are strangers' words. */
export function ignoredIn(search: string): string[] {
  const { invalidChannels, level, tail, range, time, panel, theme } = parseView(search);
  const got = new Map([
    ['level', level || 'trace'],
    ['tail', String(tail)],
    ['range', range ? `${range.from}..${range.to}` : ''],
    ['time', time],
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
