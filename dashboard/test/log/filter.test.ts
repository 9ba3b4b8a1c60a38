import type { Level } from '@llm-streamer/shared/entry.ts';
import { describe, expect, it } from 'vitest';
import { compileFilter } from '../../src/log/filter.ts';
import { FilterError, PatternsMissing } from '../../src/log/filter-terms.ts';
import { quoted } from '../../src/log/quoted.ts';
import { boundedPattern } from '../../src/regex/bounded.ts';
import { entry } from '../rows.ts';

const row = entry({
  msg: 'Upstream answered 429: slow down',
  level: 'warn',
  source: 'gpu-07',
  channel: 'logs:errors',
  run: 'r7f',
  event: 'generation.failed',
  attrs: {
    'gen_ai.usage.output_tokens': 900,
    'gen_ai.response.time_to_first_chunk': 0.9,
    'error.type': 'rate_limit',
    tenant: 'acme',
  },
});

const compile = (filter: string, floor: Level | '') => compileFilter(filter, floor, boundedPattern);
const passes = (filter: string) => compile(filter, '').test(row);

describe('the filter', () => {
  it.each([
    'gpu-1',
    'a b',
    'x*',
    '/re/',
    '/var/log/x',
    '\\\\host',
    '-x',
    '>5',
    'level:warn',
    'a"b',
    '"b',
    'say "hü"/\\d\u2028😀',
  ])('finds the source %s by its quoted name, and no other', (source) => {
    const { test } = compile(`source:${quoted(source)}`, '');
    expect(test(entry({ source }))).toBe(true);
    for (const other of ['re', 'xy', 'a', 'b', 'log']) expect(test(entry({ source: other }))).toBe(false);
  });

  it.each([
    'upstream',
    'UPSTREAM slow',
    '"429: slow"',
    '-heartbeat',
    '/4\\d\\d/',
    '/UPSTREAM/i',
    'level:warn',
    'level:warn+',
    'level:info+',
    'level:w+',
    'source:gpu-*',
    'channel:logs:*',
    'channel:logs:errors',
    'run:r7f',
    'event:generation.*',
    'output_tokens>800',
    'gen_ai.usage.output_tokens>=900',
    'ttft>800',
    'error.type:rate_limit',
    'tenant:acme',
    'tenant:/ac.e/',
    '-tenant:other',
    'rate_limit',
    'answered -source:cpu-* level:warn+ ttft>800',
  ])('%s finds it', (filter) => {
    expect(passes(filter)).toBe(true);
  });

  it.each([
    'heartbeat',
    '-upstream',
    '/5\\d\\d/',
    '/upstream/',
    'level:error+',
    'level:info',
    'source:gpu',
    'source:cpu-*',
    'channel:logs',
    'output_tokens>900',
    'ttft<800',
    'tenant:acm',
    '-tenant:acme',
    'nosuch>1',
    'nosuch:x',
  ])('%s does not', (filter) => {
    expect(passes(filter)).toBe(false);
  });

  it.each(['/(/', '/a/g', 'level:loud', 'ttft>soon'])('%s is an error that says why', (filter) => {
    expect(() => compile(filter, '')).toThrow(FilterError);
  });

  it.each(['/(a)\\1/', 'msg:/(?<n>a+)\\k<n>/', '/a/ '.repeat(6), 'a'.repeat(1_001)])(
    '%s could block the page and is refused',
    (filter) => {
      expect(() => compile(filter, '')).toThrow(FilterError);
    },
  );

  it('accepts expressions of every form', () => {
    const long = entry({ msg: `${'a'.repeat(5_000)}` });
    for (const filter of ['/(a|a)*$/', '/(a+)+$/', 'msg:/^(a|aa)+$/', '-/(a|a)*b/', 'msg:*a*a*a*a*a*a*a*a'])
      expect(compile(filter, '').test(long)).toBe(true);
  });

  it.each([
    '/a+b*/',
    '/(abc)+/',
    '/(a+)?b+/',
    '/([a+]b)+/',
    '/(a\\+)+/',
    '/(a+){2}/',
    '/(?:x{2,5})+/',
    '/[[(]a+[)]+/',
  ])('%s is a regex like any other', (filter) => {
    expect(compile(filter, '').hits).toHaveLength(1);
  });

  it('says that the engine for an expression is not loaded yet', () => {
    expect(() => compileFilter('a /b/', '')).toThrow(PatternsMissing);
    expect(compileFilter('a', '').test(entry({ msg: 'a' }))).toBe(true);
  });

  it('finds an attribute that is named ttft itself', () => {
    expect(compile('ttft>800', '').test(entry({ attrs: { ttft: 900 } }))).toBe(true);
    expect(compile('ttft:slow', '').test(entry({ attrs: { ttft: 'slow' } }))).toBe(true);
  });

  it('reads links and clock times as text, not as keys', () => {
    const link = entry({ msg: 'see http://a.example/x at 12:30' });
    expect(compile('http://a.example 12:30', '').test(link)).toBe(true);
  });

  it('an unfinished quote or regex is text up to the end', () => {
    expect(passes('"429: slow')).toBe(true);
    expect(compile('/var', '').test(entry({ msg: 'open /var/log' }))).toBe(true);
  });

  it('knows which of its conditions the gateway can apply', () => {
    expect(compile('timeout source:gpu-* run:r1', 'warn')).toMatchObject({
      server: { q: 'timeout', source: 'gpu-*', run: 'r1', level: 'warn' },
      rest: [],
    });
    expect(compile('a b -c ttft>3', '')).toMatchObject({
      server: { q: 'a' },
      rest: ['b', '-c', 'ttft>3'],
    });
    expect(compile('level:warn "b c" /x y/', '').rest).toEqual(['level:warn', '/x y/']);
  });
});
