// A person's own message templates: the shipped example works, and a wrong line is named.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MessageTemplate, readMessages } from '../../src/simulate/messages.ts';

const EXAMPLE = fileURLToPath(new URL('../../messages.example.txt', import.meta.url));
const values = { model: 'm', source: 's', run: 'r', tokens: 3, context: 9, tok_s: 80, latency_ms: 234 };

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llm-streamer-messages-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function file(content: string): Promise<string> {
  const path = join(folder, 'messages.txt');
  await writeFile(path, content);
  return path;
}

describe('messages', () => {
  it('fills every placeholder of the shipped example', () => {
    const templates = readMessages(EXAMPLE);
    expect(templates.map((template) => template.fill('r', values).msg)).toEqual([
      'Token generation: 80 tokens/sec',
      'Context window: 9 tokens used',
      'Model: m | Latency: 234ms',
      's answered r with 3 tokens',
      'r: budget alert, 3 output tokens billed',
    ]);
    expect(templates[4]).toMatchObject({ level: 'warn', channel: 'logs:billing' });
  });

  it('takes Windows line ends, a byte order mark, tabs, and braces that are no placeholders', async () => {
    const path = await file('\uFEFF# mine\r\n\r\n  info\tlogs\t{"a": 1} {} {tokens}\r\n');
    expect(readMessages(path).map((template) => template.fill('r', values).msg)).toEqual(['{"a": 1} {} 3']);
  });

  it.each([
    ['info logs', 'expected `level channel text`'],
    ['loud logs hello', 'level "loud" is not one of trace, debug, info, warn, error, fatal'],
    ['info lögs hello', 'channel "lögs" is not 1 to 200 of'],
    ['info runs:1 hello', 'channel "runs:1" is reserved'],
    ['info logs {tokns} left', '{tokns} is not one of {model}'],
    ['info logs {__proto__}', '{__proto__} is not one of'],
  ])('names the line of %j and what is allowed', async (line, message) => {
    const path = await file(`# first\ninfo logs fine\n${line}\n`);
    expect(() => readMessages(path)).toThrow(`line 3: ${message}`);
  });

  it('says when a file is missing, or holds nothing', async () => {
    expect(() => readMessages(join(folder, 'absent'))).toThrow('cannot be read (ENOENT)');
    const path = await file('# nothing\n\n');
    expect(() => readMessages(path)).toThrow('holds no message');
  });

  it('keeps a value that looks like a placeholder or a replacement pattern as it is', () => {
    const template = new MessageTemplate('info logs {model}');
    expect(template.fill('r', { ...values, model: '{tokens} $& $1' }).msg).toBe('{tokens} $& $1');
  });
});
