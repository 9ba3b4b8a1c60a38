import { isChannel } from '@llm-streamer/shared/channels.ts';
import { expect, it } from 'vitest';
import { isName, isUserName } from '../../src/auth/names.ts';
import { ownPatterns } from '../../src/auth/principal.ts';

it.each(['a', '0', 'alice', 'a.b-c_d', 'a'.repeat(57)])('%s is a name', (name) => {
  expect(isUserName(name)).toBe(true);
});

it.each([
  '',
  'Alice',
  'älice',
  'аlice', // Cyrillic
  'alice ',
  'alice\n',
  'a'.repeat(58),
  'a..b',
  '..',
  '.a',
  '-a',
  '_a',
  '__proto__',
  'a/b',
  'a*',
  'a:b',
  'k-12345678',
  'j-abc',
  'everyone',
  'gateway',
  'cli',
])('42: %j is no name of a person', (name) => {
  expect(isUserName(name)).toBe(false);
});

it('a name that begins as those of others is one for a role', () => {
  expect(isName('k-12345678')).toBe(true);
});

it('the longest name has runs and conversations with valid channels', () => {
  for (const pattern of ownPatterns('a'.repeat(57)))
    expect(isChannel(pattern.replace('*', 'x'.repeat(128)))).toBe(true);
});
