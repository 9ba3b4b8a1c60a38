// What the entries of a lane say in words.
import { expect, it } from 'vitest';
import { RunEntries } from '../../src/runs/run-entries.ts';

const TARGET = { provider: 'p', baseUrl: 'http://127.0.0.1/v1', model: 'm' };
const LANE = { prompt: { name: 'a', system: '' }, target: TARGET, role: 'task' } as const;

it.each([
  ['stop', true, 'a finished: 20 tokens in 2.0 s (10 tok/s)'],
  ['stop', false, 'a finished after 2.0 s'],
  ['length', false, 'a was cut off at its limit of tokens after 2.0 s'],
])('a lane that ended with %s, its tokens counted: %s', (reason, reported, msg) => {
  const entry = new RunEntries({ owner: '', id: 'r', promptVersion: 'v' }, 's').laneFinished(LANE, {
    type: 'finish',
    reason,
    usage: { inputTokens: 1, outputTokens: 20, reasoningTokens: 0, reported },
    firstContentMs: 1,
    durationMs: 2_000,
    responseId: undefined,
    responseModel: undefined,
  });
  expect(entry.msg).toBe(msg);
});
