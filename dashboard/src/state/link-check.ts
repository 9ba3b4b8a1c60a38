// What a link asks for and does not get: values that no view can have.
import { isPattern } from '@llm-streamer/shared/channels.ts';
import { parseView } from './view-state.ts';

const CHANNELS = ['channels', 'ch', 'channel'];
const FLAGS = ['follow', 'wrap', 'fold', 'narrow', 'charts', 'list', 'embed', 'keys'];
const SHOWN_CHARS = 40;

/** As `name=value`, in the order of the query; only printable ASCII, and cut: they are strangers' words. */
export function ignoredIn(search: string): string[] {
  const { level, tail, range, time, panel, theme } = parseView(search);
  const got = new Map([
    ['level', level || 'trace'],
    ['tail', String(tail)],
    ['range', range ? `${range.from}..${range.to}` : ''],
    ['time', time],
    ['panel', panel],
    ['theme', theme],
  ]);
  const ignored: string[] = [];
  for (const [name, value] of new URLSearchParams(search)) {
    const isChannels = CHANNELS.includes(name);
    for (const each of isChannels ? value.split(',') : [value]) {
      const isGot = isChannels
        ? isPattern(each.trim())
        : FLAGS.includes(name)
          ? /^[01]$/.test(each)
          : each === (got.get(name) ?? each);
      if (each.trim() !== '' && !isGot) ignored.push(`${name}=${each}`);
    }
  }
  return ignored.map((text) => text.replace(/[^\x20-\x7e]/g, '?').slice(0, SHOWN_CHARS));
}
