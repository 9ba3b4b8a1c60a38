import type { Draft, Entry } from '@llm-streamer/shared/entry.ts';
import { PublishRefused } from '@llm-streamer/shared/errors.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Journal, type JournalOptions } from '../../src/runs/journal.ts';
import { RunEntries } from '../../src/runs/run-entries.ts';
import type { LanePlan } from '../../src/runs/run-plan.ts';

const entries = new RunEntries({ owner: '', id: 'm1', promptVersion: 'v' }, 'gw');
const lane = (name: string): LanePlan => ({
  prompt: { name, system: 'x' },
  target: { provider: 'simulated', baseUrl: 'http://simulated.invalid/v1', model: 'sim-1' },
  role: 'task',
});
const [one, two] = [lane('llm-1'), lane('llm-2')];

function journal(append: (drafts: readonly Draft[]) => Promise<void>, options: Partial<JournalOptions> = {}) {
  return new Journal({
    appender: { append },
    entryBytes: 65_536,
    delta: (plan, kind, text) => entries.delta(plan, kind, text),
    onBroken: () => undefined,
    ...options,
  });
}

const parse = ({ body }: Draft) => JSON.parse(body) as Entry;

describe('the journal of a run', () => {
  it('joins what comes in quick succession, each lane for itself', async () => {
    const batches: Entry[][] = [];
    const log = journal(async (drafts) => void batches.push(drafts.map(parse)));
    for (const word of ['a', 'b', 'c']) {
      log.appendDelta(one, 'text', word);
      log.appendDelta(two, 'text', word.toUpperCase());
    }
    await log.drain();
    expect(batches.map((batch) => batch.map(({ msg }) => msg))).toEqual([['abc', 'ABC']]);
  });

  it('keeps the order of a lane: reasoning, text, end', async () => {
    const seen: Entry[] = [];
    const log = journal(async (drafts) => void seen.push(...drafts.map(parse)));
    log.appendDelta(one, 'reasoning', 'hm');
    log.appendDelta(one, 'text', 'yes');
    log.appendEntry(entries.laneStarted(one, 2, 0), one);
    log.appendDelta(one, 'text', 'after');
    await log.drain();
    expect(seen.map(({ msg, attrs }) => attrs?.kind ?? msg)).toEqual([
      'reasoning',
      'yes',
      'Sending to llm-1',
      'after',
    ]);
  });

  it('waits for one append before the next, and joins meanwhile', async () => {
    const sizes: number[] = [];
    const gate = Promise.withResolvers<void>();
    const log = journal(async (drafts) => {
      sizes.push(drafts.length);
      if (sizes.length === 1) await gate.promise;
    });
    log.appendEntry(entries.laneStarted(one, 1, 0), one);
    for (let i = 0; i < 1000; i++) log.appendDelta(one, 'text', 'x');
    expect(sizes).toEqual([1]);
    gate.resolve();
    await log.drain();
    expect(sizes).toEqual([1, 1]);
  });

  it('adds nothing to a delta that is being written', async () => {
    const gate = Promise.withResolvers<void>();
    const writing = Promise.withResolvers<void>();
    const said: string[] = [];
    const log = journal(async (drafts) => {
      said.push(...drafts.map((each) => parse(each).msg));
      writing.resolve();
      await gate.promise;
    });
    log.appendDelta(one, 'text', 'a');
    await writing.promise;
    log.appendDelta(one, 'text', 'b');
    gate.resolve();
    await log.drain();
    expect(said).toEqual(['a', 'b']);
  });

  it('loses no character, whatever comes and however small an entry may be', async () => {
    const word = fc.string({ unit: 'binary', maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(fc.array(word), async (words) => {
        let text = '';
        const log = journal(
          async (drafts) => {
            for (const { body } of drafts) {
              expect(Buffer.byteLength(body)).toBeLessThanOrEqual(1024);
              text += (JSON.parse(body) as Entry).msg;
            }
          },
          { entryBytes: 1024 },
        );
        for (const piece of words) log.appendDelta(one, 'text', piece);
        await log.drain();
        expect(text).toBe(words.join(''));
      }),
      { numRuns: 20 },
    );
  }, 120_000);

  it('stays within the limits of a batch', async () => {
    let largest = 0;
    const log = journal(async (drafts) => {
      largest = Math.max(
        largest,
        drafts.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0),
      );
    });
    log.appendDelta(one, 'text', '\u0001'.repeat(1_000_000));
    await log.drain();
    expect(largest).toBeLessThanOrEqual(1_048_576);
  });

  it('after a refused append tells once and writes nothing more', async () => {
    let calls = 0;
    const told: unknown[] = [];
    const refused = new PublishRefused('fenced', 'the run has ended');
    const log = journal(
      async () => {
        calls++;
        throw refused;
      },
      { onBroken: (error) => told.push(error) },
    );
    log.appendEntry(entries.laneStarted(one, 1, 0), one);
    await expect(log.drain()).rejects.toBe(refused);
    log.appendDelta(one, 'text', 'more');
    log.appendEntry(entries.laneStarted(one, 1, 0), one);
    await expect(log.drain()).rejects.toBe(refused);
    expect(calls).toBe(1);
    expect(told).toEqual([refused]);
  });
});
