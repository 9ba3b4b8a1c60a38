// Joins the lines that make up one entry: a stack trace of Python, Node, Java, Go, Rust or .NET, or a line with its indented
// details. One block is held until a line comes that does not belong to it, or until `flush`. No line is lost or moved, except
// blank lines between blocks, which are dropped.

import { guessLevel } from '@llm-streamer/shared/decode/level.ts';
import { levelAtLeast } from '@llm-streamer/shared/entry.ts';

/** A block that reaches either bound is split. */
const MAX_LINES = 1_000;
const MAX_CHARS = 262_144;

const PYTHON_HEADER = /^(.*?)(?:Exception Group )?Traceback \(most recent call last\):$/;
/** A traceback inside an exception group begins with the group's vertical line. */
const GROUP_MEMBER = /^\s+\| /;
/** Python prints these between the tracebacks of chained exceptions. */
const PYTHON_CHAIN = /^(?:During handling of the above|The above exception was the direct cause)/;
/** A frame can be the first line: Python prints its syntax errors without a header. */
const PYTHON_FRAME = /^\s+File ".*", line \d+/;
const FRAME = /^\s+(?:at\s|\.\.\. \d+ (?:more|common)|File ".*", line \d+)/;
const JAVA_CAUSE = /^(?:Caused by|Suppressed): /;
const EXCEPTION = /^(?:[\w$]+\.)*[\w$]*(?:Error|Exception|Throwable)(?::|$)/;
/** Node prints the place first: `/app/x.js:3`, the line of source, a line of carets, a blank line, the error. */
const NODE_SOURCE = /^(?:file:\/\/|node:|\/|[A-Za-z]:\\|\.).*:\d+$/;
const CARETS = /^\s*[\^~]+\s*$/;
const NODE_VERSION = /^Node\.js v\d/;
const GO_PANIC = /^(?:panic|fatal error): /;
/** Go prints this between a panic and its goroutines. */
const GO_SIGNAL = /^\[signal /;
const GOROUTINE = /^goroutine \d+ \[/;
const GO_FRAME = /^(?:[^\s()]+(?:\(\*[^\s()]+\)[^\s()]*)?\(.*\)$|created by |exit status \d)/;
const RUST_PANIC = /^thread '[^']*' (?:\(\d+\) )?panicked at /;
const RUST_NOTE = /^(?:stack backtrace:$|note: )/;
/** .NET indents an inner exception by one blank. */
const DOTNET_INNER = /^ ---> /;
/** .NET prints this within a stack trace that crosses threads. */
const DOTNET_REST = /^--- End of stack trace from /;
/** java.util.logging prints the time and the place on a line of their own, before the line with the level. */
const JUL_HEAD = /^[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M \S+ \S+$/;
const JUL_LEVEL = /^(?:SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): /;
const DETAIL = /^(?:\t| {2})/;
const OPENER = /[{[(]$/;
const CLOSER = /^[}\])]+[,;]?$/;

export interface Block<Mark = undefined> {
  text: string;
  /** What the caller said of the first line of the block, and of its last. */
  first: Mark;
  last: Mark;
  /** Whether the block is a stack trace. Then it is at least a warning, even if its first words name no level. */
  isStack: boolean;
}

/** Which unindented line the open block still expects. */
type Awaits =
  | 'nothing'
  | 'python exception'
  | 'python chain'
  | 'node source'
  | 'node error'
  | 'goroutine'
  | 'rust message'
  | 'rust note';

/** A caller that wants to know which lines a block is made of marks each line. */
export class StackJoiner<Mark = undefined> {
  readonly #onBlock: (block: Block<Mark>) => void;
  #lines: string[] = [];
  #first: Mark | undefined;
  #last: Mark | undefined;
  #chars = 0;
  #isStack = false;
  #awaits: Awaits = 'nothing';
  /** How many blank lines came last. They belong to the block only if another line of the block follows. */
  #blanks = 0;
  /** The text that a logger, such as vLLM's, puts before each line of a traceback. */
  #prefix = '';

  constructor(onBlock: (block: Block<Mark>) => void) {
    this.#onBlock = onBlock;
  }

  get isHolding(): boolean {
    return this.#lines.length > 0;
  }

  /** The mark of the first line of the open block; undefined where no block is open. */
  get held(): Mark | undefined {
    return this.isHolding ? this.#first : undefined;
  }

  addLine(line: string, mark: Mark): void {
    const bare =
      this.#prefix !== '' && line.startsWith(this.#prefix) ? line.slice(this.#prefix.length) : line;
    if (bare.trim() === '') {
      if (this.#isStack || this.#awaits !== 'nothing') this.#blanks++;
      else this.flush();
      return;
    }
    if (
      this.isHolding &&
      this.#lines.length < MAX_LINES &&
      this.#chars < MAX_CHARS &&
      this.#continues(line, bare)
    ) {
      this.#last = mark;
      return;
    }
    this.flush();
    this.#first = mark;
    this.#last = mark;
    this.#begin(line);
  }

  /** Ends the open block. */
  flush(): void {
    if (!this.isHolding) return;
    const text = this.#lines.length === 1 ? (this.#lines[0] as string) : this.#lines.join('\n');
    const isStack = this.#isStack;
    this.#lines = [];
    this.#chars = 0;
    this.#isStack = false;
    this.#awaits = 'nothing';
    this.#blanks = 0;
    this.#prefix = '';
    this.#onBlock({ text, isStack, first: this.#first as Mark, last: this.#last as Mark });
  }

  #begin(line: string): void {
    this.#append(line);
    if (line.endsWith(':') && PYTHON_HEADER.test(line)) this.#openTraceback(line);
    else if (PYTHON_FRAME.test(line)) {
      this.#isStack = true;
      this.#awaits = 'python exception';
    } else if (NODE_SOURCE.test(line)) this.#awaits = 'node source';
    else if (GO_PANIC.test(line)) this.#awaits = 'goroutine';
    else if (RUST_PANIC.test(line)) {
      this.#isStack = true;
      // Before Rust 1.73 the message stood on the first line.
      this.#awaits = line.endsWith(':') ? 'rust message' : 'rust note';
    }
  }

  /** Appends the line if it belongs to the block, and says whether it does. */
  #continues(line: string, bare: string): boolean {
    if (line.endsWith(':') && PYTHON_HEADER.test(line) && !(this.#isStack && GROUP_MEMBER.test(bare))) {
      if (this.#awaits !== 'python chain' && !this.#announces(line)) return false;
      this.#append(this.#lines.length === 1 ? line : bare);
      this.#openTraceback(line);
      return true;
    }
    const belongs = this.#isStack ? this.#continuesStack(bare) : this.#continuesLine(bare);
    if (belongs) this.#append(bare);
    return belongs;
  }

  #continuesStack(bare: string): boolean {
    if (PYTHON_CHAIN.test(bare)) {
      this.#awaits = 'python chain';
      return true;
    }
    if (NODE_VERSION.test(bare) || GOROUTINE.test(bare)) return true;
    const isApart = this.#blanks > 0;
    if (this.#awaits === 'node error') {
      this.#awaits = 'nothing';
      return true;
    }
    if (isApart) return false;
    if (this.#awaits === 'rust message') {
      this.#awaits = 'rust note';
      return true;
    }
    if (this.#awaits === 'rust note' && RUST_NOTE.test(bare)) return true;
    if (/^\s/.test(bare) || JAVA_CAUSE.test(bare) || CLOSER.test(bare) || DOTNET_REST.test(bare)) return true;
    if (this.#awaits === 'goroutine') return GO_FRAME.test(bare);
    const closes = this.#awaits === 'python exception';
    this.#awaits = 'nothing';
    return closes;
  }

  #continuesLine(bare: string): boolean {
    const head = this.#lines[0] as string;
    if (this.#awaits === 'node source' && this.#blanks === 0) {
      if (this.#lines.length === 1) return true;
      if (!CARETS.test(bare)) return false;
      this.#isStack = true;
      this.#awaits = 'node error';
      return true;
    }
    if (this.#awaits === 'goroutine' && (GOROUTINE.test(bare) || GO_SIGNAL.test(bare))) {
      this.#isStack = true;
      return true;
    }
    if (this.#blanks > 0 || (PYTHON_FRAME.test(bare) && !head.endsWith(':'))) return false;
    if (JUL_LEVEL.test(bare) && this.#lines.length === 1 && JUL_HEAD.test(head)) return true;
    if (DETAIL.test(bare) || DOTNET_INNER.test(bare)) {
      const isFrame = FRAME.test(bare) || DOTNET_INNER.test(bare);
      this.#isStack ||= isFrame;
      return isFrame || !/^\s/.test(head);
    }
    return (CLOSER.test(bare) && OPENER.test(head)) || (EXCEPTION.test(bare) && this.#announces(bare));
  }

  /**
   * Whether the block is one message about a failure (`ERROR request failed`), to which a stack that follows belongs. A warning is none:
   * joined to `WARN low disk`, an error that has nothing to do with it would pass for a warning. Where each line of the stack has the
   * logger's prefix, the logger itself has said that they are one.
   */
  #announces(next: string): boolean {
    const head = this.#lines[0] as string;
    if (this.#lines.length > (JUL_HEAD.test(head) ? 2 : 1)) return false;
    const prefix = PYTHON_HEADER.exec(next)?.[1] ?? '';
    const least = prefix === '' ? 'error' : 'warn';
    return head.startsWith(prefix) && levelAtLeast(guessLevel(this.#lines.join('\n')), least);
  }

  #openTraceback(line: string): void {
    const prefix = PYTHON_HEADER.exec(line)?.[1] ?? '';
    const isIndented = prefix !== '' && prefix.trim().replaceAll(/[+|]/g, '') === '';
    this.#isStack = true;
    this.#prefix = isIndented ? '' : prefix;
    // In an exception group every line is indented, also the one that names the exception.
    this.#awaits = isIndented ? 'nothing' : 'python exception';
  }

  #append(line: string): void {
    for (; this.#blanks > 0; this.#blanks--) this.#lines.push('');
    this.#lines.push(line);
    this.#chars += line.length;
  }
}
