// What a rules file may say, and how a wrong one is refused: with the place of each mistake.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../../test-support/process.ts';
import { MAX_RULES, parseRules } from '../../src/rules/rules-file.ts';
import { ruleSet } from './rule-set.ts';

const complaintOf = (text: string): string => {
  try {
    parseRules(text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the file was accepted');
};
const one = (rule: object, more: object = {}) =>
  JSON.stringify({ rules: [{ name: 'r', channels: ['logs'], alert: { when: 'match' }, ...rule }], ...more });

it('the example file is valid', () => {
  const { rules } = parseRules(readFileSync(join(ROOT, 'gateway/rules.example.json'), 'utf8'));
  expect(rules.length).toBeGreaterThan(15);
});

it.each([
  ['', 'the file is empty'],
  ['{\n"rules": [}', 'the file is not JSON'],
  ['[]', 'the file: must be an object with rules'],
  [one({ nam: 1 }), 'rules[0]: unknown nam; known are name, channels'],
  [one({ name: 'Über' }), 'rules[0].name: must be 1 to 60 of a-z'],
  [one({ channels: ['runs:*'] }), 'rules[0].channels[0]: must not be a reserved channel'],
  [one({ channels: ['events:alerts'] }), 'rules[0].channels[0]: must not be the channel of the alerts'],
  [one({ channels: ['a*b*c*d*e*f'] }), 'rules[0].channels[0]: must be a list'],
  [one({ alert: undefined }), 'rules[0]: must have emit or alert'],
  [
    one({ emit: { channel: 'logs', event: 'x' } }),
    'rules[0].emit.channel: must be a channel that begins with events:',
  ],
  [
    one({ emit: { channel: 'events:runs:bob', event: 'x' } }),
    "rules[0].emit.channel: must not be a channel of the gateway's own",
  ],
  [
    one({ emit: { channel: 'events:alerts', event: 'x' } }),
    "rules[0].emit.channel: must not be a channel of the gateway's own",
  ],
  [one({ match: '(a' }), 'rules[0].match: not an expression of RE2'],
  [one({ match: '(a)\\1' }), 'rules[0].match: not an expression of RE2'],
  [one({ match: '(?:(?:ab){30}){30}' }), 'rules[0].match: the expression is too large'],
  [
    one({ alert: { when: 'often' } }),
    'rules[0].alert.when: must be one of match, count, rate, share, value, absent',
  ],
  [
    one({ alert: { when: 'count', bound: 0, within: '1m' } }),
    'rules[0].alert.bound: must be a whole number from 1',
  ],
  [
    one({ alert: { when: 'count', bound: 1, within: '2d' } }),
    'rules[0].alert.within: must be a time from 1s to 1d',
  ],
  [one({ alert: { when: 'value', of: 'x' } }), 'rules[0].alert: must have either above or below'],
  [one({ alert: { when: 'match', to: ['ops'] } }), 'rules[0].alert.to: there is no destination ops'],
  [
    one({}, { destinations: { ops: { kind: 'fax', url: 'http://x' } } }),
    'destinations.ops.kind: must be one of',
  ],
  [
    one({}, { destinations: { ops: { kind: 'json' } } }),
    'destinations.ops: must have exactly one of url, url_env, url_file',
  ],
  [
    one({}, { destinations: { ops: { kind: 'json', url: 'ftp://x' } } }),
    'destinations.ops.url: must look like https://',
  ],
])('%s is refused with its place', (text, complaint) => {
  expect(complaintOf(text)).toContain(complaint);
});

it('two rules of one name are refused, and more rules than there may be', () => {
  const alert = { when: 'match' };
  expect(() =>
    ruleSet([
      { name: 'a', alert },
      { name: 'a', alert },
    ]),
  ).toThrow('every rule needs a name of its own');
  expect(() => ruleSet(Array.from({ length: MAX_RULES + 1 }, () => ({ alert })))).toThrow(
    'at most 1000 rules',
  );
});

it('no complaint quotes the address of a destination', () => {
  const secret = 'https://user:hunter2@hooks.example.com/T0/B0/XXXX';
  const complaint = complaintOf(one({}, { destinations: { ops: { kind: 'slack', url: secret } } }));
  expect(complaint).toContain('destinations.ops.url');
  expect(complaint).not.toMatch(/hunter2|XXXX/);
});

it('a rule has another version as soon as it says something else', () => {
  const alert = { when: 'count', bound: 3, within: '1m' };
  const [before] = ruleSet([{ alert }]).rules;
  const [same] = ruleSet([{ alert }]).rules;
  const [after] = ruleSet([{ alert: { ...alert, bound: 4 } }]).rules;
  expect(same?.version).toBe(before?.version);
  expect(after?.version).not.toBe(before?.version);
});
