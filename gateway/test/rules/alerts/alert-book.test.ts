// When alerts begin to fire and when they end, by the log's clock alone.

import { expect, it } from 'vitest';
import { AlertBook, MAX_FIRING, type Transition } from '../../../src/rules/alerts/alert-book.ts';
import { alertDraft } from '../../../src/rules/alerts/alert-draft.ts';
import type { AlertState } from '../../../src/rules/alerts/alert-state.ts';
import { record, ruleSet, seenOf } from '../rule-set.ts';

const T = 1_795_000_000_000;
const S = 1_000;

/** A book of one rule, and what happens to it at seconds after T. */
function bookOf(alert: object, saved: Iterable<readonly [string, AlertState]> = []) {
  const rules = ruleSet([{ name: 'r', alert }]);
  const [rule] = rules.rules;
  if (rule === undefined) throw new Error('no rule');
  const book = new AlertBook(rules, saved);
  book.useRules(rules, T);
  const said = (transitions: (Transition | undefined)[]) =>
    transitions.flatMap((one) => (one === undefined ? [] : `${one.event} ${one.alert.text}`));
  return {
    book,
    meet: (second: number, more: Parameters<typeof record>[2] = {}, msg = 'x') =>
      said([
        book.observe(
          { rule, groups: {}, isPart: more.event === 'failed' },
          seenOf(record(T + second * S, msg, more)),
          T,
        ),
      ]),
    look: (second: number, watched = T) => said(book.judge(T + second * S, watched, 1_000)),
    kept: (second: number): [string, AlertState][] =>
      [...book.takeChanges(T + second * S).states].flatMap(([id, text]) =>
        text === undefined ? [] : [[id, JSON.parse(text) as AlertState]],
      ),
  };
}

it('match: fires at the first entry, is silent at the next, and ends when there was none for a while, with their number', () => {
  const { meet, look } = bookOf({ when: 'match', quiet: '10s' });
  expect(meet(0)).toEqual(['firing r: an entry matched']);
  for (let i = 1; i < 10_000; i++) expect(meet(i / 1_000)).toEqual([]);
  expect(look(19)).toEqual([]);
  expect(look(20)).toEqual(['resolved r: resolved after 20 s, 10000 entries matched']);
  expect(look(21)).toEqual([]);
});

it('count: fires at the entry that reaches the bound within the window, and ends below it', () => {
  const { meet, look } = bookOf({ when: 'count', bound: 3, within: '60s' });
  expect([0, 30].flatMap((second) => meet(second))).toEqual([]);
  expect(meet(59)).toEqual(['firing r: 3 entries within 60 s, bound 3']);
  expect(look(64)).toEqual(['resolved r: resolved after 5 s']);
  const apart = bookOf({ when: 'count', bound: 3, within: '60s' });
  expect([0, 30, 64].flatMap((second) => apart.meet(second))).toEqual([]);
});

it('rate: compares entries per second', () => {
  const { meet } = bookOf({ when: 'rate', above: 2, within: '10s' });
  const said = Array.from({ length: 30 }, (_, i) => meet(i / 10)).flat();
  expect(said).toEqual(['firing r: 2.1 entries per second over 10 s, bound 2']);
});

it('share: needs enough entries, and compares the part of them that is meant', () => {
  const alert = { when: 'share', of: { event: 'failed' }, above: 0.1, within: '5m', at_least: 20 };
  const { meet } = bookOf(alert);
  const said = Array.from({ length: 40 }, (_, i) => meet(i, { event: i % 5 === 0 ? 'failed' : 'ok' })).flat();
  expect(said).toEqual(['firing r: 20 % of the entries within 5 min, bound 10 %']);
  expect(bookOf(alert).meet(0, { event: 'failed' })).toEqual([]);
});

it('value: fires when the number has been beyond its bound for long enough, and ends when it is back', () => {
  const { meet, look } = bookOf({ when: 'value', of: 'queue', above: 50, for: '30s' });
  const queue = (second: number, value: unknown) => meet(second, { attrs: { queue: value } });
  expect([queue(0, 60), queue(10, 40), queue(20, 60), queue(40, '63')].flat()).toEqual([]);
  expect(look(50)).toEqual(['firing r: queue is 63, above 50 for 30 s']);
  expect(queue(51, 50)).toEqual(['resolved r: resolved after 1 s']);
  expect([queue(52, 'many'), queue(53, null), queue(54, Number.NaN)].flat()).toEqual([]);
});

