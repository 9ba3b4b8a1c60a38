// The output of a program becomes entries: decoded, joined, and held for a moment only.

import { decodeObject } from '@llm-streamer/shared/decode/decode.ts';
import { draft, type EntryFields } from '@llm-streamer/shared/entry.ts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Intake } from '../../src/pipe/intake.ts';

let entries: EntryFields[] = [];
let intake: Intake;

beforeEach(() => {
  vi.useFakeTimers();
  entries = [];
  intake = new Intake({ channel: 'logs:vllm', source: 'vllm', level: 'debug' }, (fields) =>
    entries.push(fields),
  );
});
afterEach(() => {
  vi.useRealTimers();
});

function addText(text: string): void {
  intake.addChunk(Buffer.from(text));
}

const messages = () => entries.map(({ msg }) => msg);

describe('Intake', () => {
  it('keeps the fields of JSON lines', () => {
    addText('{"level":40,"time":1795224320113,"name":"api","msg":"slow","ms":812}\n');
    expect(entries).toEqual([
      {
        time: 1795224320113,
        channel: 'logs:vllm',
        source: 'api',
        level: 'warn',
        msg: 'slow',
        attrs: { ms: 812 },
      },
    ]);
  });

  it('gives lines that name no level the one of the command line, and others their own', () => {
    addText('loading weights\nWARNING 11-21 03:14:07 slow disk\n{"msg":"json"}\n');
    intake.end();
    expect(entries.map(({ level }) => level)).toEqual(['debug', 'warn', 'debug']);
  });

  it('makes a stack trace an error, unless it is only a warning', () => {
    addText('/app/x.js:1\nthrow 1\n^\n\nUncaught:\n1\n');
    addText('(node:7) Warning: too many listeners\n    at add (/app/x.js:3:1)\n');
    intake.end();
    expect(entries.map(({ level }) => level)).toEqual(['error', 'debug', 'warn']);
  });

  it('keeps a stack trace an error after a warning', () => {
    addText('WARN low disk\nTypeError: bad thing\n    at foo (x.js:1:2)\nINFO next\n');
    intake.end();
    expect(entries.map(({ level }) => level)).toEqual(['warn', 'error', 'info']);
  });

  it('gives a line after 150 ms of silence, not before', async () => {
    addText('Error: boom\n');
    await vi.advanceTimersByTimeAsync(100);
    addText('    at here\n');
    await vi.advanceTimersByTimeAsync(140);
    expect(messages()).toEqual([]);
    await vi.advanceTimersByTimeAsync(20);
    expect(messages()).toEqual(['Error: boom\n    at here']);
  });

  it('gives a block that goes on growing after a second', async () => {
    addText('head\n');
    for (let i = 0; i < 15; i++) {
      await vi.advanceTimersByTimeAsync(100);
      addText('  drip\n');
    }
    expect(messages().length).toBeGreaterThan(0);
  });

  it('gives a line at once when the next one has come', () => {
    addText('one\ntwo\n');
    expect(messages()).toEqual(['one']);
  });

  it('keeps colors for the page', () => {
    addText('\x1b[31mred\x1b[0m\n');
    intake.end();
    expect(messages()).toEqual(['\x1b[31mred\x1b[0m']);
  });

  it('makes no entry that the gateway would refuse, since the whole batch would be refused with it', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const key = fc.constantFrom(
      'msg',
      'level',
      'time',
      'source',
      'event',
      'run',
      'attrs',
      'id',
      'channel',
      'x',
      '__proto__',
    );
    const object = fc.array(fc.tuple(key, value), { maxLength: 5 }).map((pairs) => {
      const fields = pairs.map(([name, content]) => `${JSON.stringify(name)}:${JSON.stringify(content)}`);
      return `{${fields.join(',')}}`;
    });
    fc.assert(
      fc.property(fc.oneof(object, fc.string({ unit: 'binary' })), (line) => {
        entries = [];
        addText(`${line}\n`);
        intake.end();
        for (const fields of entries) {
          const sent = JSON.parse(draft(fields).body) as Record<string, unknown>;
          const taken = decodeObject(sent, { channel: 'logs:vllm', now: 1, source: 'http' }, 'strict');
          expect(taken.msg !== '' || taken.event !== undefined || taken.attrs !== undefined).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
