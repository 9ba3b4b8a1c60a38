import { describe, expect, it } from 'vitest';
import { compileFilter } from '../../src/log/filter.ts';
import { boundedPattern } from '../../src/regex/bounded.ts';
import { entry } from '../rows.ts';

const attrs = {
  'gen_ai.usage.output_tokens': 900,
  'gen_ai.response.time_to_first_chunk': 0.90012345678,
  'error.type': 'rate_limit',
  tenant: 'acme',
  args: { sql: `${'select '.repeat(20)}churn${' from'.repeat(20)}` },
};
const row = entry({ msg: 'slow down', event: 'generation.failed', source: 'gpu-7', attrs });
const why = (filter: string) => compileFilter(filter, '', boundedPattern).why(row);

describe('why a filter lets an entry pass', () => {
  it.each([
    ['acme', 'tenant: acme'],
    ['ACME', 'tenant: acme'],
    ['/rate.l/', 'error.type: rate_limit'],
    ['tenant', 'tenant: acme'],
    ['error.type:rate_*', 'error.type: rate_limit'],
    ['output_tokens>800', 'gen_ai.usage.output_tokens: 900'],
    ['ttft>500', 'ttft: 900.123'],
    ['acme rate_limit', 'tenant: acme · error.type: rate_limit'],
    ['acme tenant', 'tenant: acme'],
  ])('%s: %s', (filter, reason) => {
    expect(why(filter)).toBe(reason);
  });

  it.each(['slow', 'failed', 'source:gpu-7 level:info', '-nothing', '', 'slow -tenant:b', 'tenant:acme'])(
    'is not said where the row or the filter itself shows it: %s',
    (filter) => {
      expect(why(filter)).toBe('');
    },
  );

  it('is the part of a long value in which the text was found', () => {
    expect(why('churn')).toMatch(/^args: ….{0,12}churn.*…$/);
    expect(why('churn').length).toBeLessThan(60);
  });

  it('is safe to show, whatever the attribute holds, and short', () => {
    const hostile = entry({
      msg: 'm',
      attrs: { ['a\u202e'.repeat(50)]: `x\u001b[31m\u0000needle${'y'.repeat(99_000)}` },
    });
    const reason = compileFilter('needle', '', boundedPattern).why(hostile);
    expect(reason).toContain('needle');
    expect(reason).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
    expect(reason.length).toBeLessThan(100);
  });
});
