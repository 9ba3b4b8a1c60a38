// A stack trace of any language is one text, neighbors stay apart, and no line is lost or moved.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Block, StackJoiner } from '../../src/pipe/stack-joiner.ts';

function joined(text: string): Block[] {
  const blocks: Block[] = [];
  const joiner = new StackJoiner((block) => blocks.push(block));
  for (const line of text.split('\n')) joiner.addLine(line, undefined);
  joiner.flush();
  return blocks;
}

const texts = (text: string) => joined(text).map((block) => block.text);

const PYTHON = `Traceback (most recent call last):
  File "/app/main.py", line 6, in <module>
    answer['choices']
    ~~~~~~^^^^^^^^^^^
KeyError: 'choices'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/main.py", line 8, in <module>
    raise RuntimeError("upstream failed") from error
RuntimeError: upstream failed`;

const NODE = `/app/server.js:2
function inner() { throw new TypeError('boom', { cause: new Error('why') }); }
                   ^

TypeError: boom
    at inner (/app/server.js:2:26)
    at process.processTimers (node:internal/timers:529:7) {
  code: 'E_BOOM',
  [cause]: Error: why
      at inner (/app/server.js:2:57)
}

Node.js v24.21.0`;

const NODE_AT_COLUMN_0 = `file:///app/x.mjs:1
throw new Error('boom')
^

Error: boom
    at file:///app/x.mjs:1:7

Node.js v24.21.0`;

const JAVA = `Exception in thread "main" java.lang.RuntimeException: request failed
\tat com.example.Main.handle(Main.java:12)
\tat com.example.Main.main(Main.java:5)
Caused by: java.io.IOException: connection reset
\tat com.example.Client.read(Client.java:40)
\t... 2 more`;

const GO = `panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.main()
\t/app/main.go:8 +0x1d
exit status 2`;

const GO_NIL = `panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45a1b2]

goroutine 1 [running]:
main.(*Server).handle(0x0)
\t/app/main.go:8 +0x1d
created by main.main in goroutine 1
\t/app/main.go:4 +0x2a
exit status 2`;

const RUST = `thread 'main' panicked at src/main.rs:4:5:
index out of bounds: the len is 3 but the index is 99
note: run with \`RUST_BACKTRACE=1\` environment variable to display a backtrace`;

const RUST_BACKTRACE = `thread 'tokio-runtime-worker' (4711) panicked at src/main.rs:4:5:
assertion \`left == right\` failed
  left: 1
 right: 2
stack backtrace:
   0: rust_begin_unwind
             at /rustc/90b35a6239c3/library/std/src/panicking.rs:645:5
   1: app::main
note: Some details are omitted, run with \`RUST_BACKTRACE=full\` for a verbose backtrace.`;

const DOTNET = `Unhandled exception. System.InvalidOperationException: outer
 ---> System.Exception: inner
   at App.Program.Inner() in /app/Program.cs:line 9
   --- End of inner exception stack trace ---
   at App.Program.Main(String[] args) in /app/Program.cs:line 5
--- End of stack trace from previous location ---
   at System.Threading.Thread.Start()`;

const PYTHON_SYNTAX = `  File "/app/main.py", line 1
    x = (
        ^
SyntaxError: '(' was never closed`;

const PYTHON_GROUP = `  + Exception Group Traceback (most recent call last):
  |   File "/app/main.py", line 3, in <module>
  |     raise ExceptionGroup("two", [ValueError(1), TypeError(2)])
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/main.py", line 2, in work
    | ValueError: 1
    +------------------------------------`;

