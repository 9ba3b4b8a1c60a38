// What a file of the operator says now: it is read again when it changes. A file that is not valid is reported once, and the last good
// content stays in use.

import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { CodedError } from '@llm-streamer/shared/errors.ts';

export interface WatchedFileOptions<T> {
  path: string;
  /** @throws CodedError that says what is wrong with the text */
  parse: (text: string) => T;
  /** Says what else is wrong with a valid content, such as a secret that is not set; undefined if nothing is. */
  check?: ((content: T) => string | undefined) | undefined;
  /** The code of the error where the file cannot be read. */
  code: string;
  /** The text with which to begin, for a file that may not be valid any more; by default what the file holds. */
  lastGood?: string;
  onChange?: ((content: T, text: string) => void) | undefined;
  onBroken?: ((reason: string) => void) | undefined;
  /** Milliseconds between reads of the file (1000). Nothing listens for its events: container and network mounts lose them. */
  pollMs?: number | undefined;
}

export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>;
  readonly #timer: NodeJS.Timeout;
  #current: T;
  /** The content of the file when it was last read, valid or not; the reason if it could not be read. */
  #seen: string;

  /** @throws CodedError if the text with which to begin cannot be read, or is not valid, or if `check` finds something wrong */
  constructor(options: WatchedFileOptions<T>) {
    this.#options = options;
    this.#seen = options.lastGood ?? readText(options.path, options.code);
    this.#current = this.#parsed(this.#seen);
    this.#timer = setInterval(() => this.#readAgain(), options.pollMs ?? 1_000).unref();
  }

  get current(): T {
    return this.#current;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** @throws CodedError also `invalid_config`, if `check` finds something wrong */
  #parsed(text: string): T {
    const { parse, check } = this.#options;
    const content = parse(text);
    const complaint = check?.(content);
    if (complaint !== undefined) throw new CodedError('invalid_config', complaint);
    return content;
  }

  #readAgain(): void {
    const { path, code, onChange, onBroken } = this.#options;
    try {
      const text = readText(path, code);
      if (text === this.#seen) return;
      this.#seen = text;
      const content = this.#parsed(text);
      if (isDeepStrictEqual(content, this.#current)) return;
      this.#current = content;
      onChange?.(content, text);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof UnreadableFile && this.#seen === reason) return;
      if (error instanceof UnreadableFile) this.#seen = reason;
      onBroken?.(reason);
    }
  }
}

class UnreadableFile extends CodedError {}

/** @throws CodedError with this code */
export function readText(path: string, code: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UnreadableFile(code, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
