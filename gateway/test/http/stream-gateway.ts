// Starts gateways that are closed, with all their viewers, when the test ends.

import { afterEach } from 'vitest';
import { line, openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import type { SseClient } from '../../../test-support/sse-client.ts';
import type { Tuning } from '../../src/app.ts';

/** What is closed when the test ends, in this order. */
export const open: { close(): Promise<void> }[] = [];
const viewers: SseClient[] = [];

afterEach(async () => {
  for (const viewer of viewers.splice(0)) viewer.vanish();
  for (const gateway of open.splice(0)) await gateway.close();
});

export const start = async (env: Record<string, string> = {}, tuning: Tuning = {}): Promise<TestGateway> => {
  const gateway = await openGateway(env, tuning);
  open.push(gateway);
  return {
    ...gateway,
    view: async (...args) => {
      const viewer = await gateway.view(...args);
      viewers.push(viewer);
      return viewer;
    },
  };
};

export const publish = (gateway: TestGateway, channel: string, ...msgs: string[]) =>
  gateway.broker.publish(msgs.map((msg) => line(channel, msg)));

export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}`);
