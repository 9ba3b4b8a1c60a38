// For tests: a gateway that sends its spans to a second one, whose door for OpenTelemetry is the collector, and models over real HTTP.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { afterEach } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { Simulator } from '../../src/llm/simulator/simulator.ts';
import { SimulatorServer } from '../../src/llm/simulator/simulator-server.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
export const afterwards = (close: () => Promise<unknown> | unknown) => closing.push(close);

export async function opened(...[env, ...more]: Parameters<typeof openGateway>): Promise<TestGateway> {
  const gateway = await openGateway({ RATE_LIMIT_PER_SECOND: '0', ...env }, ...more);
  afterwards(() => gateway.close());
  return gateway;
}

export interface Models {
  env: Record<string, string>;
  /** The header `traceparent` of each call, in the order in which they came. */
  heard: (string | undefined)[];
}

export async function openModels(model = 'sim-1', tokenMs = 0): Promise<Models> {
  const server = new SimulatorServer(new Simulator({ tokenMs }));
  const baseUrl = await server.listen(0);
  const heard: (string | undefined)[] = [];
  const hear = (message: unknown) => {
    const { headers, url } = (message as { request: IncomingMessage }).request;
    if (url?.startsWith('/v1/chat') && baseUrl.includes(headers.host ?? '-'))
      heard.push(headers.traceparent?.toString());
  };
  subscribe('http.server.request.start', hear);
  afterwards(() => {
    unsubscribe('http.server.request.start', hear);
    return server.close();
  });
  return { env: { USE_LLM_MOCK: 'false', LLM_BASE_URL: baseUrl, LLM_MODEL: model }, heard };
}

export const entriesOf = async ({ broker }: TestGateway, ...channels: string[]): Promise<Entry[]> => {
  const { items } = await broker.readPage({ channels, after: 0, limit: 10_000 });
  return items.flatMap(({ record }) => (record ? [record.entry] : []));
};

/** What the collector has made of spans: without what it says of its own accord. */
export const spansOf = async (collector: TestGateway): Promise<Entry[]> =>
  (await entriesOf(collector, 'traces:*')).filter(({ attrs }) => attrs?.span_id !== undefined);

export const spans = (collector: TestGateway, count: number) =>
  eventually(`${count} spans`, async () => {
    const all = await spansOf(collector);
    return all.length >= count && all;
  });

/** How many spans had this outcome, as `/metrics` says. */
export async function counted({ url }: TestGateway, outcome: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(
    new RegExp(`^llm_streamer_spans_total{outcome="${outcome}"} (\\d+)$`, 'm').exec(text)?.[1] ?? 0,
  );
}

/** Starts a run and reads its answer to the end. */
export async function ask(
  { url }: { url: string },
  id: string,
  headers: Record<string, string> = {},
  message = 'Explain tides',
): Promise<string> {
  const answer = await fetch(`${url}/api/process`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ message, message_id: id, conversation_id: `about-${id}` }),
  });
  return answer.text();
}
