// The calls of an agent as spans: a collector sees which tool ran below which run, and the tool's server learns the same.

import { expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { opened, spansOf } from '../tracing/traced-gateway.ts';
import { agentGateway, chat } from './agent-gateway.ts';
import { Fails, TestToolbox } from './test-toolbox.ts';

it.each([
  ['does what it was asked', () => 'sunny', undefined],
  [
    'fails',
    () => {
      throw new Fails('tool_timeout', 'secret: db-7');
    },
    'tool_timeout',
  ],
])('a call that %s is a span of its run, and its server goes on with the trace', async (_, does, code) => {
  const collector = await opened();
  const toolbox = new TestToolbox({
    weather: {
      forecast: { description: 'The weather forecast of a town.', readOnly: true, approval: 'never', does },
    },
  });
  const gateway = await agentGateway(toolbox, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
  await chat(gateway, 'What is the weather forecast of the town?');
  const all = await eventually('the root span', async () => {
    const told = await spansOf(collector);
    return told.some(({ event }) => event === 'agent.finished') && told;
  });
  const root = all.find(({ event }) => event === 'agent.finished');
  const call = all.find(({ event }) => event === 'tool.returned');
  expect(call).toMatchObject({
    run: root?.run,
    level: code === undefined ? 'info' : 'error',
    attrs: {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'weather__forecast',
      'gen_ai.tool.call.id': 'call-1',
      parent_span_id: root?.attrs?.span_id,
      ...(code !== undefined && { 'error.type': code }),
    },
  });
  expect(toolbox.made[0]?.context.trace?.traceparent).toBe(`00-${call?.run}-${call?.attrs?.span_id}-01`);
  expect(JSON.stringify(all)).not.toMatch(/sunny|db-7|of the town/);
});
