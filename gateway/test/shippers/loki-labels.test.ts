// The labels of a stream, as Go writes and escapes them.

import { expect, it } from 'vitest';
import { parseLabels } from '../../src/shippers/loki-labels.ts';

it.each<[string, Record<string, string>]>([
  ['{}', {}],
  ['{job="api"}', { job: 'api' }],
  [' { job = "api" , pod="a-1",}', { job: 'api', pod: 'a-1' }],
  ['{a="}, b=\\"c\\"", d="e\\\\"}', { a: '}, b="c"', d: 'e\\' }],
  ['{a="line\\nbreak\\t\\u00e9\\U0001f600\\x41"}', { a: 'line\nbreak\té😀A' }],
  ['{a=""}', { a: '' }],
])('%s', (text, labels) => {
  expect(Object.fromEntries(parseLabels(text) ?? [])).toEqual(labels);
});

it.each([
  '',
  '{',
  'job="api"',
  '{job=api}',
  '{job="api"',
  '{job="a"b"}',
  '{="x"}',
  '{a="b"} c',
  `{a="${'x'.repeat(70_000)}"}`,
])('%s has another form', (text) => {
  expect(parseLabels(text)).toBeUndefined();
});
