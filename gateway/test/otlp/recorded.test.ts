// What real instrumentations send, byte for byte: each asked a model twice, first for the call of a tool, then for an answer as a stream. The
// bodies in recorded/ are named for the package that sent them; every text of a person, a model or a tool in them begins with SECRET.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { expect, it } from 'vitest';
import { take } from './requests.ts';

const RECORDED = join(import.meta.dirname, 'recorded');

async function received(file: string, content = false) {
  const body = readFileSync(join(RECORDED, file));
  const encoding = file.endsWith('-json') ? 'json' : 'protobuf';
  return { body, ...(await take('traces', body, { content, encoding })) };
}

const said = (entries: Entry[]) => entries.map(({ event, msg }) => [event, msg.replace(/ in [\d.]+ s$/, '')]);
const sum = (entries: Entry[], name: string) =>
  entries.reduce((total, { attrs }) => total + Number(attrs?.[name] ?? 0), 0);

it.each([
  'ai-sdk-otel-1.0.173.otlp',
  'langfuse-5.11.1.otlp-json',
  'openinference-openai-4.2.7.otlp',
  'traceloop-node-server-sdk-0.27.0.otlp',
])('%s: texts are dropped at the door, and there with LOG_CONTENT', async (file) => {
  const { body, outcome, entries } = await received(file);
  expect(body.toString('latin1')).toMatch(/SECRET-PROMPT|SECRET-ARG/);
  expect(outcome).toMatchObject({ rejected: 0 });
  expect(JSON.stringify(entries)).not.toContain('SECRET');
  expect(sum(entries, 'content_bytes')).toBeGreaterThan(20);
  expect(JSON.stringify((await received(file, true)).entries)).toContain('SECRET');
});

it('the AI SDK 7: six spans of one trace, whose tokens are counted once', async () => {
  const { outcome, entries } = await received('ai-sdk-otel-1.0.173.otlp');
  expect(outcome.accepted).toBe(6);
  expect(said(entries)).toEqual([
    ['run.started', 'trace is running: chat gpt-4o-mini'],
    ['generation.finished', 'chat gpt-4o-mini-2024-07-18: 21 → 9 tokens'],
    ['tool.returned', 'execute_tool weather'],
    ['span.finished', 'step 1'],
    ['generation.finished', 'chat gpt-4o-mini-2024-07-18: 48 → 12 tokens'],
    ['span.finished', 'step 2'],
    ['agent.finished', 'invoke_agent gpt-4o-mini'],
    ['run.finished', 'trace ended: invoke_agent gpt-4o-mini'],
  ]);
  expect(new Set(entries.map(({ run }) => run)).size).toBe(1);
  expect([sum(entries, 'gen_ai.usage.input_tokens'), sum(entries, 'gen_ai.usage.output_tokens')]).toEqual([
    69, 21,
  ]);
  const agent = entries.find(({ event }) => event === 'agent.finished');
  expect(agent?.attrs).toMatchObject({
    input_tokens: 69,
    output_tokens: 21,
    'gen_ai.agent.name': 'weather-agent',
  });
  expect(Object.keys(agent?.attrs ?? {}).filter((name) => name.startsWith('gen_ai.usage.'))).toEqual([]);
  const calls = entries.filter(({ event }) => event === 'generation.finished');
  expect(calls.map(({ attrs }) => attrs?.['gen_ai.response.finish_reasons'])).toEqual([
    ['tool-calls'],
    ['stop'],
  ]);
  for (const { attrs } of calls) expect(attrs?.['gen_ai.response.time_to_first_chunk']).toBeGreaterThan(0);
});

it('Langfuse: observations of one trace, with the usage and the first piece that its own attributes tell', async () => {
  const { entries } = await received('langfuse-5.11.1.otlp-json');
  expect(said(entries)).toEqual([
    ['run.started', 'trace is running: weather'],
    ['tool.returned', 'weather'],
    ['generation.finished', 'chat gpt-4o-mini-2024-07-18: 21 → 9 tokens'],
    ['generation.finished', 'chat gpt-4o-mini: 48 → 12 tokens'],
    ['agent.finished', 'weather-chain'],
    ['run.finished', 'trace ended: weather-chain'],
  ]);
  const streamed = entries[3]?.attrs ?? {};
  expect(streamed['gen_ai.response.time_to_first_chunk']).toBeGreaterThan(0);
  expect(streamed['gen_ai.response.time_to_first_chunk']).toBeLessThan(Number(streamed.duration_s));
});

it('OpenInference: model calls by today’s names', async () => {
  const { entries } = await received('openinference-openai-4.2.7.otlp');
  expect(said(entries)).toEqual([
    ['generation.finished', 'chat gpt-4o-mini-2024-07-18: 21 → 9 tokens'],
    // Of a stream this package tells no tokens.
    ['generation.finished', 'chat gpt-4o-mini'],
  ]);
  expect(entries[0]?.attrs).toMatchObject({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.response.finish_reasons': ['tool_calls'],
  });
});

it('Traceloop: a workflow with a tool and an agent, and the calls of the agent', async () => {
  const { outcome, entries } = await received('traceloop-node-server-sdk-0.27.0.otlp');
  expect(outcome.accepted).toBe(5);
  expect(said(entries)).toEqual([
    ['run.started', 'trace is running: weather.tool'],
    ['tool.returned', 'weather.tool'],
    ['agent.finished', 'reporter.agent'],
    ['workflow.finished', 'weather-report.workflow'],
    ['run.finished', 'trace ended: weather-report.workflow'],
    ['generation.finished', 'chat gpt-4o-mini-2024-07-18: 21 → 9 tokens'],
    // Of a stream this package counts the tokens itself.
    ['generation.finished', expect.stringMatching(/^chat gpt-4o-mini-2024-07-18: \d+ → \d+ tokens$/)],
  ]);
  expect(new Set(entries.map(({ run }) => run)).size).toBe(1);
});
