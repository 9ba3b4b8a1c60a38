// A person's own log messages: templates in a text file, one on each line, which are filled with the numbers of simulated generations.

import { readFileSync } from 'node:fs';
import { CHANNEL_RULE, isChannel, isReserved } from '@llm-streamer/shared/channels.ts';
import { LEVELS, type Level } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { Line } from './world.ts';

export const PLACEHOLDERS = ['model', 'source', 'run', 'tokens', 'context', 'tok_s', 'latency_ms'] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

const PLACEHOLDER = /\{([A-Za-z_]\w*)\}/g;
const FORM = /^(\S+)\s+(\S+)\s+(\S.*)$/;

export class MessageTemplate {
  readonly level: Level;
  readonly channel: string;
  readonly text: string;

  /** @throws CodedError `invalid_message`, whose message says what is allowed. */
  constructor(line: string) {
    const [, level = '', channel = '', text = ''] = FORM.exec(line) ?? [];
    if (text === '')
      throw invalid('expected `level channel text`, for instance: info logs:metrics {tok_s} tok/s');
    if (!(LEVELS as readonly string[]).includes(level))
      throw invalid(`level ${quoted(level)} is not one of ${LEVELS.join(', ')}`);
    if (!isChannel(channel)) throw invalid(`channel ${quoted(channel)} is not ${CHANNEL_RULE}`);
    if (isReserved(channel)) throw invalid(`channel ${quoted(channel)} is reserved`);
    for (const [whole, name = ''] of text.matchAll(PLACEHOLDER)) {
      if (!(PLACEHOLDERS as readonly string[]).includes(name))
        throw invalid(`${whole} is not one of ${PLACEHOLDERS.map((known) => `{${known}}`).join(' ')}`);
    }
    this.level = level as Level;
    this.channel = channel;
    this.text = text;
  }

  fill(run: string, values: Record<Placeholder, string | number>): Line {
    const msg = this.text.replaceAll(PLACEHOLDER, (_, name: Placeholder) => String(values[name]));
    return { channel: this.channel, level: this.level, run, msg };
  }
}

/** Reads a file of templates. Blank lines, and lines that begin with `#`, are skipped. */
export function readMessages(path: string): MessageTemplate[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CodedError('invalid_message', `--messages ${path}: cannot be read (${code})`);
  }
  const templates: MessageTemplate[] = [];
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    try {
      templates.push(new MessageTemplate(line.trim()));
    } catch (error) {
      throw new CodedError(
        'invalid_message',
        `--messages ${path} line ${index + 1}: ${(error as Error).message}`,
      );
    }
  }
  if (templates.length === 0) throw new CodedError('invalid_message', `--messages ${path}: holds no message`);
  return templates;
}

function invalid(message: string): CodedError {
  return new CodedError('invalid_message', message);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
