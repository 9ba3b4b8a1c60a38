// What a person consents to is what he reads: nothing in arguments is hidden, and nothing is turned around.
import { describe, expect, it } from 'vitest';
import { readable } from '../../src/chat/readable.ts';

describe('arguments', () => {
  it.each([
    ['the order of letters is turned', 'me@exam\u202eple.com', '\\u{202e}'],
    ['a space without width', 'me@\u200bexample.com', '\\u{200b}'],
    ['a joiner', 'm\u200de@example.com', '\\u{200d}'],
    ['letters of tags', 'me@example.com\u{e0041}', '\\u{e0041}'],
    ['a selector of variants', 'me@example.com\ufe0f', '\\u{fe0f}'],
    ['a filler of Hangul', 'me\u3164@example.com', '\\u{3164}'],
    ['a mark that joins letters', 'me\u034f@example.com', '\\u{034f}'],
    ['a space that is none of the keyboard', 'me@example.com\u00a0', '\\u{00a0}'],
    ['a command to a terminal', 'me\u009b@example.com', '\\u{009b}'],
    ['half a character', 'me\ud800', '\\ud800'],
  ])('show %s', (_, email, shown) => {
    const text = readable({ email });
    expect(text).toContain(shown);
    expect(text.replace(shown, '')).toBe(readable({ email: email.replace(/[^\x21-\x7e]+/gu, '') }));
  });

  it('also in names of fields, and in text that is no JSON', () => {
    expect(readable({ 'to\u202e': 1 })).toContain('to\\u{202e}');
    expect(readable('a\u202eb\r\n\tc')).toBe('a\\u{202e}b\\u{000d}\n\\u{0009}c');
  });

  it('stay as they are in every script, and in emoji', () => {
    const text = 'Zoë 東京 שלום ❤️ 👩‍💻 👩🏽‍🚀';
    expect(readable(text)).toBe(text);
  });
});
