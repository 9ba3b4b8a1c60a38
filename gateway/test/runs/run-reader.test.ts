import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { followChannel } from '../../src/runs/run-reader.ts';

const entry = (msg: string) =>
  draft({
    time: 1,
    channel: 'runs:m1',
    source: 'test',
    level: 'info',
    msg,
    attrs: { pad: 'x'.repeat(30_000) },
  });

describe('a reader of a run', () => {
  it('gets each entry once and in order, however slow it is and however much comes meanwhile', async () => {
    const bursts = fc.array(fc.record({ before: fc.nat(60), reads: fc.nat(40) }), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(30), bursts, async (history, steps) => {
        const broker = new MemoryBroker();
        const gone = new AbortController();
        let written = 0;
        const write = async (count: number) => {
          for (let i = 0; i < count; i++) await broker.publish([entry(`${written++}`)]);
        };
        await write(history);
        const reader = followChannel(broker, 'runs:m1', BEGINNING, gone.signal);
        const read: string[] = [];
        const take = async (count: number) => {
          for (let i = 0; i < count && read.length < written; i++) {
            const { value } = await reader.next();
            expect(value?.gap).toBeUndefined();
            read.push(value?.record?.entry.msg as string);
          }
        };
        for (const { before, reads } of steps) {
          await write(before); // sixty of these entries exceed the bound of a reader's queue
          await take(reads);
        }
        await take(written);
        expect(read).toEqual(Array.from({ length: written }, (_, i) => `${i}`));
        gone.abort();
        expect((await reader.next()).done).toBe(true);
        await broker.close();
      }),
      { numRuns: 15 },
    );
  }, 120_000);

  it('gets a gap for entries that are no longer kept', async () => {
    const broker = new MemoryBroker({
      ...DEFAULT_RETENTION,
      prefixes: [],
      default: { entries: 10, idleMs: 60_000 },
    });
    for (let i = 0; i < 100; i++) await broker.publish([entry(`${i}`)]);
    const gone = new AbortController();
    const reader = followChannel(broker, 'runs:m1', BEGINNING, gone.signal);
    expect((await reader.next()).value).toMatchObject({ gap: { reason: 'trimmed' } });
    expect((await reader.next()).value).toMatchObject({ record: {} });
    gone.abort();
    await reader.return();
    await broker.close();
  });

  it('ends when its signal aborts', async () => {
    const broker = new MemoryBroker();
    const gone = new AbortController();
    const reader = followChannel(broker, 'runs:m1', BEGINNING, gone.signal);
    const waiting = reader.next();
    gone.abort();
    expect((await waiting).done).toBe(true);
    await broker.close();
  });
});
