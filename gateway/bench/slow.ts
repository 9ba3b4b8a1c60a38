// 100 viewers that read 1 kB/s beside 100 healthy ones, under 5 MB/s of entries: what they cost the gateway's memory and
// the healthy viewers' latency, against the same load without them.

import { draft } from '@llm-streamer/shared/entry.ts';
import { memoryOf, openStage, percentile, type Stage, table } from './stage.ts';
import { BenchViewers } from './viewers.ts';

const SECONDS = 30;
const ENTRY_BYTES = 4_000;
const BYTES_PER_SECOND = 5_000_000;
const STEP_MS = 10;

export async function slow(): Promise<void> {
  const rows = [await run(0), await run(100)];
  table(rows);
}

async function run(slowViewers: number): Promise<Record<string, string | number>> {
  const stage = await openStage();
  const path = '/stream?channels=load';
  const healthy = new BenchViewers({ port: stage.port, path, count: 100, sampled: 5 });
  const lazy = new BenchViewers({ port: stage.port, path, count: slowViewers, bytesPerSecond: 1_000 });
  try {
    await healthy.open();
    await lazy.open();
    await publish(stage, 5);
    healthy.latencies = [];
    const before = memoryOf(stage.gateway.pid);
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, memoryOf(stage.gateway.pid));
    }, 1_000);
    const published = await publish(stage, SECONDS);
    clearInterval(watch);
    const sorted = healthy.latencies.sort((a, b) => a - b);
    const mb = (bytes: number) => (bytes / 1_048_576).toFixed(1);
    return {
      'slow viewers': slowViewers,
      'MB/s published': (published / SECONDS / 1e6).toFixed(1),
      'healthy p50 ms': percentile(sorted, 0.5),
      'healthy p99 ms': percentile(sorted, 0.99),
      'gateway MB before': mb(before),
      'grew by MB at most': mb(most - before),
    };
  } finally {
    healthy.close();
    lazy.close();
    await stage.stop();
  }
}

async function publish({ broker }: Stage, seconds: number): Promise<number> {
  const end = Date.now() + seconds * 1_000;
  const began = Date.now();
  const msg = 'x'.repeat(ENTRY_BYTES - 100);
  let bytes = 0;
  while (Date.now() < end) {
    const owed = ((Date.now() - began) / 1_000) * BYTES_PER_SECOND - bytes;
    const count = Math.min(100, Math.floor(owed / ENTRY_BYTES));
    if (count > 0) {
      const fields = { time: Date.now(), channel: 'load', source: 'bench', level: 'info' as const, msg };
      await broker.publish(Array.from({ length: count }, () => draft(fields)));
      bytes += count * ENTRY_BYTES;
    }
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
  return bytes;
}
