// The engine on a real log in memory: its bounds, and what it does where the log does not take what rules make.

import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { DEFAULT_RETENTION, type RetentionPolicy } from '@llm-streamer/shared/broker/retention.ts';
import { afterEach, expect, it } from 'vitest';
import { line } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { RuleEngine } from '../../src/rules/engine.ts';
import type { RuleSet } from '../../src/rules/rules-file.ts';
import { MemoryRulesStore } from '../../src/rules/store/memory-rules-store.ts';
import { ruleSet } from './rule-set.ts';
import { textsOf } from './store/rules-store-conformance.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function engineOf(rules: RuleSet, retention: RetentionPolicy = DEFAULT_RETENTION) {
  const broker = new MemoryBroker(retention);
  const store = new MemoryRulesStore(broker);
  await store.begin();
  const said: string[] = [];
  const engine = new RuleEngine({
    broker,
    store,
    rules: () => rules,
    holder: 'one',
    entryBytes: 65_536,
    report: (_level, msg) => said.push(msg),
    onLead: () => {},
    onMessages: () => {},
  });
  open.push(engine, broker);
  return { broker, engine, said, read: (channel: string) => textsOf(broker, channel) };
}

const emit = (channel: string) => ({ emit: { channel, event: 'x' } });

it('rules that match everything, events of rules included, come to their end', async () => {
  const rules = ruleSet([
    { channels: ['*'], ...emit('events:x') },
    { channels: ['*'], alert: { when: 'match' } },
  ]);
  const { broker, engine, read } = await engineOf(rules);
  await broker.publish([line('logs', 'one'), line('events:x', 'two')]);
  engine.start();
  await eventually('both events', async () => (await read('events:x')).length >= 3);
  await broker.publish([line('logs', 'three')]);
  await eventually('the third event', async () => (await read('events:x')).includes('three'));
  expect(await read('events:x')).toEqual(['two', 'one', 'two', 'three']);
  expect(await read('events:alerts')).toEqual(['r2: an entry matched']);
});

it('of a thousand rules that one entry meets, only the first ten make events, and the others are counted', async () => {
  const many = ruleSet(Array.from({ length: 1_000 }, () => emit('events:x')));
  const { broker, engine, said, read } = await engineOf(many);
  await broker.publish([line('logs', 'x')]);
  engine.start();
  await eventually('the events', async () => (await read('events:x')).length > 0);
  expect(await read('events:x')).toHaveLength(10);
  await eventually('the count', () => engine.figures.events > 0);
  expect(engine.figures).toMatchObject({ events: 10, dropped: 990 });
  expect(said).toEqual(['rules: an entry met 1000 rules with emit; only the first 10 made events']);
});

it('a thousand alerts that one entry fires are all told', async () => {
  const rules = ruleSet(Array.from({ length: 1_000 }, () => ({ alert: { when: 'match' } })));
  const { broker, engine } = await engineOf(rules);
  await broker.publish([line('logs', 'x')]);
  engine.start();
  await eventually('all alerts', () => engine.figures.fired === 1_000);
  const { items } = await broker.readPage({ channels: ['events:alerts'], after: 0, limit: 2_000 });
  expect(items).toHaveLength(1_000);
});

it('where the log takes no new channel, rules go on, what is lost is counted, and it is said once', async () => {
  const rules = ruleSet([
    { match: 'bad', ...emit('events:x') },
    { match: 'good', ...emit('events:good') },
  ]);
  const { broker, engine, said, read } = await engineOf(rules, { ...DEFAULT_RETENTION, maxChannels: 2 });
  await broker.publish([line('logs', 'x'), line('events:good', 'x')]);
  engine.start();
  await broker.publish([line('logs', 'bad')]);
  await eventually('the refusal', () => engine.figures.refused > 0);
  await broker.publish([line('logs', 'good')]);
  await eventually('the next event', async () => (await read('events:good')).includes('good'));
  await eventually('the count', () => engine.figures.events > 0);
  expect(engine.figures).toMatchObject({ events: 1, refused: 1 });
  expect(said).toEqual(['rules: the log does not take what they make: the log holds its limit of channels']);
});

it('what the log has lost before it was read is counted, and said', async () => {
  const few = { ...DEFAULT_RETENTION, default: { ...DEFAULT_RETENTION.default, entries: 10 } };
  const { broker, engine, said } = await engineOf(ruleSet([{ alert: { when: 'match' } }]), few);
  for (let i = 0; i < 50; i++) await broker.publish([line('logs', `${i}`)]);
  const kept = (await textsOf(broker, 'logs')).length;
  engine.start();
  await eventually('all that is left was read', () => engine.figures.entries >= kept);
  expect(kept).toBeLessThan(50);
  expect(said[0]).toMatch(/^rules: .*entries were not looked at, since the log has lost them \(trimmed\)$/);
});

it('what people put into a line stays data: junk, depth and control characters end nothing', async () => {
  const by = ['k', 'all', 'source'];
  const rules = ruleSet([
    { match: '(?P<all>(?s).*)', ...emit('events:x'), alert: { when: 'value', of: 'v', above: 1, by } },
  ]);
  const { broker, engine, read } = await engineOf(rules);
  const hostile = ['\u0000\u001b[31m\r\nevent: forged', '\ud800', '{"a":'.repeat(5_000), 'x'.repeat(60_000)];
  const attrs = (msg: string) => ({ v: '9e999', k: { deep: [msg] } });
  await broker.publish(hostile.map((msg, i) => line('logs', msg, { source: `s\n${i}`, attrs: attrs(msg) })));
  await broker.publish([line('logs', 'last', { attrs: { v: '7' } })]);
  engine.start();
  await eventually('the last', async () => (await read('events:x')).includes('last'));
  expect(await read('events:x')).toHaveLength(hostile.length + 1);
  expect(await read('events:alerts')).toEqual(['r1 (k -, all last, source test): v is 7, above 1']);
});