describe('StackJoiner', () => {
  it.each([
    ['Python, chained', PYTHON],
    ['Python, a syntax error', PYTHON_SYNTAX],
    ['Python, an exception group', PYTHON_GROUP],
    ['Node', NODE],
    ['Node, a module', NODE_AT_COLUMN_0],
    ['Java', JAVA],
    ['Go', GO],
    ['Go, a signal', GO_NIL],
    ['Rust', RUST],
    ['Rust, with its backtrace', RUST_BACKTRACE],
    ['.NET', DOTNET],
  ])('keeps a stack trace one text: %s', (_, stack) => {
    expect(joined(`INFO before\n${stack}\nINFO after`)).toEqual([
      { text: 'INFO before', isStack: false },
      { text: stack, isStack: true },
      { text: 'INFO after', isStack: false },
    ]);
  });

  it('keeps stack traces apart that follow each other', () => {
    expect(texts(`${JAVA}\n${PYTHON}\n${NODE}`)).toEqual([JAVA, PYTHON, NODE]);
  });

  it('joins a stack to the line that announces it', () => {
    const logged = `ERROR:root:request failed\n${PYTHON}`;
    const log4j = 'ERROR [main] Main - failed\njava.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)';
    const jul =
      'Nov 29, 2026 5:00:04 AM a.B main\nSEVERE: failed\njava.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)';
    expect(texts(`${logged}\n${log4j}\n${jul}\ndone`)).toEqual([logged, log4j, jul, 'done']);
  });

  it.each([
    ['Python', PYTHON],
    ['Node, without its source', 'TypeError: bad thing\n    at foo (x.js:1:2)'],
    ['Java, uncaught', JAVA],
    ['Java, printed', 'java.io.IOException: reset\n\tat a.B.c(B.java:1)'],
    ['Go', GO],
    ['Rust', RUST],
  ])('a warning does not hide the stack after it: %s', (_, stack) => {
    expect(joined(`WARN low disk\n${stack}\nINFO next`)).toEqual([
      { text: 'WARN low disk', isStack: false },
      { text: stack, isStack: true },
      { text: 'INFO next', isStack: false },
    ]);
  });

  it('leaves a line alone that has nothing to do with the stack after it', () => {
    expect(texts(`step 3 done\n${PYTHON}`)).toEqual(['step 3 done', PYTHON]);
  });

  it("understands a traceback of which a logger prefixed every line, as vLLM's does", () => {
    const prefix = '(EngineCore_DP0 pid=272) ERROR 11-21 03:14:07 [core.py:700] ';
    const [first = '', ...rest] = PYTHON.split('\n');
    const logged = [
      `${prefix}EngineCore encountered a fatal error.`,
      ...[first, ...rest].map((line) => prefix + line),
    ];
    const [block, after] = joined(`${logged.join('\n')}\n${prefix}Shutting down\n`);
    expect(block).toEqual({
      text: `${prefix}EngineCore encountered a fatal error.\n${prefix.trimEnd()} ${first}\n${rest.join('\n')}`,
      isStack: true,
    });
    expect(after?.text).toBe(`${prefix}Shutting down`);
  });

  it('joins indented details to their line', () => {
    const error = 'main.c:3:5: error: expected ;\n    3 |     return x\n      |            ^';
    const object = '{\n  "level": "warn",\n  "msg": "pretty"\n}';
    expect(texts(`${error}\n${object}\nplain\nlines`)).toEqual([error, object, 'plain', 'lines']);
  });

  it('does not join indented lines that follow an indented one', () => {
    expect(texts('  one\n  two\n one space\n')).toEqual(['  one', '  two', ' one space']);
  });

  it("joins java.util.logging's line to the one before it, which has its time, and no more", () => {
    const warning = 'Nov 29, 2026 5:00:04 AM a.B main\nWARNING: slow';
    const info = 'Nov 29, 2026 5:00:05 AM a.B main\nINFO: done';
    expect(texts(`${warning}\n${info}\nINFO: alone`)).toEqual([warning, info, 'INFO: alone']);
  });

  it('drops blank lines between entries', () => {
    expect(texts('one\n\n   \ntwo\n')).toEqual(['one', 'two']);
  });

  it('gives out an endless block in parts', () => {
    const blocks = texts(`head\n${'  detail\n'.repeat(2_500)}`);
    expect(blocks[0]?.split('\n')).toHaveLength(1_000);
    expect(blocks.join('\n').split('\n')).toHaveLength(2_501);
  });

  it('loses no line and changes no order, whatever comes', () => {
    const line = fc.constantFrom(
      ...`${PYTHON}\n${NODE}\n${JAVA}\n${GO}\n${GO_NIL}\n${RUST_BACKTRACE}\n${DOTNET}\n${PYTHON_GROUP}`.split(
        '\n',
      ),
      'plain',
      '  x',
      '}',
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), (lines) => {
        const solid = (all: readonly string[]) => all.filter((one) => one.trim() !== '');
        expect(solid(texts(lines.join('\n')).join('\n').split('\n'))).toEqual(solid(lines));
      }),
      { numRuns: 500 },
    );
  });
});
