// Lists of all channels, with their number of entries and their rate. However many clients ask at once, at most one list is made at a
// time, and clients with equal rights get the same part of it.

import type { ChannelSummary } from '@llm-streamer/shared/api-types.ts';
import type { Broker, ChannelInfo } from '@llm-streamer/shared/broker/broker.ts';
import { formatPosition, timeOf } from '@llm-streamer/shared/broker/position.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { Access } from '../auth/access.ts';

/** A rate is the mean of at least this time, and of at most about twice as much. */
const RATE_MS = 2_000;

interface Sample {
  at: number;
  totals: Map<string, number>;
}

export class ChannelLists {
  readonly #broker: Broker;
  readonly #rates = new Rates();
  readonly #slicer = new TimeSlicer();
  /** The next list, for all requests that come before it is begun. They cannot share the current one, which may lack newer channels. */
  #next: Promise<ChannelList> | undefined;
  #current: Promise<unknown> = Promise.resolve();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** A list that holds every channel that there is now. @throws BrokerUnavailable */
  next(): Promise<ChannelList> {
    this.#next ??= this.#current.then(() => {
      this.#next = undefined;
      const made = this.#make();
      this.#current = made.catch(() => undefined);
      return made;
    });
    return this.#next;
  }

  async #make(): Promise<ChannelList> {
    const infos = await sortByName(await this.#broker.channels('*'), this.#slicer);
    const rateOf = this.#rates.measure(infos, Date.now());
    const items: ChannelSummary[] = [];
    for (const { channel, entries, total, last } of infos) {
      const pause = this.#slicer.pauseIfDue();
      if (pause) await pause;
      items.push({
        channel,
        entries,
        total,
        rate: rateOf(channel, total),
        last: formatPosition(last),
        lastTime: timeOf(last),
      });
    }
    return new ChannelList(items, this.#slicer);
  }
}

const CHUNK = 1_000;

/** Sorts by name, in chunks that are merged in pairs: to sort tens of thousands at once would block the event loop. */
async function sortByName(infos: readonly ChannelInfo[], slicer: TimeSlicer): Promise<ChannelInfo[]> {
  let chunks: ChannelInfo[][] = [];
  for (let from = 0; from < infos.length; from += CHUNK) {
    await slicer.pauseIfDue();
    chunks.push(infos.slice(from, from + CHUNK).sort((a, b) => compare(a.channel, b.channel)));
  }
  while (chunks.length > 1) {
    const merged: ChannelInfo[][] = [];
    for (let i = 0; i < chunks.length; i += 2)
      merged.push(await merge(chunks[i] as ChannelInfo[], chunks[i + 1] ?? [], slicer));
    chunks = merged;
  }
  return chunks[0] ?? [];
}

async function merge(
  left: readonly ChannelInfo[],
  right: readonly ChannelInfo[],
  slicer: TimeSlicer,
): Promise<ChannelInfo[]> {
  const all: ChannelInfo[] = [];
  let [l, r] = [0, 0];
  while (l < left.length || r < right.length) {
    const pause = slicer.pauseIfDue();
    if (pause) await pause;
    const [a, b] = [left[l], right[r]];
    if (a && (!b || compare(a.channel, b.channel) <= 0)) {
      all.push(a);
      l++;
    } else if (b) {
      all.push(b);
      r++;
    }
  }
  return all;
}

/** One list, and its parts for those who waited for it. A part lives no longer than they: the room of large answers bounds that. */
export class ChannelList {
  readonly #items: readonly ChannelSummary[];
  readonly #slicer: TimeSlicer;
  readonly #parts = new Map<string, Promise<Buffer>>();

  constructor(items: readonly ChannelSummary[], slicer: TimeSlicer) {
    this.#items = items;
    this.#slicer = slicer;
  }

  /** As JSON. */
  readableBy(access: Access): Promise<Buffer> {
    const { read } = access.principal.grants;
    const rights = read.includes('*') ? '*' : read.join();
    let part = this.#parts.get(rights);
    if (!part) {
      part = this.#part(rights === '*' ? () => true : (channel) => access.mayRead(channel));
      this.#parts.set(rights, part);
    }
    return part;
  }

  /** Those that pass, by name. */
  async select(passes: (channel: string) => boolean): Promise<ChannelSummary[]> {
    const passing: ChannelSummary[] = [];
    for (const item of this.#items) {
      const pause = this.#slicer.pauseIfDue();
      if (pause) await pause;
      if (passes(item.channel)) passing.push(item);
    }
    return passing;
  }

  async #part(mayRead: (channel: string) => boolean): Promise<Buffer> {
    const parts: string[] = [];
    for (const item of this.#items) {
      const pause = this.#slicer.pauseIfDue();
      if (pause) await pause;
      if (mayRead(item.channel)) parts.push(JSON.stringify(item));
    }
    return Buffer.from(`{"channels":[${parts.join(',')}]}`);
  }
}

const { compare } = new Intl.Collator();

/** Compares the totals of two lists that were made at different times. */
class Rates {
  #older: Sample | undefined;
  #newer: Sample | undefined;

  measure(infos: readonly ChannelInfo[], now: number): (channel: string, total: number) => number | null {
    if (!this.#newer || now - this.#newer.at >= RATE_MS) {
      this.#older = this.#newer && now - this.#newer.at < 10 * RATE_MS ? this.#newer : undefined;
      this.#newer = { at: now, totals: new Map(infos.map(({ channel, total }) => [channel, total])) };
    }
    const base = this.#older;
    if (!base) return () => null;
    const seconds = (now - base.at) / 1_000;
    // The total falls if the log was wiped, or if the channel has lost all its entries. The rate is then 0, not negative.
    return (channel, total) =>
      Math.max(0, Math.round(((total - (base.totals.get(channel) ?? 0)) / seconds) * 10) / 10);
  }
}
