// A collector that is away, or takes connections and is silent: runs go on, what waits is bounded, and each span is counted.

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { freePort } from '../../../test-support/redis.ts';
import { OtelTracer } from '../../src/tracing/otel-tracer.ts';
import { afterwards, ask, counted, entriesOf, opened, spans } from './traced-gateway.ts';

const quick = { simulator: { tokenMs: 0 } };

/** Takes requests, and answers them only when it is told to. */
async function openSilentCollector() {
  const waiting: ServerResponse[] = [];
  let status: number | undefined;
  const server = createServer((request, response) => {
    request.resume();
    if (status === undefined) waiting.push(response);
    else response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterwards(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting,
    answer: (code: number) => {
      status = code;
      for (const response of waiting.splice(0)) response.writeHead(code).end();
    },
  };
}

it('a run is as usual while the collector takes connections and is silent, and so is the end of its gateway', async () => {
  const silent = await openSilentCollector();
  const gateway = await opened({ OTEL_EXPORTER_OTLP_ENDPOINT: silent.url }, quick);
  expect(await ask(gateway, 'm1')).toContain('"status":"Completed"');
  await eventually('the spans are on their way', () => silent.waiting.length > 0);
  expect(await ask(gateway, 'm2')).toContain('"status":"Completed"');
  await gateway.stop();
});

it('spans that nobody takes are counted and said; those that come after the outage are delivered', async () => {
  const port = await freePort();
  const gateway = await opened({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` }, quick);
  expect(await ask(gateway, 'm1')).toContain('"status":"Completed"');
  await eventually('the spans are lost', async () => (await counted(gateway, 'lost')) === 7, 45_000);
  const said = await entriesOf(gateway, 'logs:gateway');
  expect(said.map(({ msg }) => msg)).toContain(
    'OpenTelemetry: spans of this gateway could not be delivered: ECONNREFUSED',
  );
  const collector = await opened({ PORT: `${port}` });
  await ask(gateway, 'm2');
  await spans(collector, 7);
  await eventually('the answer is counted', async () => (await counted(gateway, 'sent')) === 7);
});

it('of more than 2,048 spans that wait the newest are dropped, and in the end each is counted once', async () => {
  const silent = await openSilentCollector();
  const counts = { sent: 0, lost: 0, dropped: 0 };
  const faults: string[] = [];
  const tracer = new OtelTracer({
    url: `${silent.url}/v1/traces`,
    service: 'llm-streamer',
    instance: 'gw-test',
    observer: {
      onSpans: (outcome, count) => {
        counts[outcome] += count;
      },
      onUndelivered: (fault) => faults.push(fault),
      onPartlyTaken: () => undefined,
    },
  });
  afterwards(() => tracer.close());
  const many = (count: number) => {
    for (let i = 0; i < count; i++) tracer.start({ name: 'chat x', kind: 'client', attributes: {} }).end();
  };
  many(3_000);
  expect(counts).toEqual({ sent: 0, lost: 0, dropped: 952 });
  await eventually('the first of them are on their way', () => silent.waiting.length > 0);
  many(100);
  expect(counts).toEqual({ sent: 0, lost: 0, dropped: 1_052 });
  silent.answer(400);
  await eventually('the others were refused', () => counts.lost === 2_048);
  expect(new Set(faults)).toEqual(new Set(['status 400']));
  silent.answer(200);
  many(10);
  await eventually('there is room again', () => counts.sent === 10);
  expect(counts).toEqual({ sent: 10, lost: 2_048, dropped: 1_052 });
});
