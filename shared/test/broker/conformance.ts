// What every broker must do, as one suite: run against each implementation by its own test file.

import { expect, it } from 'vitest';
import type { Broker, Gap, Listener, PageItem, ReadQuery } from '../../src/broker/broker.ts';
import { BEGINNING, type Position, parsePosition } from '../../src/broker/position.ts';
import { readPages } from '../../src/broker/read-pages.ts';
import type { LogRecord } from '../../src/broker/record.ts';
import type { RetentionPolicy } from '../../src/broker/retention.ts';
import { type Draft, draft } from '../../src/entry.ts';

/** Makes a broker, and closes it after the test. Calls with the same `log` give brokers on the same log. */
export type MakeBroker = (options?: {
  log?: string;
  retention?: Partial<RetentionPolicy>;
}) => Promise<Broker>;

export function line(channel: string, msg: string): Draft {
  return draft({ time: 1_795_224_320_113, channel, source: 'test', level: 'info', msg });
}

/** Collects what a listener gets, and lets a test wait for it. */
export class Ear implements Listener {
  readonly records: LogRecord[] = [];
  readonly gaps: Gap[] = [];
  readonly positions: Position[] = [];
  #waiting: { done: () => boolean; resolve: () => void }[] = [];

  onRecord(record: LogRecord): void {
    this.records.push(record);
    this.#check();
  }
  onGap(gap: Gap): void {
    this.gaps.push(gap);
    this.#check();
  }
  onAdvance(position: Position): void {
    this.positions.push(position);
    this.#check();
  }
  get msgs(): string[] {
    return this.records.map(({ entry }) => entry.msg);
  }
  async heard(done: (ear: this) => boolean): Promise<void> {
    if (done(this)) return;
    await new Promise<void>((resolve) => this.#waiting.push({ done: () => done(this), resolve }));
  }
  #check(): void {
    const still = this.#waiting.filter(({ done }) => !done());
    for (const waiter of this.#waiting) if (!still.includes(waiter)) waiter.resolve();
    this.#waiting = still;
  }
}

/** Ends the retention by time of a channel and has the log forget it; `maxChannels` of the broker must be scarce. */
export type ForgetChannel = (broker: Broker, channel: string) => Promise<void>;

/** The prefix of the channels that `ForgetChannel` is asked to forget, and how long the log keeps them. */
const FLEETING = { prefix: 'fleeting', entries: 100, idleMs: 60_000 };

export function testBroker(make: MakeBroker, forget: ForgetChannel): void {
  const numbers = (ids: readonly (string | null)[]) => ids.map((id) => parsePosition(id ?? '') as Position);

  const readAll = async (broker: Broker, query: Omit<ReadQuery, 'limit'> & { limit?: number }) => {
    const records: LogRecord[] = [];
    const gaps: Gap[] = [];
    for await (const { items } of readPages(broker, { limit: 7, ...query }))
      for (const { record, gap } of items) record ? records.push(record) : gaps.push(gap);
    return { records, gaps, msgs: records.map(({ entry }) => entry.msg) };
  };

  it('gives ids that rise over all channels, and prev per channel', async () => {
    const broker = await make();
    const ids = numbers(await broker.publish([line('a', '1'), line('b', '2'), line('a', '3')]));
    const [more] = numbers(await broker.publish([line('b', '4')]));
    expect([...ids, more as Position].every((n, i, all) => i === 0 || n > (all[i - 1] as number))).toBe(true);
    const { records } = await readAll(broker, { channels: ['*'], after: BEGINNING });
    expect(records.map(({ prev }) => prev)).toEqual([0, 0, ids[0], ids[1]]);
  });

  it('stores exactly the bytes it announces, the head in front of the body', async () => {
    const broker = await make();
    const ear = new Ear();
    await broker.subscribe(['a'], ear);
    const [id] = await broker.publish([line('a', 'héllo "x" \u2028')]);
    await ear.heard(({ records }) => records.length === 1);
    const { records } = await readAll(broker, { channels: ['a'], after: BEGINNING });
    expect(records[0]?.data.equals(ear.records[0]?.data as Buffer)).toBe(true);
    expect(records[0]?.entry).toMatchObject({ id, prev: 0, channel: 'a', msg: 'héllo "x" \u2028' });
    expect(records[0]?.id).toBe(id);
  });

  it('delivers live in order, once, also where several patterns match', async () => {
    const broker = await make();
    const ear = new Ear();
    await broker.subscribe(['logs', 'logs*', '*'], ear);
    for (let i = 0; i < 50; i++) await broker.publish([line('logs', `${i}`), line('logs:x', `${i}x`)]);
    await ear.heard(({ records }) => records.length >= 100);
    expect(ear.msgs).toEqual(Array.from({ length: 50 }, (_, i) => [`${i}`, `${i}x`]).flat());
    expect(ear.gaps).toEqual([]);
  });

  it('delivers to each of several listeners, and nothing after close', async () => {
    const broker = await make();
    const [one, two] = [new Ear(), new Ear()];
    const first = await broker.subscribe(['a'], one);
    await broker.subscribe(['*'], two);
    await broker.publish([line('a', '1')]);
    await Promise.all([one.heard((e) => e.records.length === 1), two.heard((e) => e.records.length === 1)]);
    first.close();
    await broker.publish([line('a', '2')]);
    await two.heard((e) => e.records.length === 2);
    expect(one.msgs).toEqual(['1']);
  });

  it('joins history and live without gap or repeat, while entries keep arriving', async () => {
    const broker = await make();
    let published = 0;
    const writing = (async () => {
      for (; published < 300; published++) await broker.publish([line(`c${published % 5}`, `${published}`)]);
    })();
    const ear = new Ear();
    const { from } = await broker.subscribe(['c*'], ear);
    await writing;
    await broker.publish([line('c0', 'end')]);
    await ear.heard(({ msgs }) => msgs.at(-1) === 'end');
    const before = await readAll(broker, { channels: ['c*'], after: BEGINNING, upTo: from });
    expect([...before.msgs, ...ear.msgs]).toEqual([...Array.from({ length: 300 }, (_, i) => `${i}`), 'end']);
    expect([...before.gaps, ...ear.gaps]).toEqual([]);
  });

  it('keeps reserved channels out of patterns that do not name them', async () => {
    const broker = await make();
    const [all, runs] = [new Ear(), new Ear()];
    await broker.subscribe(['*'], all);
    await broker.subscribe(['runs:*'], runs);
    await broker.publish([line('runs:m1', 'private'), line('logs', 'public')]);
    await all.heard(({ records }) => records.length === 1);
    await runs.heard(({ records }) => records.length === 1);
    expect([all.msgs, runs.msgs]).toEqual([['public'], ['private']]);
    const { msgs } = await readAll(broker, { channels: ['*'], after: BEGINNING });
    expect(msgs).toEqual(['public']);
  });

  it('takes a repeated batch once, and a new writer is never muted', async () => {
    const broker = await make();
    const batch = [line('a', '1'), line('a', '2')];
    const first = await broker.publish(batch, { writer: 'w1', seq: 1 });
    expect(await broker.publish(batch, { writer: 'w1', seq: 1 })).toEqual([null, null]);
    const other = await broker.publish([line('a', '3')], { writer: 'w2', seq: 1 });
    expect([...first, ...other].every((id) => id !== null)).toBe(true);
    const { msgs } = await readAll(broker, { channels: ['a'], after: BEGINNING });
    expect(msgs).toEqual(['1', '2', '3']);
  });

  it('refuses a batch whole when it would exceed the channels allowed', async () => {
    const broker = await make({ retention: { maxChannels: 2 } });
    await broker.publish([line('a', '1')]);
    const batch = broker.publish([line('a', '2'), line('b', '3'), line('c', '4')]);
    await expect(batch).rejects.toMatchObject({ code: 'too_many_channels', channels: ['c'] });
    expect((await readAll(broker, { channels: ['*'], after: BEGINNING })).msgs).toEqual(['1']);
  });

  it('keeps places for runs that writers cannot fill, and one for each channel of the audit in any case', async () => {
    const broker = await make({ retention: { maxChannels: 20 } });
    const publish = (channel: string) => broker.publish([line(channel, 'x')]);
    for (let i = 0; i < 18; i++) await publish(`logs:${i}`);
    await expect(publish('logs:more')).rejects.toMatchObject({ code: 'too_many_channels' });
    for (const channel of ['runs:1', 'runs:2']) await publish(channel);
    await expect(publish('runs:3')).rejects.toMatchObject({ code: 'too_many_channels' });
    for (const channel of ['audit:failures', 'audit:refusals', 'logs:gateway']) await publish(channel);
    expect((await broker.channels('audit:*')).map(({ channel }) => channel).sort()).toEqual([
      'audit:failures',
      'audit:refusals',
    ]);
  });

  it('refuses a batch of more entries or bytes than one call may hold', async () => {
    const broker = await make();
    const many = Array.from({ length: 501 }, (_, i) => line('a', `${i}`));
    await expect(broker.publish(many)).rejects.toMatchObject({ code: 'batch_too_large' });
    const large = Array.from({ length: 20 }, () => line('a', 'x'.repeat(60_000)));
    await expect(broker.publish(large)).rejects.toMatchObject({ code: 'batch_too_large' });
  });

  it('reads pages in order over sparse and busy channels, each entry once', async () => {
    const broker = await make();
    const expected: string[] = [];
    for (let i = 0; i < 40; i++) {
      const batch = [line('busy', `b${i}`), ...(i % 10 === 0 ? [line('sparse', `s${i}`)] : [])];
      expected.push(...batch.map(({ body }) => JSON.parse(body).msg as string));
      await broker.publish(batch);
    }
    for (const limit of [1, 3, 100]) {
      const { msgs, gaps } = await readAll(broker, { channels: ['*'], after: BEGINNING, limit });
      expect(msgs).toEqual(expected);
      expect(gaps).toEqual([]);
    }
    const { msgs } = await readAll(broker, { channels: ['sparse'], after: BEGINNING, limit: 2 });
    expect(msgs).toEqual(['s0', 's10', 's20', 's30']);
  });

  it.each([
    ['one channel', 1, false],
    ['one channel, backwards', 1, true],
    ['five channels', 5, false],
    ['five channels, backwards', 5, true],
  ])('ends a page by bytes, each entry once: %s', async (_, channels, reverse) => {
    const broker = await make();
    const body = 'x'.repeat(10_000);
    const expected = Array.from({ length: 90 }, (_, i) => `${i}`);
    for (const i of expected) await broker.publish([line(`c${Number(i) % channels}`, `${i} ${body}`)]);
    const found: string[] = [];
    const query = { channels: ['c*'], after: BEGINNING, limit: 500, bytes: 65_536, reverse };
    for await (const { items } of readPages(broker, { ...query, upTo: await broker.head() })) {
      const msgs = items.map(({ record }) => record?.entry.msg.split(' ')[0] as string);
      // A page over several channels may hold more, but only as many entries as there are channels.
      expect(msgs.length).toBeLessThanOrEqual(Math.max(channels, 65_536 / body.length));
      found.push(...msgs);
    }
    expect(reverse ? found.reverse() : found).toEqual(expected);
  });

  it('reads the newest entries backwards', async () => {
    const broker = await make();
    for (let i = 0; i < 30; i++) await broker.publish([line(`c${i % 3}`, `${i}`)]);
    const page = await broker.readPage({ channels: ['c*'], after: BEGINNING, limit: 5, reverse: true });
    expect(page.items.map(({ record }) => record?.entry.msg)).toEqual(['29', '28', '27', '26', '25']);
    const next = await broker.readPage({
      channels: ['c*'],
      after: BEGINNING,
      upTo: page.next,
      limit: 100,
      reverse: true,
    });
    expect(next.items.map(({ record }) => record?.entry.msg)).toEqual(
      Array.from({ length: 25 }, (_, i) => `${24 - i}`),
    );
    expect(next.done).toBe(true);
  });

  it('is done at once reading backwards where the channels hold nothing', async () => {
    const broker = await make();
    await broker.publish([line('other', '1')]);
    for (const after of [BEGINNING, await broker.head()]) {
      const page = await broker.readPage({ channels: ['a', 'b*'], after, limit: 10, reverse: true });
      expect(page).toMatchObject({ items: [], done: true });
    }
  });

  it('reads backwards through more channels than a page holds entries', async () => {
    const broker = await make();
    for (let i = 0; i < 7; i++) await broker.publish([line(`c${i}`, `${i}`)]);
    const msgs: (string | undefined)[] = [];
    const query = { channels: ['*'], after: BEGINNING, limit: 2, reverse: true };
    for await (const { items } of readPages(broker, { ...query, upTo: await broker.head() }))
      msgs.push(...items.map(({ record }) => record?.entry.msg));
    expect(msgs).toEqual(['6', '5', '4', '3', '2', '1', '0']);
  });

  it('names a gap where retention has dropped entries, before what follows, and none where it has not', async () => {
    const retention = { default: { entries: 100, idleMs: 60_000 } };
    const broker = await make({ retention });
    const [early] = numbers(await broker.publish([line('quiet', 'q')]));
    const [seen] = numbers(await broker.publish([line('busy', 'first')]));
    for (let i = 0; i < 20; i++)
      await broker.publish(Array.from({ length: 50 }, (_, j) => line('busy', `${i * 50 + j}`)));
    const { records, gaps } = await readAll(broker, { channels: ['*'], after: seen as number, limit: 40 });
    expect(gaps).toEqual([
      {
        channel: 'busy',
        after: seen,
        before: (records[0]?.prev as number) + 1,
        reason: 'trimmed',
        missed: null,
      },
    ]);
    expect(records.at(-1)?.entry.msg).toBe('999');
    const quiet = await readAll(broker, { channels: ['quiet'], after: early as number });
    expect(quiet).toMatchObject({ records: [], gaps: [] });
    const tail = await readAll(broker, { channels: ['*'], after: records[0]?.n as number });
    expect(tail.gaps).toEqual([]);
  });

  it('names every gap before any entry, and again to a reader who resumes among the entries of other channels', async () => {
    const broker = await make({ retention: { default: { entries: 100, idleMs: 60_000 } } });
    const start = await broker.head();
    for (let i = 0; i < 20; i++) {
      await broker.publish(Array.from({ length: 50 }, (_, j) => line('busy', `${i * 50 + j}`)));
      await broker.publish([line('steady', `${i}`)]);
    }
    await broker.publish([line('rare', 'last')]);
    const { items } = await broker.readPage({ channels: ['*'], after: start, limit: 5_000 });
    expect(items.map(({ gap }) => gap?.channel).slice(0, 2)).toEqual(['busy', undefined]);
    const [{ gap }, ...rest] = items as [PageItem, ...PageItem[]];
    const lastMissing = (gap?.before ?? 0) - 1;
    expect(gap).toMatchObject({ after: start, reason: 'trimmed' });
    for (let cut = 0; cut < rest.length; cut++) {
      const cursor = rest[cut]?.record?.n as number;
      const { records, gaps } = await readAll(broker, { channels: ['*'], after: cursor, limit: 50 });
      expect(records.map(({ id }) => id)).toEqual(rest.slice(cut + 1).map(({ record }) => record?.id));
      expect(gaps).toEqual(cursor < lastMissing ? [{ ...gap, after: cursor }] : []);
    }
  });

  it('names a gap that goes on beyond the bound of the reading up to there', async () => {
    const broker = await make({ retention: { default: { entries: 100, idleMs: 60_000 } } });
    const [seen] = numbers(await broker.publish([line('busy', 'seen')]));
    const [, , bound] = numbers(
      await broker.publish([line('busy', 'a'), line('busy', 'b'), line('busy', 'c')]),
    );
    for (let i = 0; i < 20; i++)
      await broker.publish(Array.from({ length: 50 }, (_, j) => line('busy', `${i * 50 + j}`)));
    const { records, gaps } = await readAll(broker, {
      channels: ['*'],
      after: seen as number,
      upTo: bound as number,
    });
    expect(records).toEqual([]);
    expect(gaps).toMatchObject([{ channel: 'busy', after: seen, before: (bound as number) + 1 }]);
  });

  it('reads more channels than a page has entries, from either end, each entry once', async () => {
    const broker = await make();
    const channels = Array.from({ length: 1_200 }, (_, i) => `c${i}`);
    const drafts = channels.map((channel) => line(channel, `${channel} first`));
    for (let i = 0; i < 1_300; i++) drafts.push(line(`c${(i * i) % 97}`, `${i}`));
    const all: Position[] = [];
    for (let i = 0; i < drafts.length; i += 500)
      all.push(...numbers(await broker.publish(drafts.slice(i, i + 500))));
    for (const [from, to] of [
      [0, all.length - 1],
      [700, 2_000],
    ] as const) {
      const [after, upTo] = [all[from] as Position, all[to] as Position];
      const expected = all.slice(from + 1, to + 1);
      const forwards = await readAll(broker, { channels: ['c*'], after, upTo, limit: 100 });
      expect(forwards.records.map(({ n }) => n)).toEqual(expected);
      expect(forwards.gaps).toEqual([]);
      const backwards: Position[] = [];
      const query = { channels: ['c*'], after, upTo, limit: 100, reverse: true };
      for await (const { items } of readPages(broker, query))
        backwards.push(...items.flatMap(({ record }) => record?.n ?? []));
      expect(backwards.reverse()).toEqual(expected);
    }
  });

  it('names a reset to a cursor of another log, then gives all entries', async () => {
    const broker = await make();
    const start = await broker.head();
    await broker.publish([line('a', '1')]);
    for (const foreign of [1_000_000, Number.MAX_SAFE_INTEGER - 1]) {
      const { msgs, gaps } = await readAll(broker, { channels: ['a'], after: foreign });
      const range = { after: Math.min(foreign, start), before: start + 1 };
      expect(gaps).toMatchObject([{ channel: null, ...range, reason: 'reset' }]);
      expect(msgs).toEqual(['1']);
    }
  });

  it('names the gap of a channel that was forgotten and made anew, to readers who may have missed entries', async () => {
    const broker = await make({ retention: { maxChannels: 2, prefixes: [FLEETING] } });
    const start = await broker.head();
    const [lost] = numbers(await broker.publish([line('fleeting', 'lost')]));
    await broker.publish([line('other', 'x')]);
    await forget(broker, 'fleeting');
    await broker.publish([line('fleeting', 'again'), line('fleeting', 'more')]);
    for (const limit of [1, 10]) {
      const { msgs, gaps } = await readAll(broker, { channels: ['fleeting', 'other'], after: start, limit });
      expect(msgs).toEqual(['x', 'again', 'more']);
      const before = (lost as number) + 1;
      expect(gaps).toEqual([{ channel: 'fleeting', after: start, before, reason: 'expired', missed: null }]);
    }
    const later = await readAll(broker, { channels: ['fleeting'], after: lost as number });
    expect(later).toMatchObject({ msgs: ['again', 'more'], gaps: [] });
  });

  it('blames no channel for another that was forgotten since', async () => {
    const broker = await make({ retention: { maxChannels: 2, prefixes: [FLEETING] } });
    const start = await broker.head();
    await broker.publish([line('fleeting', 'gone')]);
    await broker.publish([line('lasting', 'here')]);
    await forget(broker, 'fleeting');
    const { msgs, gaps } = await readAll(broker, { channels: ['lasting'], after: start });
    expect([msgs, gaps]).toEqual([['here'], []]);
  });

  it('finds a position by time', async () => {
    const broker = await make();
    await broker.publish([line('a', 'old')]);
    const between = await broker.head();
    const moment = Math.floor(between / 1000) + 1;
    while (Date.now() <= moment) await broker.head();
    await broker.publish([line('a', 'new')]);
    const { msgs } = await readAll(broker, { channels: ['a'], after: await broker.positionAtTime(moment) });
    expect(msgs).toEqual(['new']);
    expect(await broker.positionAtTime(0)).toBeLessThan(between);
    expect(await broker.positionAtTime(Date.now() + 1e9)).toBe(await broker.head());
  });

  it('gives quiet listeners a position about once a second', async () => {
    const broker = await make();
    const ear = new Ear();
    const { from } = await broker.subscribe(['nobody'], ear);
    const [n] = numbers(await broker.publish([line('elsewhere', 'x')]));
    await ear.heard(({ positions }) => (positions.at(-1) ?? 0) >= (n as number));
    expect(n).toBeGreaterThan(from);
    expect(ear.records).toEqual([]);
  });

  it('lists channels with what they hold', async () => {
    const broker = await make();
    const ids = numbers(await broker.publish([line('b', '1'), line('a', '2'), line('b', '3')]));
    const channels = (await broker.channels('*')).sort((x, y) => x.channel.localeCompare(y.channel));
    expect(channels).toEqual([
      { channel: 'a', entries: 1, total: 1, last: ids[1] },
      { channel: 'b', entries: 2, total: 2, last: ids[2] },
    ]);
  });
}
