import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAlerts } from '../../src/state/alert.ts';

const alert = (id: string, fields: Record<string, unknown> = {}) => ({
  alert: id,
  rule: 'r',
  text: id,
  level: 'error',
  ...fields,
});
const ids = (answer: unknown) => readAlerts(answer).map(({ id }) => id);

describe('alerts that the gateway answers', () => {
  it('come with errors first, then the latest', () => {
    const alerts = [
      alert('old', { since: 1 }),
      alert('warning', { since: 9, level: 'warn' }),
      alert('new', { since: 5 }),
    ];
    expect(ids({ alerts })).toEqual(['new', 'old', 'warning']);
  });

  it('name what their rule tells apart, and lead to the entry only where channel and id are known', () => {
    const [whole, half] = readAlerts({
      alerts: [
        alert('a', {
          group: { source: 'gpu-7', model: 'm' },
          cause_channel: 'logs',
          cause_id: '1-1',
          value: 3,
          bound: 2,
        }),
        alert('b', { group: { host: 8 }, cause_id: '1-1', value: 'many' }),
      ],
    });
    expect(whole).toMatchObject({
      group: 'source gpu-7, model m',
      cause: { channel: 'logs', id: '1-1' },
      value: 3,
      bound: 2,
    });
    expect(half).toMatchObject({ group: '', cause: undefined, value: undefined });
  });

  it('are at most 500, with at most 301 characters in each text, whatever the answer is', () => {
    const long = 'x'.repeat(10_000);
    const alerts = Array.from({ length: 2_000 }, (_, i) =>
      alert(`${i}`, { text: long, rule: long, group: { a: long } }),
    );
    const read = readAlerts({ alerts });
    expect(read).toHaveLength(500);
    expect(
      Math.max(...read.flatMap(({ text, rule, group }) => [text.length, rule.length, group.length])),
    ).toBe(301);
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.record({ alerts: fc.array(fc.anything()) })), (answer) => {
        for (const each of readAlerts(answer)) expect(typeof each.text).toBe('string');
      }),
    );
  });
});
