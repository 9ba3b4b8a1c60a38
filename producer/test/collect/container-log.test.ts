// One container's log, read as the engine sends it, and read again after the connection, the engine or the collector has ended.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContainerLog } from '../../src/collect/container-log.ts';
import type { Delivered } from '../../src/collect/journal.ts';
import { EARLIEST, type Stamp } from '../../src/collect/stamp.ts';
import { type Message, pieces, timeText, wire } from './engine-stand-in.ts';

const NAMING = { channel: 'logs:app', source: 'app-1', attrs: { 'container.id': 'c0ffee' } };
const START = 1_795_953_114;
/** As a program may print it. */
const FUTURE = '2099-01-01T00:00:00.000000000Z ';
const LATER = { at: '4070908800.000000000', nth: 1, top: '4070908800.000000000' };

const at = (ms: number, nanos = 0): Stamp =>
  `${START + Math.floor(ms / 1000)}.${String((ms % 1000) * 1e6 + nanos).padStart(9, '0')}`;

interface Collected {
  fields: EntryFields;
  delivered: Delivered;
}

function open(delivered?: Delivered, isPodman = false) {
  const collected: Collected[] = [];
  const log = new ContainerLog({
    naming: NAMING,
    delivered,
    floor: EARLIEST,
    isPodman,
    onEntry: (fields, delivered) => collected.push({ fields, delivered }),
    onNote: () => undefined,
    now: () => (START + 86_400) * 1000,
  });
  return { log, collected };
}

/** What the engine sends from `since` on. */
function sent(messages: readonly Message[], since: Stamp, hasTerminal = false): Buffer {
  return Buffer.concat(messages.filter(({ at }) => at >= since).map((message) => wire(message, hasTerminal)));
}

function messagesOf(
  messages: readonly Message[],
  hasTerminal = false,
  isPodman = false,
  startedAt?: Stamp,
): string[] {
  const { log, collected } = open(undefined, isPodman);
  log.push(sent(messages, log.reopen({ hasTerminal, startedAt }), hasTerminal));
  log.end();
  return collected.map(({ fields }) => fields.msg);
}

const out = (ms: number, text: string): Message => ({ output: 'stdout', at: at(ms), text });
const err = (ms: number, text: string): Message => ({ output: 'stderr', at: at(ms), text });

