// /metrics counts the entries that publishers report as dropped, whatever else is written to the channel of these reports.
import { expect, it } from 'vitest';
import { line } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { start } from '../http/stream-gateway.ts';

const CHANNEL = 'logs:errors';

it('adds up what publishers had to drop, and ignores anything else in its place', async () => {
  const gateway = await start();
  const { body } = line(CHANNEL, 'x', { attrs: { dropped: 4_711 } });
  const forged = ['1e999', '-1', '0.5', '"3"', 'null', '[]'].map((dropped) => body.replace('4711', dropped));
  const reported = [2, 3].map((dropped) => line(CHANNEL, 'x', { attrs: { dropped } }).body);
  await gateway.broker.publish([...forged, ...reported].map((text) => ({ channel: CHANNEL, body: text })));
  const total = async () => {
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    return Number(/^llm_streamer_publisher_dropped_entries_total\S* (\S+)$/m.exec(text)?.[1]);
  };
  await eventually('a count', async () => (await total()) > 0);
  expect(await total()).toBe(5);
});