it('value below: fires at once where no time is said', () => {
  const { meet } = bookOf({ when: 'value', of: 'free', below: 10 });
  expect(meet(0, { attrs: { free: 9 } })).toEqual(['firing r: free is 9, below 10']);
});

it('absent: fires when nothing has come for long enough, and ends with the next entry', () => {
  const { meet, look } = bookOf({ when: 'absent', for: '60s', by: ['source'] });
  expect(look(100)).toEqual([]); // a group is expected once it has been seen
  expect(meet(100, { source: 'gpu-7' })).toEqual([]);
  expect(look(159)).toEqual([]);
  expect(look(160)).toEqual(['firing r (source gpu-7): no entry for 60 s']);
  expect(meet(170, { source: 'gpu-7' })).toEqual(['resolved r (source gpu-7): resolved after 10 s']);
});

it('absent: what nothing tells apart is expected from the beginning', () => {
  expect(bookOf({ when: 'absent', for: '60s' }).look(60)).toEqual(['firing r: no entry for 60 s']);
});

it('absent: time in which no gateway has read the log does not count', () => {
  const { meet, look } = bookOf({ when: 'absent', for: '60s', by: ['source'] });
  meet(0);
  expect(look(500, T + 490 * S)).toEqual([]);
  expect(look(550, T + 490 * S)).toEqual(['firing r (source test): no entry for 60 s']);
});

it('an alert fires again only after its cooldown, and then if its condition still holds', () => {
  const { meet, look } = bookOf({ when: 'value', of: 'v', above: 1, cooldown: '1m' });
  const value = (second: number, v: number) => meet(second, { attrs: { v } });
  expect(value(0, 2)).toHaveLength(1);
  expect(value(1, 0)).toHaveLength(1);
  expect([value(2, 2), look(59)].flat()).toEqual([]);
  expect(look(60)).toEqual(['firing r: v is 2, above 1']);
});

it('groups are alerts of their own; texts that differ in numbers alone are of one kind', () => {
  const { meet } = bookOf({ when: 'match', by: ['source', 'text'] });
  expect(meet(0, { source: 'a' }, 'timeout after 30 s')).toEqual([
    'firing r (source a, text timeout after # s): an entry matched',
  ]);
  expect(meet(0, { source: 'a' }, 'timeout after 31 s')).toEqual([]);
  expect(meet(0, { source: 'b' }, 'timeout after 31 s')).toHaveLength(1);
  expect(meet(0, { source: 'a' }, 'no route')).toHaveLength(1);
});

it('a sentence quotes nothing of an entry but what `by` names', () => {
  const entry = { source: 'app', attrs: { user: 'alice', secret: 'hunter2' } };
  expect(bookOf({ when: 'match', by: ['user'] }).meet(0, entry, 'login of bob')).toEqual([
    'firing r (user alice): an entry matched',
  ]);
  expect(bookOf({ when: 'match' }).meet(0, entry, 'login of bob')).toEqual(['firing r: an entry matched']);
});

it('groups with other values have other ids, also where commas or the same beginning make them look alike', () => {
  const by = ['a', 'b', 'c'];
  const { meet, kept } = bookOf({ when: 'match', by });
  const [long, pairs] = ['x'.repeat(80), '😀'.repeat(40)];
  const groups = [
    { a: 'x', b: 'y, z', c: '-' },
    { a: 'x, y', b: 'z', c: '-' },
    { a: long, b: pairs, c: `${'y'.repeat(50)}1` },
    { a: long, b: pairs, c: `${'y'.repeat(50)}2` },
    // The bound of an id is within a pair of surrogates.
    { a: long, b: `${'y'.repeat(79)}`, c: pairs },
  ];
  for (const attrs of groups) expect(meet(0, { attrs })).toHaveLength(1);
  const ids = kept(0).map(([id]) => id);
  expect(new Set(ids).size).toBe(groups.length);
  expect(ids.every((id) => id.isWellFormed() && id.length < 220)).toBe(true);
});

it('a group that is named by lines of strangers holds no line end, and is short', () => {
  const { meet } = bookOf({ when: 'match', by: ['source'] });
  const [said = ''] = meet(0, { source: `a\nevent: forged\u2028${'x'.repeat(150)}` });
  expect(said).not.toMatch(/[\n\u2028]/);
  expect(said.length).toBeLessThan(150);
});

