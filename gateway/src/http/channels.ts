// GET /api/channels: what channels there are, how much they hold, and how busy they are.

import type { ChannelSummary } from '@llm-streamer/shared/api-types.ts';
import type { Broker, ChannelInfo } from '@llm-streamer/shared/broker/broker.ts';
import { formatPosition, timeOf } from '@llm-streamer/shared/broker/position.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { FastifyInstance } from 'fastify';
import { refuseParameters } from './refuse-parameters.ts';

/** Rates are taken over at least this long, and at most about twice as long. */
const RATE_MS = 2_000;

interface Sample {
  at: number;
  totals: Map<string, number>;
}

/** Of fifty thousand channels with names of middling length. */
const ANSWER_BYTES = 16_777_216;

export function channelsRoute(app: FastifyInstance, broker: Broker): void {
  const rates = new Rates();
  const pace = new TimeSlicer();
  /** The list that is made next: for all who ask until then. One that is being made may already lack what they know. */
  let next: Promise<Buffer> | undefined;
  let current: Promise<unknown> = Promise.resolve();

  const options = { preHandler: refuseParameters, config: { answerBytes: ANSWER_BYTES } };
  app.get('/api/channels', options, async (_request, reply) => {
    next ??= current.then(() => {
      next = undefined;
      const made = list();
      current = made.catch(() => undefined);
      return made;
    });
    const answer = await next;
    await pace.pauseIfDue(); // megabytes each: not to all who asked in one go
    return reply.type('application/json; charset=utf-8').send(answer);
  });

  async function list(): Promise<Buffer> {
    const infos = await inOrder(await broker.channels('*'), pace);
    const rateOf = rates.take(infos, Date.now());
    const parts: string[] = [];
    for (const { channel, entries, total, last } of infos) {
      const turn = pace.pauseIfDue();
      if (turn) await turn;
      const summary: ChannelSummary = {
        channel,
        entries,
        total,
        rate: rateOf(channel, total),
        last: formatPosition(last),
        lastTime: timeOf(last),
      };
      parts.push(JSON.stringify(summary));
    }
    return Buffer.from(`{"channels":[${parts.join(',')}]}`);
  }
}

const RUN = 1_000;

/** By name. Tens of thousands are sorted in runs that are merged two by two: one sort of all would hold the loop. */
async function inOrder(infos: readonly ChannelInfo[], pace: TimeSlicer): Promise<ChannelInfo[]> {
  let runs: ChannelInfo[][] = [];
  for (let from = 0; from < infos.length; from += RUN) {
    await pace.pauseIfDue();
    runs.push(infos.slice(from, from + RUN).sort((a, b) => compare(a.channel, b.channel)));
  }
  while (runs.length > 1) {
    const merged: ChannelInfo[][] = [];
    for (let i = 0; i < runs.length; i += 2)
      merged.push(await merge(runs[i] as ChannelInfo[], runs[i + 1] ?? [], pace));
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge(
  left: readonly ChannelInfo[],
  right: readonly ChannelInfo[],
  pace: TimeSlicer,
): Promise<ChannelInfo[]> {
  const all: ChannelInfo[] = [];
  let [l, r] = [0, 0];
  while (l < left.length || r < right.length) {
    const turn = pace.pauseIfDue();
    if (turn) await turn;
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

const { compare } = new Intl.Collator();

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
