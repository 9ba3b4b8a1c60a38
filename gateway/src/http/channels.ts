// GET /api/channels: what channels there are, how much they hold, and how busy they are.

import type { Broker, ChannelInfo } from '@llm-streamer/shared/broker/broker.ts';
import { formatPosition, timeOf } from '@llm-streamer/shared/broker/position.ts';
import type { FastifyInstance } from 'fastify';
import { noParameters } from './no-parameters.ts';

/** Rates are taken over at least this long, and at most about twice as long. */
const RATE_MS = 2_000;

interface Sample {
  at: number;
  totals: Map<string, number>;
}

export function channelsRoute(app: FastifyInstance, broker: Broker): void {
  const rates = new Rates();
  app.get('/api/channels', { preHandler: noParameters }, async () => {
    const infos = await broker.channels('*');
    const rateOf = rates.take(infos, Date.now());
    const channels = infos.map(({ channel, entries, total, last }) => ({
      channel,
      entries,
      total,
      /** Entries per second; null when nobody has asked lately. */
      rate: rateOf(channel, total),
      last: formatPosition(last),
      lastTime: timeOf(last),
    }));
    channels.sort((a, b) => a.channel.localeCompare(b.channel));
    return { channels };
  });
}

class Rates {
  #older: Sample | undefined;
  #newer: Sample | undefined;

  take(infos: readonly ChannelInfo[], now: number): (channel: string, total: number) => number | null {
    if (!this.#newer || now - this.#newer.at >= RATE_MS) {
      this.#older = this.#newer && now - this.#newer.at < 10 * RATE_MS ? this.#newer : undefined;
      this.#newer = { at: now, totals: new Map(infos.map(({ channel, total }) => [channel, total])) };
    }
    const base = this.#older;
    if (!base) return () => null;
    const seconds = (now - base.at) / 1_000;
    // A log that was wiped counts anew, and so does a channel whose entries all went.
    return (channel, total) =>
      Math.max(0, Math.round(((total - (base.totals.get(channel) ?? 0)) / seconds) * 10) / 10);
  }
}
