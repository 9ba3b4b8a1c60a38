// Filters: what passes, that nothing is parsed without need, and that no source pattern can hang the gateway.
import { LogRecord, writeHead } from '@llm-streamer/shared/broker/record.ts';
import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { compileFilter } from '../../../src/stream/query/filter.ts';

const N = 1_795_224_320_113_456;

const record = (msg: string, more: Partial<EntryFields> = {}): LogRecord => {
  const { body } = line('a', msg, more);
  return new LogRecord('a', Buffer.from(writeHead(N, 'abcdefgh', 0) + body.slice(1)), { n: N, prev: 0 });
};

const passes = (filter: object, entry: LogRecord) => compileFilter({ channels: ['a'], ...filter })?.(entry);

describe('a filter', () => {
  it('is null if the selection filters nothing, so that nothing is parsed', () => {
    expect(compileFilter({ channels: ['a', 'b*'] })).toBeNull();
  });

  it('passes a level and all above it', () => {
    const shown = (['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const).filter((level) =>
      passes({ level: 'warn' }, record('x', { level })),
    );
    expect(shown).toEqual(['warn', 'error', 'fatal']);
  });

  it('finds text in message, event and attributes, case ignored', () => {
    expect(passes({ q: 'ÄPFEL' }, record('zwei äpfel'))).toBe(true);
    expect(passes({ q: 'finish' }, record('x', { event: 'run.Finished' }))).toBe(true);
    expect(passes({ q: 'llama' }, record('x', { attrs: { deep: { model: 'Llama-4' } } }))).toBe(true);
    expect(passes({ q: 'test' }, record('x'))).toBe(false); // the source is no text
    expect(passes({ q: '.*' }, record('abc'))).toBe(false);
  });

  it('passes an entry only if every part of the selection does', () => {
    const entry = record('slow', { level: 'warn', source: 'gpu-1', run: 'r1' });
    expect(passes({ level: 'info', source: 'gpu-*', run: 'r1', q: 'slow' }, entry)).toBe(true);
    expect(passes({ level: 'info', source: 'gpu-*', run: 'r2', q: 'slow' }, entry)).toBe(false);
  });

  it('reads a source literally, except for its stars', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 20 }), fc.string({ maxLength: 5 }), (source, more) => {
        const name = source.replaceAll('*', '').toWellFormed();
        fc.pre(name !== '');
        expect(passes({ source: name }, record('x', { source: name }))).toBe(true);
        expect(passes({ source: `${name}*` }, record('x', { source: name + more.toWellFormed() }))).toBe(
          true,
        );
        expect(passes({ source: name }, record('x', { source: `${name}!` }))).toBe(false);
      }),
    );
  });

  it('takes no longer for a source with many stars', () => {
    const entry = record('x', { source: 'a'.repeat(200) });
    for (const stars of [5, 20, 100]) expect(passes({ source: `${'a*'.repeat(stars)}b` }, entry)).toBe(false);
  });
});
