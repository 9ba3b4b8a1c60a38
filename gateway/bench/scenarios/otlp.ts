// How many log records per second a gateway takes from OpenTelemetry's own exporter into Redis, beside the same lines by POST
// /api/publish. The exporter's requests are recorded first, so that its own work is not measured.

import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SeverityNumber } from '@opentelemetry/api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { healthy, startProcess } from '../../../test-support/process.ts';
import { freePort, startRedis } from '../../../test-support/redis.ts';
import { NODE_FLAGS } from '../../src/node-flags.ts';
import { cpuOf } from '../process-figures.ts';
import { type Context, ratio, type Scenario } from '../scenario.ts';
import type { Figures } from '../table.ts';

const BATCH = 512;
const UNDER_WAY = 4;
const WARM_UP_BATCHES = 40;
const BATCHES_PER_SECOND = 40;
const START_MS = 120_000;
const LINE = `GET /v1/models 200 ${'x'.repeat(160)}`;

interface Body {
  path: string;
  type: string;
  bytes: Buffer;
}

/** What the exporter sends, a request for each batch: bodies differ, so that none is taken for a repeat. */
async function recorded(batches: number): Promise<Body[]> {
  const bodies: Body[] = [];
  const sink = createServer((asked, answer) => {
    const chunks: Buffer[] = [];
    asked.on('data', (chunk: Buffer) => chunks.push(chunk));
    asked.on('end', () => {
      bodies.push({ path: '/v1/logs', type: 'application/x-protobuf', bytes: Buffer.concat(chunks) });
      answer.end();
    });
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const { port } = sink.address() as AddressInfo;
  const exporter = new OTLPLogExporter({ url: `http://127.0.0.1:${port}/v1/logs` });
  const processor = new BatchLogRecordProcessor({
    exporter,
    maxExportBatchSize: BATCH,
    maxQueueSize: 2 * BATCH,
  });
  const provider = new LoggerProvider({
    resource: resourceFromAttributes({ 'service.name': 'bench' }),
    processors: [processor],
  });
  const logger = provider.getLogger('bench');
  for (let batch = 0; batch < batches; batch++) {
    for (let i = 0; i < BATCH; i++)
      logger.emit({
        severityNumber: SeverityNumber.INFO,
        body: `${LINE} ${batch * BATCH + i}`,
        attributes: { 'http.status_code': 200, pod: 'a' },
      });
    await provider.forceFlush();
  }
  await provider.shutdown();
  sink.close().closeAllConnections();
  return bodies;
}

async function lines(batches: number): Promise<Body[]> {
  return Array.from({ length: batches }, (_, batch) => {
    const entries = Array.from({ length: BATCH }, (_, i) =>
      JSON.stringify({
        channel: 'logs:bench',
        source: 'bench',
        level: 'info',
        msg: `${LINE} ${batch * BATCH + i}`,
        attrs: { 'http.status_code': 200, pod: 'a' },
      }),
    );
    return { path: '/api/publish', type: 'application/x-ndjson', bytes: Buffer.from(entries.join('\n')) };
  });
}

function post(port: number, agent: Agent, { path, type, bytes }: Body): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const headers = { 'content-type': type, 'content-length': bytes.length };
  const asked = request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent }, (answer) => {
    const { statusCode = 0 } = answer;
    if (statusCode >= 300) reject(new Error(`a batch was answered with ${statusCode}`));
    answer.resume().on('end', resolve).on('error', reject);
  });
  asked.on('error', reject).end(bytes);
  return promise;
}

const design =
  (make: (batches: number) => Promise<Body[]>) =>
  async ({ seconds, scaled }: Context): Promise<Figures> => {
    const measured = scaled(Math.round(BATCHES_PER_SECOND * seconds), UNDER_WAY);
    const bodies = await make(WARM_UP_BATCHES + measured);
    const [redis, port] = await Promise.all([startRedis(), freePort()]);
    const env = { REDIS_URL: redis.url, PORT: `${port}`, LOG_LEVEL: 'warn' };
    const gateway = startProcess([...NODE_FLAGS, 'gateway/src/main.ts'], { env });
    const agent = new Agent({ keepAlive: true });
    try {
      await healthy(`http://127.0.0.1:${port}/readyz`, START_MS);
      const send = async (part: readonly Body[]) => {
        const left = part.values();
        const client = async () => {
          for (const body of left) await post(port, agent, body);
        };
        await Promise.all(Array.from({ length: UNDER_WAY }, client));
      };
      await send(bodies.slice(0, WARM_UP_BATCHES));
      const before = { gateway: cpuOf(gateway.pid), redis: cpuOf(redis.pid) };
      const began = performance.now();
      await send(bodies.slice(WARM_UP_BATCHES));
      const elapsed = (performance.now() - began) / 1_000;
      const entries = measured * BATCH;
      return {
        rate: entries / elapsed,
        cpu: ((cpuOf(gateway.pid) - before.gateway) * 1e6) / entries,
        redisCpu: ((cpuOf(redis.pid) - before.redis) * 1e6) / entries,
      };
    } finally {
      agent.destroy();
      await gateway.stop('SIGKILL');
      await redis.stop();
    }
  };

export const otlpRecords: Scenario = {
  name: 'otlp',
  about: `log records/s by OTLP (protobuf, ${BATCH} a request) into Redis, beside the same lines as NDJSON by POST /api/publish`,
  designs: { otlp: design(recorded), publish: design(lines) },
  bars: [{ says: '× publish', of: ratio(({ rate }) => rate, 'otlp', 'publish'), least: 0.2 }],
};