it('of very many groups, those for which there is no room share one alert', () => {
  const { meet, book } = bookOf({ when: 'count', bound: 2, within: '1m', by: ['source'] });
  for (let i = 0; i < 1_001; i++) expect(meet(0, { source: `s${i}` })).toEqual([]);
  expect(meet(0, { source: 'another' })).toEqual([
    'firing r (source (others)): 2 entries within 60 s, bound 2',
  ]);
  expect(book.takeChanges(T).states.size).toBeLessThanOrEqual(1_001);
});

it('no more than a bounded number fires at a time; the others follow when there is room', () => {
  const rules = ruleSet(
    Array.from({ length: 2 }, () => ({ alert: { when: 'match', by: ['source'], quiet: '5s' } })),
  );
  const book = new AlertBook(rules);
  book.useRules(rules, T);
  for (const rule of rules.rules)
    for (let i = 0; i < 800; i++)
      book.observe({ rule, groups: {}, isPart: false }, seenOf(record(T, 'x', { source: `s${i}` })), T);
  expect(book.firing).toBe(MAX_FIRING);
  expect(book.judge(T + 4 * S, T, 1_000)).toEqual([]);
  const later = book.judge(T + 5 * S, T, 10_000);
  expect(later.filter(({ event }) => event === 'resolved')).toHaveLength(MAX_FIRING);
});

it('what is kept of a book lets another one go on, for each kind of alert', () => {
  for (const [alert, first, then, expected] of [
    [{ when: 'count', bound: 3, within: '1m' }, [0, 1], 2, 'firing r: 3 entries within 60 s, bound 3'],
    [
      { when: 'rate', above: 0.2, within: '10s' },
      [0, 1],
      2,
      'firing r: 0.3 entries per second over 10 s, bound 0.2',
    ],
  ] as const) {
    const before = bookOf(alert);
    for (const second of first) expect(before.meet(second)).toEqual([]);
    expect(bookOf(alert, before.kept(1)).meet(then)).toEqual([expected]);
  }
  const firing = bookOf({ when: 'match', quiet: '10s' });
  firing.meet(0);
  const next = bookOf({ when: 'match', quiet: '10s' }, firing.kept(0));
  expect(next.meet(1)).toEqual([]);
  expect(next.look(11)).toEqual(['resolved r: resolved after 11 s, 2 entries matched']);
});

it('absent: books that go on one after the other tell no absence too early, though not every entry is kept', () => {
  const alert = { when: 'absent', for: '60s' };
  const kept = bookOf(alert).kept(0);
  const second = bookOf(alert, structuredClone(kept));
  second.meet(12);
  const third = bookOf(alert, [...new Map([...kept, ...second.kept(12)])]);
  expect(third.look(71)).toEqual([]);
  expect(third.look(78)).toEqual(['firing r: no entry for 60 s']);
});

it('absent: a book that goes on does not end what fires', () => {
  const before = bookOf({ when: 'absent', for: '60s' });
  expect(before.look(60)).toHaveLength(1);
  expect(bookOf({ when: 'absent', for: '60s' }, before.kept(60)).look(61)).toEqual([]);
});

it('alerts of a rule that says something else now, or is gone, end', () => {
  const before = bookOf({ when: 'match' });
  before.meet(0);
  const rules = ruleSet([{ name: 'r', alert: { when: 'match', quiet: '9m' } }]);
  const book = new AlertBook(rules, before.kept(0));
  const ended = book.useRules(rules, T + S);
  expect(ended.map(({ event, alert }) => [event, alert.alert])).toEqual([['resolved', 'r']]);
  expect(ended.map((one) => JSON.parse(alertDraft(one).body).level)).toEqual(['info']);
  expect(book.takeChanges(T + S).states).toEqual(new Map([['r', undefined]]));
  expect(book.firing).toBe(0);
});

it('what has come to rest is forgotten', () => {
  const { meet, look, book } = bookOf({ when: 'count', bound: 9, within: '10s', by: ['source'] });
  meet(0);
  expect([...book.takeChanges(T).states.keys()]).toEqual(['r/test']);
  look(11);
  expect([...book.takeChanges(T + 11 * S).states]).toEqual([['r/test', undefined]]);
});
