// What every benchmark needs: a real redis-server, the gateway as its own process, and what /proc says of both.

import { readdirSync, readFileSync } from 'node:fs';
import { RedisBroker } from '@llm-streamer/shared/broker/redis-broker.ts';
import { healthy, type RunningProcess, startProcess } from '../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace, startRedis } from '../../test-support/redis.ts';

export interface Stage {
  redis: RedisServer;
  broker: RedisBroker;
  gateway: RunningProcess;
  port: number;
  stop(): Promise<void>;
}

export async function openStage(env: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const redis = await startRedis();
  const port = await freePort();
  const namespace = randomNamespace();
  const gateway = startProcess(['gateway/src/main.ts'], {
    env: {
      REDIS_URL: redis.url,
      NAMESPACE: namespace,
      PORT: `${port}`,
      LOG_LEVEL: 'warn',
      ADOPT_CHANNELS: 'none',
      MAX_CONNECTIONS: '0',
      ...env,
    },
  });
  await healthy(`http://127.0.0.1:${port}/readyz`);
  const broker = new RedisBroker({ url: redis.url, namespace });
  await broker.open(5_000);
  const stop = async () => {
    await broker.close();
    await gateway.stop('SIGTERM');
    await redis.stop();
  };
  return { redis, broker, gateway, port, stop };
}

/** Proportional set size in bytes: memory shared with other processes counts in parts. */
export function memoryOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]) * 1_024;
}

/** CPU seconds, of user and system, since the process began. */
export function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function filesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export async function healthOf(port: number): Promise<Record<string, number>> {
  return (await (await fetch(`http://127.0.0.1:${port}/sse/health`)).json()) as Record<string, number>;
}

/** A Markdown table on stdout. */
export function table(rows: readonly Readonly<Record<string, string | number>>[]): void {
  const columns = Object.keys(rows[0] ?? {});
  console.log(`| ${columns.join(' | ')} |\n|${columns.map(() => '---').join('|')}|`);
  for (const row of rows) console.log(`| ${columns.map((column) => row[column]).join(' | ')} |`);
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
