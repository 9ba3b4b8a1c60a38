// How many lines of containers per second the collector takes into the log: read from an engine's socket, decoded, journaled, published.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { eventually, startProcess } from '../../../test-support/process.ts';
import { startRedis } from '../../../test-support/redis.ts';
import { startEngine } from '../containers/engine.ts';
import { cpuOf } from '../process-figures.ts';
import type { Context, Scenario } from '../scenario.ts';
import type { Figures } from '../table.ts';

const CONTAINERS = 10;
const BYTES = 200;
/** Lines for each second of the measurement. */
const LINES_PER_SECOND = 20_000;
const PATIENCE_MS = 120_000;

async function collector({ seconds, scaled }: Context): Promise<Figures> {
  const lines = scaled(Math.round((LINES_PER_SECOND * seconds) / CONTAINERS), 10);
  const folder = await mkdtemp(join(tmpdir(), 'llm-streamer-bench-'));
  const redis = await startRedis();
  const broker = new RedisBroker({ url: redis.url, retention: DEFAULT_RETENTION });
  const engine = await startEngine(folder, { containers: CONTAINERS, lines, bytes: BYTES });
  const program = startProcess(
    ['producer/src/main.ts', 'collect', '--socket', engine.path, '--state', join(folder, 'state.jsonl')],
    { env: { REDIS_URL: redis.url, LOG_LEVEL: 'info' } },
  );
  try {
    await broker.open(5_000);
    await program.saw('following');
    const began = performance.now();
    const expected = CONTAINERS * lines;
    const stored = async () => (await broker.channels('logs:*')).reduce((sum, { total }) => sum + total, 0);
    await eventually('all lines are in the log', async () => (await stored()) >= expected, PATIENCE_MS);
    const elapsed = (performance.now() - began) / 1_000;
    return {
      rate: expected / elapsed,
      cpu: (cpuOf(program.pid) * 1e6) / expected,
      redisCpu: (cpuOf(redis.pid) * 1e6) / expected,
      lost: expected - Math.min(expected, await stored()),
      notes: ['CPU with the start of the collector'],
    };
  } finally {
    await program.stop('SIGTERM');
    await engine[Symbol.asyncDispose]();
    await broker.close();
    await redis.stop();
    await rm(folder, { recursive: true });
  }
}

export const containerLines: Scenario = {
  name: 'containers',
  about: `lines/s of ${CONTAINERS} containers through collect into Redis; a line has ${BYTES} bytes`,
  designs: { collect: collector },
  bars: [],
};
