import { describe, expect, it } from 'vitest';
import { complete } from '../../src/log/completion.ts';
import { LogBuffer } from '../../src/stream/buffer.ts';
import { entry } from '../rows.ts';

const buffer = new LogBuffer();
for (const source of ['gpu-07', 'gpu-08', 'cpu-1', 'two words']) {
  buffer.append(
    entry({ source, channel: 'logs:errors', run: 'r7f', attrs: { 'gen_ai.usage.output_tokens': 1 } }),
  );
}

const values = (input: string) => complete(input, input.length, buffer)?.values;

describe('completion', () => {
  it('offers values of the entries, after other terms and after a minus', () => {
    expect(values('error source:gp')).toEqual(['source:gpu-08', 'source:gpu-07']);
    expect(values('-source:cpu')).toEqual(['-source:cpu-1']);
    expect(values('channel:err')).toEqual(['channel:logs:errors']);
    expect(values('run:')).toEqual(['run:r7f']);
  });

  it('offers keys, attributes and levels', () => {
    expect(values('so')).toEqual(['source:']);
    expect(values('output')).toEqual(['gen_ai.usage.output_tokens']);
    expect(values('level:wa')).toEqual(['level:warn+']);
  });

  it('offers nothing for an empty word, and no value that would need quotes', () => {
    expect(values('')).toBeUndefined();
    expect(values('source:two')).toEqual([]);
  });
});
