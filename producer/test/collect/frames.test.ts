// The engine's frames are read however the bytes are cut.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, NotFrames } from '../../src/collect/frames.ts';

function frame(type: number, text: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header[0] = type;
  header.writeUInt32BE(text.length, 4);
  return Buffer.concat([header, text]);
}

function read(chunks: readonly Buffer[]): [string, string][] {
  const frames: [string, string][] = [];
  const reader = new FrameReader((output, payload) => frames.push([output, payload.toString('hex')]));
  for (const chunk of chunks) reader.push(chunk);
  return frames;
}

describe('frames', () => {
  it('are the same wherever the bytes are cut, also within a header', () => {
    const frames = fc.array(fc.tuple(fc.constantFrom(1, 2, 3), fc.uint8Array({ maxLength: 40 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(frames, fc.array(fc.nat(12)), (sent, cuts) => {
        let rest = Buffer.concat(sent.map(([type, text]) => frame(type, text)));
        const chunks: Buffer[] = [];
        for (const cut of cuts) {
          chunks.push(rest.subarray(0, cut));
          rest = rest.subarray(cut);
        }
        const names = ['', 'stdout', 'stderr', 'system'];
        expect(read([...chunks, rest])).toEqual(
          sent.map(([type, text]) => [names[type], Buffer.from(text).toString('hex')]),
        );
      }),
    );
  });

  it('that are none are refused, and so is one of 4 GiB', () => {
    expect(() => read([Buffer.from('HTTP/1.1 200 OK\r\n')])).toThrow(NotFrames);
    const huge = Buffer.alloc(8, 0xff);
    huge.writeUInt32BE(0x01_00_00_00, 0);
    expect(() => read([huge])).toThrow('4294967295 bytes is too large');
  });
});
