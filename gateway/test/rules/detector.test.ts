// Which entries meet which rules, and what the expressions find in them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { expect, it } from 'vitest';
import { ROOT } from '../../../test-support/process.ts';
import { Detector } from '../../src/rules/detector.ts';
import { eventDraft } from '../../src/rules/event-draft.ts';
import { Expression } from '../../src/rules/expression.ts';
import { parseRules } from '../../src/rules/rules-file.ts';
import { record, ruleSet } from './rule-set.ts';

const T = 1_795_000_000_000;
const alert = { when: 'match' };
const namesOf = async (rules: object[], ...args: Parameters<typeof record>) => {
  const found = await new Detector(ruleSet(rules), new TimeSlicer()).hits(record(...args));
  return found?.hits.map(({ rule }) => rule.name) ?? [];
};

it('a rule meets entries of its channels, level, source, event and text alone', async () => {
  const rules = [
    { alert, channels: ['logs:a'] },
    { alert, level: 'warn' },
    { alert, source: 'gpu-*' },
    { alert, event: ['server.metrics', 'x'] },
    { alert, match: '(?i)MEMORY' },
  ];
  expect(await namesOf(rules, T, 'out of memory')).toEqual(['r5']);
  expect(await namesOf(rules, T, '', { channel: 'logs:a' })).toEqual(['r1']);
  expect(await namesOf(rules, T, '', { level: 'error' })).toEqual(['r2']);
  expect(await namesOf(rules, T, '', { source: 'gpu-7' })).toEqual(['r3']);
  expect(await namesOf(rules, T, '', { event: 'server.metrics' })).toEqual(['r4']);
  expect(await namesOf(rules, T, 'memory', { channel: 'other' })).toEqual([]);
});

it('of a share, the part is what `of` asks for', async () => {
  const of = { event: 'failed', level: 'warn', source: 'gpu-*' };
  const rules = ruleSet([{ alert: { when: 'share', of, above: 0.1, within: '5m' } }, { alert }]);
  const detector = new Detector(rules, new TimeSlicer());
  const partsOf = async (more: Parameters<typeof record>[2]) =>
    (await detector.hits(record(T, '', more)))?.hits.map(({ isPart }) => isPart);
  expect(await partsOf({ event: 'failed', level: 'error', source: 'gpu-7' })).toEqual([true, false]);
  expect(await partsOf({ event: 'failed', level: 'info', source: 'gpu-7' })).toEqual([false, false]);
  expect(await partsOf({})).toEqual([false, false]);
});

it('an event that a rule has made meets no rule, so that no rule feeds itself', async () => {
  const rules = ruleSet([{ channels: ['*'], match: '.', emit: { channel: 'events:x', event: 'x' } }]);
  const detector = new Detector(rules, new TimeSlicer());
  const first = await detector.hits(record(T, 'hello'));
  const [hit] = first?.hits ?? [];
  if (first === undefined || hit?.rule.emit === undefined) throw new Error('the rule was not met');
  const { attrs } = JSON.parse(eventDraft(hit, hit.rule.emit, first.seen, 65_536).body);
  expect(await detector.hits(record(T, 'hello', { channel: 'events:x', attrs }))).toBeUndefined();
  expect(await detector.hits(record(T, 'hello', { channel: 'events:alerts' }))).toBeUndefined();
  expect(await detector.hits(record(T, 'hello', { attrs: { rule: 'of a firewall' } }))).toBeDefined();
});

it('an event has the time, source, run and text of its entry, what was found in it, and where it comes from', async () => {
  const emit = {
    channel: 'events:task',
    event: 'task.created',
    level: 'warn',
    attrs: { entity: 'task', rule: 'x' },
  };
  const rules = ruleSet([{ name: 'tasks', match: 'task (?P<task>\\w+)', emit }]);
  const found = await new Detector(rules, new TimeSlicer()).hits(
    record(T, 'task 42', { run: 'r', source: 'gpu' }),
  );
  const [hit] = found?.hits ?? [];
  if (found === undefined || hit?.rule.emit === undefined) throw new Error('the rule was not met');
  expect(JSON.parse(eventDraft(hit, hit.rule.emit, found.seen, 65_536).body)).toEqual({
    time: T,
    channel: 'events:task',
    source: 'gpu',
    level: 'warn',
    msg: 'task 42',
    event: 'task.created',
    run: 'r',
    attrs: { entity: 'task', task: '42', rule: 'tasks', cause_channel: 'logs', cause_id: `${T}-${T}000` },
  });
});

