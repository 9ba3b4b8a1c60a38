// The level is found in lines as real servers and tools print them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guessLevel, parseLevel } from '../../src/decode/level.ts';
import { LEVELS } from '../../src/entry.ts';

describe('guessLevel', () => {
  it.each([
    // vLLM, with and without its process prefix
    ['info', 'INFO 11-21 03:22:01 [engine.py:310] Added request cmpl-1.'],
    [
      'warn',
      'WARNING 11-21 03:22:01 [scheduler.py:20] Sequence group 7 is preempted by PreemptionMode.RECOMPUTE',
    ],
    [
      'error',
      '(EngineCore_DP0 pid=99) ERROR 11-21 03:22:01 [core.py:700] EngineCore encountered a fatal error.',
    ],
    ['info', '(APIServer pid=12) INFO 11-21 03:22:01 [api_server.py:1] Starting server, no error expected'],
    // uvicorn
    ['info', 'INFO:     127.0.0.1:52134 - "POST /v1/chat/completions HTTP/1.1" 200 OK'],
    ['info', 'INFO:     error handler installed'],
    ['warn', 'WARNING:  Invalid HTTP request received.'],
    ['error', 'ERROR:    Exception in ASGI application'],
    ['info', '\u001b[32mINFO\u001b[0m:     Application startup complete.'],
    ['error', '\u001b[31mERROR\u001b[0m:    [Errno 98] address already in use'],
    // The first of several levels counts, as in a PUBLISH of two lines.
    ['error', 'ERROR: boom\nINFO: detail'],
    // Python
    ['error', 'ERROR:root:failed: bad thing'],
    ['warn', '2026-11-21 03:22:01,123 - root - WARNING - disk is nearly full'],
    ['debug', '2026-11-21 03:22:01,123 DEBUG urllib3.connectionpool: Starting new HTTPS connection'],
    ['fatal', '[2026-11-21 03:22:01,123] CRITICAL in app: out of memory'],
    ['warn', '2026-11-21 03:22:01.123 | WARNING  | app:main:12 - loguru'],
    ['error', 'Traceback (most recent call last):'],
    ['error', 'torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB'],
    ['error', 'ValueError: too many values to unpack'],
    ['error', 'KeyboardInterruptException'],
    ['warn', '/usr/lib/python3/dist-packages/x.py:12: DeprecationWarning: use y'],
    // redis-server
    ['info', '16753:M 21 Nov 2026 03:23:01.867 * Ready to accept connections'],
    ['warn', '16753:M 21 Nov 2026 03:23:01.867 # Could not create server TCP listening socket'],
    ['warn', '16753:M 21 Nov 2026 03:23:01.867 # WARNING Memory overcommit must be enabled!'],
    ['debug', '16753:M 21 Nov 2026 03:23:01.867 - Accepted 127.0.0.1:52134'],
    ['debug', '16753:S 1 Nov 2026 03:23:01.867 . 0 clients connected'],
    // Triton and Kubernetes (klog)
    ['info', 'I1121 03:22:01.123456 1 server.cc:674] Started GRPCInferenceService at 0.0.0.0:8001'],
    ['error', 'E1121 03:22:01.123456 1 model_repository_manager.cc:1] failed to load'],
    ['fatal', 'F1121 03:22:01.123456 1 main.cc:1] dead'],
    // Rust, Go, Ollama, nginx, compilers, npm
    ['warn', '2026-11-21T03:22:01.123456Z  WARN text_generation_router: server.rs:12: slow'],
    ['error', '[2026-11-21T03:22:01Z ERROR crate::module] nope'],
    ['warn', 'time=2026-11-21T03:22:01.123Z level=WARN source=routes.go:12 msg="an error, maybe"'],
    ['error', 'ts=1 lvl=error msg=x'],
    ['error', '2026/11/21 03:22:01 [error] 1234#0: *1 connect() failed'],
    ['error', "main.c:12:5: error: expected ';' before 'return'"],
    ['warn', 'main.c:12:5: warning: unused variable'],
    ['warn', 'npm warn deprecated inflight@1.0.6'],
    ['error', 'npm ERR! code E404'],
    ['info', '[03:22:01.123] INFO (1234): pino-pretty'],
    // Lines that people write
    ['error', 'error: it broke'],
    ['warn', '<warn> careful'],
    ['trace', 'TRACE'],
    ['fatal', 'panic: runtime error: index out of range'],
    // Lines that name no level
    ['info', 'hello world'],
    ['info', ''],
    ['info', 'loaded 12 shards without errors'],
    ['info', 'Terror: a game'],
    ['info', 'constructor: x'],
    ['info', '__proto__ x'],
    ['info', '127.0.0.1 - - [21/Nov/2026:03:22:01 +0000] "GET /error HTTP/1.1" 200 12'],
  ])('is %s for: %s', (level, line) => {
    expect(guessLevel(line)).toBe(level);
  });

  it('gives a level for any text, however it begins', () => {
    const decoration = fc.constantFrom(
      '[',
      '(',
      '<',
      '2026-11-21 ',
      'x: ',
      '\u001b[1m',
      ' ',
      '\t',
      ':',
      'level=',
      '1:M ',
    );
    const line = fc
      .tuple(fc.array(decoration, { maxLength: 80 }), fc.string({ unit: 'binary' }))
      .map(([head, rest]) => head.join('') + rest);
    fc.assert(fc.property(line, (text) => LEVELS.includes(guessLevel(text))));
  });
});

describe('parseLevel', () => {
  it.each([
    [10, 'trace'],
    [20, 'debug'],
    [30, 'info'],
    [35, 'info'],
    [40, 'warn'],
    [50, 'error'],
    [60, 'fatal'],
    [1e9, 'fatal'],
    ['WARNING', 'warn'],
    ['Information', 'info'],
    ['Critical', 'fatal'],
  ])('takes %s as %s', (value, level) => {
    expect(parseLevel(value)).toBe(level);
  });

  it.each([3, 0, -1, '', 'loud', 'constructor', '__proto__', true, null, [], {}])(
    'does not take %s',
    (value) => {
      expect(parseLevel(value)).toBeUndefined();
    },
  );
});
