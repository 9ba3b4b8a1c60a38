// Keeps the rules of the file: reads it again when it changes. A file that is not valid is reported once, and the last good rules
// stay in use.

import { readFileSync } from 'node:fs';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { parseRules, type RuleSet } from './rules-file.ts';

export interface RulesWatchOptions {
  path: string;
  /** Says what else is wrong with valid rules, such as a destination without an address; undefined if nothing is. */
  check: (rules: RuleSet) => string | undefined;
  /** The text of rules that were valid, for the case that the file is not valid any more. */
  lastGood: string;
  onChange: (rules: RuleSet, text: string) => void;
  onBroken: (reason: string) => void;
  /** Milliseconds between reads of the file (1000). It is not watched, because container and network mounts lose events. */
  pollMs?: number;
}

export class RulesWatch {
  readonly #options: RulesWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #current: RuleSet;
  /** The content of the file when it was last read, valid or not; the reason if it could not be read. */
  #seen: string;

  constructor(options: RulesWatchOptions) {
    this.#options = options;
    this.#seen = options.lastGood;
    this.#current = parseRules(options.lastGood);
    this.#timer = setInterval(() => this.#readAgain(), options.pollMs ?? 1_000).unref();
  }

  get current(): RuleSet {
    return this.#current;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #readAgain(): void {
    const { path, check, onChange, onBroken } = this.#options;
    try {
      const text = readText(path);
      if (text === this.#seen) return;
      this.#seen = text;
      this.#current = accept(text, check);
      onChange(this.#current, text);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof UnreadableFile && this.#seen === reason) return;
      if (error instanceof UnreadableFile) this.#seen = reason;
      onBroken(reason);
    }
  }
}

/** Reads a rules file once. @throws CodedError `invalid_rules` */
export function readRules(path: string, check: RulesWatchOptions['check']): { rules: RuleSet; text: string } {
  const text = readText(path);
  return { rules: accept(text, check), text };
}

function accept(text: string, check: RulesWatchOptions['check']): RuleSet {
  const rules = parseRules(text);
  const complaint = check(rules);
  if (complaint !== undefined) throw new CodedError('invalid_rules', complaint);
  return rules;
}

class UnreadableFile extends CodedError {}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UnreadableFile('invalid_rules', `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