it('names that mean something to JavaScript are names like others', async () => {
  const rules = ruleSet([
    { match: '(?P<__proto__>a)(?P<constructor>b)', emit: { channel: 'events:x', event: 'x' } },
  ]);
  const found = await new Detector(rules, new TimeSlicer()).hits(record(T, 'ab'));
  const [hit] = found?.hits ?? [];
  if (found === undefined || hit?.rule.emit === undefined) throw new Error('the rule was not met');
  const { attrs } = JSON.parse(eventDraft(hit, hit.rule.emit, found.seen, 65_536).body);
  expect(Object.keys(attrs)).toEqual(expect.arrayContaining(['__proto__', 'constructor']));
  expect(Object.getPrototypeOf({})).toBe(Object.prototype);
});

it.each([
  ['Task 42-abc created: Write docs', 'task.created', { task: '42-abc', title: 'Write docs' }],
  [
    'task 7 status changed from todo to doing',
    'task.status_changed',
    { task: '7', old: 'todo', new: 'doing' },
  ],
  ['Task 7 assigned to alice', 'task.assigned', { task: '7', assignee: 'alice' }],
  ['Session s-9 started', 'session.started', { session: 's-9' }],
  ['session s-9 has ended', 'session.ended', { session: 's-9' }],
  ['Service vllm is ready', 'service.started', { service: 'vllm' }],
  ['INFO:     Application startup complete.', 'service.started', {}],
  ['Application shutdown complete', 'service.stopped', {}],
  ['Container archon-mcp was restarted', 'container.state', { container: 'archon-mcp', state: 'restarted' }],
  ['ERROR in worker: no such file', 'error.detected', { message: 'no such file' }],
  ['WARNING: Failed to connect', 'warning.detected', { message: 'Failed to connect' }],
  ['Starting crawl of https://example.com/docs', 'crawl.started', { target: 'https://example.com/docs' }],
  [
    'Crawl of https://example.com completed: 34 pages',
    'crawl.completed',
    { url: 'https://example.com', pages: '34' },
  ],
  [
    '"GET /api/tasks/1?x=2 HTTP/1.1" 200 OK',
    'api.request',
    { method: 'GET', path: '/api/tasks/1', status: '200' },
  ],
])('the example file makes of %j one event %s', async (line, event, groups) => {
  const rules = parseRules(readFileSync(join(ROOT, 'gateway/rules.example.json'), 'utf8'));
  const found = await new Detector(rules, new TimeSlicer()).hits(record(T, line));
  const events = (found?.hits ?? []).filter(({ rule }) => rule.emit !== undefined);
  expect(events.map(({ rule }) => rule.emit?.event)).toEqual([event]);
  expect({ ...events[0]?.groups }).toEqual(groups);
});

it.each([
  'just a line',
  'the multitask 4 createdness',
  'WARNING: disk nearly full',
  'tasks are created daily',
])('the example file makes no event of %j', async (line) => {
  const rules = parseRules(readFileSync(join(ROOT, 'gateway/rules.example.json'), 'utf8'));
  const found = await new Detector(rules, new TimeSlicer()).hits(record(T, line));
  expect(found?.hits.filter(({ rule }) => rule.emit !== undefined) ?? []).toEqual([]);
});

it('an expression that would freeze an engine that backtracks comes to its end', () => {
  const expression = new Expression('^(a|a)*(a|aa)*b.*(?P<x>c)$');
  expect(expression.find('a'.repeat(100_000))).toBeUndefined();
  expect(expression.find(`${'a'.repeat(50)}bc`)).toMatchObject({ x: 'c' });
});

it('of a long text the beginning alone is looked at', () => {
  const expression = new Expression('needle');
  expect(expression.find(`${' '.repeat(4_000)}needle`)).toBeDefined();
  expect(expression.find(`${' '.repeat(4_096)}needle`)).toBeUndefined();
});
