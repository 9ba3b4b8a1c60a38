// The promises of the Publisher hold, in virtual time, against a log that fails in every possible way.

import type { WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import { BrokerUnavailable, CodedError, PublishRefused } from '@llm-streamer/shared/errors.ts';
import type { PublishTransport } from '@llm-streamer/shared/publish/delivery.ts';
import { Publisher, type PublisherOptions } from '@llm-streamer/shared/publish/publisher.ts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

type Fate = 'ok' | 'lost request' | 'lost answer' | 'log_full' | 'refused';

interface Line {
  msg: string;
  channel: string;
  level: string;
  attrs?: { dropped: number };
}

/**
 * Appends as the log does: atomically, and once for each writer and seq. Each call meets the next fate; after the last
 * one all calls succeed.
 */
class FickleLog implements PublishTransport {
  readonly lines: Line[] = [];
  readonly calls: { at: number; seq: number; writer: string; bodies: string }[] = [];
  fates: Fate[];
  refused = 0;
  #seq = 0;
  #concurrent = 0;

  constructor(fates: Fate[] = []) {
    this.fates = fates;
  }

  async publish(drafts: readonly Draft[], { writer, seq }: WriterStamp): Promise<(string | null)[]> {
    expect(++this.#concurrent, 'batches under way').toBe(1);
    const bodies = drafts.map(({ body }) => body).join('\n');
    const before = this.calls.at(-1);
    if (before?.seq === seq) expect(bodies, 'a repeat is identical').toBe(before.bodies);
    else expect(seq).toBe((before?.seq ?? 0) + 1);
    this.calls.push({ at: Date.now(), seq, writer, bodies });
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.#concurrent--;

    const fate = this.fates.shift() ?? 'ok';
    const repeat = seq <= this.#seq;
    if (fate === 'lost request') throw new BrokerUnavailable('connection refused');
    if (fate === 'log_full' && !repeat) throw new PublishRefused('log_full', 'the log is full');
    if (fate === 'refused' && !repeat) {
      this.refused += drafts.length;
      throw new PublishRefused('too_many_channels', 'too many channels');
    }
    if (!repeat) {
      this.#seq = seq;
      for (const { body } of drafts) this.lines.push(JSON.parse(body) as Line);
    }
    if (fate === 'lost answer') throw new Error('read ECONNRESET');
    return drafts.map(() => (repeat ? null : '1-1'));
  }

  get entries(): number[] {
    return this.lines.filter(({ attrs }) => !attrs).map(({ msg }) => Number(msg));
  }
}

function numbered(n: number): Draft {
  return draft({ time: 0, channel: 'logs', source: 'test', level: 'info', msg: String(n) });
}

function publisher(log: PublishTransport, options: Partial<PublisherOptions> = {}): Publisher {
  return new Publisher(log, { source: 'tester', random: () => 0.5, ...options });
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Lets virtual time run until the promise settles. */
async function played<T>(promise: Promise<T>): Promise<T> {
  let settled = false;
  const mark = () => {
    settled = true;
  };
  promise.then(mark, mark);
  for (let steps = 0; !settled && steps < 10_000; steps++) await vi.advanceTimersByTimeAsync(50);
  return promise;
}

describe('Publisher', () => {
  it('never duplicates, never reorders, and loses nothing it does not count, whatever fails', async () => {
    const fate = fc.constantFrom<Fate>('ok', 'lost request', 'lost answer', 'log_full', 'refused');
    const step = fc.record({ entries: fc.nat(12), wait: fc.constantFrom(0, 3, 40, 2_000) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fate, { maxLength: 30 }),
        fc.array(step, { minLength: 1, maxLength: 20 }),
        fc.constantFrom(0, 20),
        fc.constantFrom(600, 2_000, 1_000_000),
        async (fates, steps, lingerMs, maxBufferedBytes) => {
          const log = new FickleLog(fates);
          const writer = publisher(log, { lingerMs, maxBufferedBytes, maxBatchEntries: 5 });
          let added = 0;
          for (const { entries, wait } of steps) {
            for (let i = 0; i < entries; i++) writer.enqueue(numbered(++added));
            if (wait > 0) await vi.advanceTimersByTimeAsync(wait);
          }
          await played(writer.flush());

          const arrived = log.entries;
          expect(arrived).toEqual([...new Set(arrived)].sort((a, b) => a - b));
          const { published, dropped, buffered } = writer.counters;
          expect(published).toBe(arrived.length);
          expect(published + dropped).toBe(added);
          expect(buffered).toBe(0);
          const announced = log.lines.reduce((sum, { attrs }) => sum + (attrs?.dropped ?? 0), 0);
          const lost = added - arrived.length;
          expect(announced).toBeLessThanOrEqual(lost);
          if (log.refused === 0) expect(announced).toBe(lost);
          expect(new Set(log.calls.map((call) => call.writer)).size).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('writes a notice of the entries that an outage cost, where they would have stood', async () => {
    const log = new FickleLog(['lost request', 'lost request', 'lost request']);
    const size = Buffer.byteLength(numbered(1).body) + 100;
    const writer = publisher(log, { maxBufferedBytes: 3 * size, maxBatchEntries: 2 });
    writer.enqueue(numbered(1));
    await vi.advanceTimersByTimeAsync(1);
    for (let n = 2; n <= 9; n++) {
      writer.enqueue(numbered(n));
      await vi.advanceTimersByTimeAsync(10);
    }
    await played(writer.flush());
    expect(log.lines.map(({ msg }) => msg)).toEqual([
      '1',
      '5 entries dropped by tester: buffer full during an outage',
      '7',
      '8',
      '9',
    ]);
    expect(log.lines[1]).toMatchObject({ channel: 'logs:errors', level: 'warn', attrs: { dropped: 5 } });
    expect(writer.counters).toEqual({ published: 4, dropped: 5, retries: 3, buffered: 0 });
  });

  it('sends entries that are added at once as one batch, within the limits of a batch', async () => {
    const log = new FickleLog();
    const writer = publisher(log);
    for (let n = 0; n < 1_200; n++) writer.enqueue(numbered(n));
    await played(writer.flush());
    expect(log.calls.map(({ bodies }) => bodies.split('\n').length)).toEqual([500, 500, 200]);

    // 16 bodies of exactly 64 KiB are 1 MiB; with their separators they are more.
    const frame = draft({ time: 0, channel: 'logs', source: 's', level: 'info', msg: '' }).body.length;
    const wide = draft({
      time: 0,
      channel: 'logs',
      source: 's',
      level: 'info',
      msg: 'x'.repeat(65_536 - frame),
    });
    for (let n = 0; n < 40; n++) writer.enqueue(wide);
    await played(writer.flush());
    expect(log.lines).toHaveLength(1_240);
    const lengths = log.calls.map(({ bodies }) => Buffer.byteLength(bodies));
    expect(Math.max(...lengths), 'as lines, separators counted').toBeLessThanOrEqual(1_048_576);
  });

  it('backs off from 100 ms to 5 s with jitter', async () => {
    const log = new FickleLog(Array<Fate>(9).fill('lost request'));
    const writer = publisher(log);
    writer.enqueue(numbered(1));
    await played(writer.flush());
    const waits = log.calls.slice(1).map(({ at }, i) => at - (log.calls[i]?.at ?? 0) - 5);
    expect(waits).toEqual([75, 150, 300, 600, 1_200, 2_400, 3_750, 3_750, 3_750]);
  });

  it('waits as long as the log asks, but a minute at most', async () => {
    const asks = [3_000, 86_400_000];
    const times: number[] = [];
    const writer = publisher({
      publish: async () => {
        times.push(Date.now());
        const retryAfterMs = asks.shift();
        if (retryAfterMs !== undefined) throw Object.assign(new BrokerUnavailable('busy'), { retryAfterMs });
      },
    });
    writer.enqueue(numbered(1));
    await played(writer.flush());
    expect(times.slice(1).map((time, i) => time - (times[i] ?? 0))).toEqual([3_000, 60_000]);
  });

  it('drops and counts a batch that is refused for good, and only that batch', async () => {
    const log = new FickleLog(['ok', 'refused']);
    const writer = publisher(log, { maxBatchEntries: 2 });
    for (let n = 1; n <= 6; n++) writer.enqueue(numbered(n));
    await played(writer.flush());
    expect(log.entries).toEqual([1, 2, 5, 6]);
    expect(writer.counters).toEqual({ published: 4, dropped: 2, retries: 0, buffered: 0 });
  });

  it('logs changes of state, one line each', async () => {
    const lines: string[] = [];
    const logger = {
      info: (msg: string) => void lines.push(msg),
      warn: (msg: string) => void lines.push(msg),
    };
    const log = new FickleLog([...Array<Fate>(6).fill('lost request'), 'ok', 'refused', 'refused', 'ok']);
    const writer = publisher(log, { logger, maxBatchEntries: 1 });
    for (let n = 1; n <= 5; n++) writer.enqueue(numbered(n));
    await played(writer.flush());
    expect(lines).toEqual([
      'broker unavailable: connection refused, buffering',
      'broker back after 5 s',
      'broker refused 1 entry, dropped: too many channels (too_many_channels); further refusals are not logged until a whole batch is taken',
    ]);
  });

  it('flushes on close, cutting a pause short', async () => {
    const log = new FickleLog(Array<Fate>(7).fill('lost request'));
    const writer = publisher(log);
    writer.enqueue(numbered(1));
    await vi.advanceTimersByTimeAsync(5_000); // in the middle of a long pause between two attempts
    const start = Date.now();
    expect(await played(writer.close(3_000))).toBe(0);
    expect(log.entries).toEqual([1]);
    expect(Date.now() - start).toBeLessThan(1_000);
  });

  it('gives up at the deadline of close and says how many are left', async () => {
    const log = new FickleLog(Array<Fate>(1_000).fill('lost request'));
    const writer = publisher(log, { maxBatchEntries: 2 });
    for (let n = 1; n <= 5; n++) writer.enqueue(numbered(n));
    expect(await played(writer.close(3_000))).toBe(5);
    const calls = log.calls.length;
    writer.enqueue(numbered(6));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(log.calls).toHaveLength(calls);
    expect(writer.counters).toMatchObject({ published: 0, dropped: 1, buffered: 5 });
  });

  it('repeats a batch after an error without a code, whose outcome is unknown', async () => {
    const errors = [new TypeError('fetch failed'), new CodedError('invalid_entry', 'msg must be a string')];
    const writer = publisher({
      publish: async () => {
        const error = errors.shift();
        if (error) throw error;
      },
    });
    writer.enqueue(numbered(1));
    await played(writer.flush());
    expect(writer.counters).toEqual({ published: 0, dropped: 1, retries: 1, buffered: 0 });
  });

  it('resolves flush for the entries before it, even while more are added', async () => {
    const log = new FickleLog();
    const writer = publisher(log, { maxBatchEntries: 1 });
    writer.enqueue(numbered(1));
    const flushed = writer.flush();
    const more = setInterval(() => writer.enqueue(numbered(2)), 1);
    await played(flushed);
    clearInterval(more);
    expect(log.entries[0]).toBe(1);
    expect(writer.counters.buffered).toBeGreaterThan(0);
  });
});