describe("a container's log", () => {
  it('has entries with the time of the engine, the level of the line, the output and the container', () => {
    const { log, collected } = open();
    log.push(sent([err(250, 'ERROR out of memory\n')], log.reopen({ hasTerminal: false })));
    log.end();
    expect(collected[0]?.fields).toEqual({
      time: START * 1000 + 250,
      channel: 'logs:app',
      source: 'app-1',
      level: 'error',
      msg: 'ERROR out of memory',
      attrs: { 'container.id': 'c0ffee', stream: 'stderr' },
    });
  });

  it("keeps the fields of a JSON line, and the container's name as the source", () => {
    const { log, collected } = open();
    log.push(
      sent(
        [out(0, '{"level":50,"name":"api","channel":"runs:x","msg":"slow","ms":12}\n')],
        log.reopen({ hasTerminal: false }),
      ),
    );
    log.end();
    expect(collected[0]?.fields).toMatchObject({
      channel: 'logs:app',
      source: 'app-1',
      level: 'error',
      msg: 'slow',
      attrs: { ms: 12, logger: 'api' },
    });
  });

  it('keeps a stack trace whole while the other output goes on', () => {
    const trace = ['Traceback (most recent call last):', '  File "a.py", line 3, in f', 'ValueError: x'];
    const messages = trace.flatMap((line, i) => [err(i, `${line}\n`), out(i, `step ${i}\n`)]);
    expect(messagesOf(messages).toSorted()).toEqual(
      ['step 0', 'step 1', 'step 2', trace.join('\n')].toSorted(),
    );
  });

  it.each([false, true])('joins the pieces of a long line (terminal: %s)', (hasTerminal) => {
    const line = `${'é'.repeat(20_000)}!`;
    const messages = [...pieces('stdout', at(1), `${line}\n`), out(2, 'next\n')];
    expect(messagesOf(messages, hasTerminal)).toEqual([line, 'next']);
  });

  it.each([false, true])(
    'keeps last words without a line end apart from the next run (terminal: %s)',
    (hasTerminal) => {
      expect(
        messagesOf(
          [out(1, 'last words'), out(900, 'first\n'), out(901, 'last')],
          hasTerminal,
          false,
          at(800),
        ),
      ).toEqual(['last words', 'first', 'last']);
    },
  );

  it('joins the pieces of Podman, of which each has a time of its own', () => {
    expect(messagesOf([out(1, 'one '), out(2, 'line\n'), out(3, 'next\n')], false, true)).toEqual([
      'one line',
      'next',
    ]);
  });

  it.each([false, true])('reads on behind last words that were read before (Podman: %s)', (isPodman) => {
    const { log, collected } = open(undefined, isPodman);
    const messages = [out(1, 'one\n'), out(2, 'last ')];
    log.push(sent(messages, log.reopen({ hasTerminal: false })));
    log.end();
    messages.push(out(3_000, 'two\n'));
    log.push(sent(messages, log.reopen({ hasTerminal: false })));
    log.end();
    expect(collected.map(({ fields }) => fields.msg)).toEqual(['one', 'last ', 'two']);
  });

  it('takes a time that a program prints on a terminal as text', () => {
    const line = '2026-11-29T09:11:50.000000001Z INFO ready since 2026-11-29T09:11:50.000000001Z or so';
    expect(messagesOf([out(0, `${line}\r\n`)], true)).toEqual([line]);
  });

  it('stands where it stood although a program on a terminal prints a time to come', () => {
    const messages = [out(0, 'one\n'), out(1, `lease until ${FUTURE}ok\n`)];
    const { log, collected } = open();
    log.push(sent(messages, log.reopen({ hasTerminal: true }), true));
    messages.push(out(5_000, 'two\n'));
    log.push(sent(messages, log.reopen({ hasTerminal: true, startedAt: at(4_000) }), true));
    log.end();
    expect(collected.map(({ fields }) => fields.msg)).toEqual(['one', `lease until ${FUTURE}ok`, 'two']);
  });

  it.each([
    ['as its place', { since: '4070908800.000000000', stdout: LATER }],
    ['as the latest of all', { since: at(0), stdout: { ...LATER, at: at(0) } }],
  ])('is read although the journal has a time to come %s', (_where, delivered) => {
    const { log, collected } = open(delivered);
    log.push(sent([out(900, 'two\n')], log.reopen({ hasTerminal: true }), true));
    log.end();
    expect(collected.map(({ fields }) => fields.msg)).toEqual(['two']);
  });

  it('goes on behind last words on a terminal that were read before', () => {
    const messages = [out(1, 'one\n'), out(2, 'last ')];
    const { log, collected } = open();
    log.push(sent(messages, log.reopen({ hasTerminal: true }), true));
    log.end();
    messages.push(out(900, 'two\n'), out(901, 'three\n'));
    for (let i = 0; i < 2; i++)
      log.push(sent(messages, log.reopen({ hasTerminal: true, startedAt: at(800) }), true));
    log.end();
    expect(collected.map(({ fields }) => fields.msg)).toEqual(['one', 'last ', 'two', 'three']);
  });

  it('is read from the first moment again where nothing was delivered, and else from a second before', () => {
    expect(open().log.reopen({ hasTerminal: false })).toBe(EARLIEST);
    const { log } = open({ since: at(5_000), stdout: { at: at(5_000), nth: 1, top: at(5_000) } });
    expect(log.reopen({ hasTerminal: false })).toBe(at(4_000));
  });

  it('goes on where a clock was put back', () => {
    const messages = [
      out(3_600_000, 'a\n'),
      out(3_600_001, 'b\n'),
      out(10, 'c\n'),
      out(11, 'd\n'),
      out(12, 'e\n'),
    ];
    const first = open();
    first.log.push(sent(messages.slice(0, 4), first.log.reopen({ hasTerminal: false })));
    first.log.flush();
    const second = open(first.collected.at(-1)?.delivered);
    second.log.push(sent(messages, second.log.reopen({ hasTerminal: false })));
    second.log.end();
    const all = [...first.collected, ...second.collected].map(({ fields }) => fields.msg);
    expect(all).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('loses and doubles no line, wherever connections and collectors end, also at one and the same nanosecond', () => {
    const line = fc.record({
      output: fc.constantFrom('stdout' as const, 'stderr' as const),
      // Mostly the same time as the line before.
      later: fc.constantFrom(0, 0, 0, 1, 40, 2_000),
      nanos: fc.constantFrom(0, 0, 1),
      size: fc.constantFrom(1, 1, 1, 40_000),
      // An indented line is a detail of the line before, and belongs to its entry.
      kind: fc.constantFrom('json', 'plain', 'indented'),
    });
    const cut = fc.record({
      after: fc.double({ min: 0, max: 1, noNaN: true }),
      dies: fc.boolean(),
      acked: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 30 }),
        fc.array(cut, { maxLength: 6 }),
        fc.boolean(),
        (lines, cuts, hasTerminal) => {
          let ms = 0;
          const messages: Message[] = [];
          const expected: string[] = [];
          lines.forEach(({ output, later, nanos, size, kind }, i) => {
            ms += later;
            const msg = `${kind === 'indented' ? '  ' : ''}${i}${'.'.repeat(size - 1)}`;
            expected.push(msg);
            const text = kind === 'json' ? JSON.stringify({ msg }) : msg;
            const to = hasTerminal ? 'stdout' : output;
            messages.push(...pieces(to, at(ms, nanos), `${text}\n`));
          });
          let { log, collected } = open();
          const delivered: Collected[] = [];
          for (const { after, dies, acked } of cuts) {
            const bytes = sent(messages, log.reopen({ hasTerminal }), hasTerminal);
            log.push(bytes.subarray(0, Math.floor(bytes.length * after)));
            if (!dies) continue;
            // The collector is killed: what the journal has of its entries was delivered, and it begins there.
            delivered.push(...collected.slice(0, Math.floor(collected.length * acked)));
            ({ log, collected } = open(stateOf(delivered)));
          }
          log.push(sent(messages, log.reopen({ hasTerminal }), hasTerminal));
          log.end();
          const got = [...delivered, ...collected].flatMap(({ fields }) => fields.msg.split('\n'));
          expect(got.toSorted()).toEqual(expected.toSorted());
        },
      ),
      { numRuns: 400 },
    );
  });

  it('on a terminal loses and doubles no line that has a time in it, wherever it is opened again', () => {
    const line = fc.record({
      later: fc.constantFrom(0, 1, 40, 2_000),
      time: fc.constantFrom('past', 'same', 'soon', 'future', 'none'),
      size: fc.constantFrom(0, 0, 0, 20_000),
    });
    const cut = fc.record({
      seen: fc.nat({ max: 20 }),
      after: fc.double({ min: 0, max: 1, noNaN: true }),
      acked: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    });
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 20 }),
        fc.array(cut, { maxLength: 6 }),
        (lines, cuts) => {
          let ms = 10_000;
          const expected: string[] = [];
          const written: Message[][] = lines.map(({ later, time, size }, i) => {
            ms += later;
            const inner = {
              past: timeText(at(ms - 5_000)),
              same: timeText(at(ms)),
              soon: timeText(at(ms + 30)),
              future: FUTURE.trim(),
              none: 'never',
            }[time];
            const msg = `${i} until ${inner} or so${'.'.repeat(size)}`;
            expected.push(msg);
            return pieces('stdout', at(ms), `${msg}\n`);
          });
          let { log, collected } = open();
          const delivered: Collected[] = [];
          const opened = { hasTerminal: true, startedAt: at(9_000) };
          for (const { seen, after, acked } of cuts.toSorted((a, b) => a.seen - b.seen)) {
            const bytes = sent(written.slice(0, seen).flat(), log.reopen(opened), true);
            log.push(bytes.subarray(0, Math.floor(bytes.length * after)));
            if (acked === null) continue;
            delivered.push(...collected.slice(0, Math.floor(collected.length * acked)));
            ({ log, collected } = open(stateOf(delivered)));
          }
          log.push(sent(written.flat(), log.reopen(opened), true));
          log.end();
          const got = [...delivered, ...collected].flatMap(({ fields }) => fields.msg.split('\n'));
          expect(got).toEqual(expected);
        },
      ),
      { numRuns: 400 },
    );
  });
});

/** What the journal keeps. */
function stateOf(delivered: readonly Collected[]): Delivered | undefined {
  if (delivered.length === 0) return undefined;
  return Object.assign({ since: EARLIEST }, ...delivered.map(({ delivered }) => delivered)) as Delivered;
}
