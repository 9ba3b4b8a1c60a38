// What the log's append costs: ids, history and the check for repeats, against the same entries as bare commands, in
// batches of a hundred, with one subscriber.

import { DEFAULT_NAMESPACE, RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { appendRate, connect, figuresOf, notesOf, since, warmUp } from '../measure.ts';
import type { OpenPublisher } from '../publish/publish-worker.ts';
import { type Context, ratio, type Scenario } from '../scenario.ts';
import { Stage } from '../stage.ts';
import type { Figures } from '../table.ts';
import type { StartTarget } from '../targets/target.ts';

const KEYS = new RedisKeys(DEFAULT_NAMESPACE);
const LANE = { channel: 'bench', source: 'bench' };
const BATCH = 100;
const UNDER_WAY = 400;
const TRIAL_ENTRIES = 5_000;
const PATIENCE_MS = 10_000;

/** Redis alone: its subscriber speaks no HTTP. */
const redisAlone =
  (form: OpenPublisher['form']): StartTarget =>
  async (redis) => ({
    port: redis.port,
    pids: [],
    bare: true,
    request: ({ channel }) => `SUBSCRIBE ${form === 'log-unechoed' ? KEYS.announced(channel) : channel}\r\n`,
    publish: { form, port: redis.port, connections: 1, maxUnderWay: UNDER_WAY, batch: BATCH },
    stop: async () => {},
  });

const design =
  (form: OpenPublisher['form'], announces = true) =>
  ({ seconds, scaled }: Context) =>
    Stage.with(redisAlone(form), { viewers: 1, sampled: 1, lanes: [LANE], bytes: 200 }, async (stage) => {
      await connect(stage);
      if (announces) await warmUp(stage);
      const rate = announces
        ? await appendRate(stage, scaled(TRIAL_ENTRIES, BATCH))
        : await unheardRate(stage, scaled(TRIAL_ENTRIES, BATCH));
      await stage.load.call('begin', undefined);
      const count = scaled(Math.round(rate * seconds), BATCH);
      const [before, began] = [stage.cpu(), performance.now()];
      const { ms } = await stage.publisher.call('send', { count, rate: 0 });
      if (announces) await stage.load.call('reached', { entries: count, timeoutMs: PATIENCE_MS });
      const elapsed = (performance.now() - began) / 1_000;
      const cpu = since(before, stage.cpu());
      const report = await stage.load.call('report', undefined);
      const { lost, repeated } = figuresOf(report, announces ? count : 0, cpu, elapsed);
      const figures: Figures = {
        rate: (count * 1_000) / ms,
        redisCpu: (cpu.redis * 1e6) / count,
        ...(announces && { lost: lost ?? 0, repeated: repeated ?? 0 }),
        notes: notesOf(report, cpu, elapsed),
      };
      return figures;
    });

async function unheardRate(stage: Stage, count: number): Promise<number> {
  const { ms } = await stage.publisher.call('send', { count, rate: 0 });
  return (count * 1_000) / ms;
}

export const publishing: Scenario = {
  name: 'publish',
  about: 'entries/s into Redis, one subscriber: append.lua against bare XADD + PUBLISH pairs, and each alone',
  designs: {
    log: design('log'),
    'without PLAIN_CHANNELS': design('log-unechoed'),
    'bare pairs': design('pairs'),
    'bare PUBLISH': design('publish'),
    'bare XADD': design('xadd', false),
  },
  bars: [
    {
      says: '× bare pairs, without PLAIN_CHANNELS',
      of: ratio(({ rate }) => rate, 'without PLAIN_CHANNELS', 'bare pairs'),
      least: 0.5,
    },
    // Each entry is published twice.
    {
      says: '× without PLAIN_CHANNELS',
      of: ratio(({ rate }) => rate, 'log', 'without PLAIN_CHANNELS'),
      least: 0.5,
    },
  ],
  remarks: ({ redisCpu }) => [`${Math.round((redisCpu ?? 0) * 10) / 10} µs of Redis an entry`],
};
