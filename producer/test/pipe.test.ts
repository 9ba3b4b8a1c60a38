// `pipe` as a person runs it: in a shell pipeline with real programs, publishing over real HTTP.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, ROOT, RunningProcess, startProcess } from '../../test-support/process.ts';
import { Receiver } from './receiver.ts';

const PIPE = `"${process.execPath}" producer/src/main.ts pipe`;

let folder = '';
let receiver: Receiver;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llm-streamer-pipe-'));
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  receiver = await Receiver.start();
});
afterEach(() => receiver[Symbol.asyncDispose]());

function shell(script: string, env: Record<string, string> = {}): RunningProcess {
  return startProcess(['-c', script], {
    command: 'sh',
    env: { GATEWAY_URL: receiver.url, LOG_LEVEL: 'silent', ...env },
  });
}

/** `pipe` with a stdin that stays open. */
function listening(url: string, ...flags: string[]): { program: RunningProcess; stdin: Writable } {
  const env = { PATH: process.env.PATH ?? '', GATEWAY_URL: url };
  const child = spawn(process.execPath, [...flags, 'producer/src/main.ts', 'pipe'], { cwd: ROOT, env });
  return { program: new RunningProcess(child), stdin: child.stdin };
}

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

describe('pipe', () => {
  it('ends with one line where the gateway does not take its key, though its input is still open', async () => {
    const body = JSON.stringify({ code: 'unauthorized', detail: 'no' });
    receiver.answers.push({ status: 401, body });
    const { program, stdin } = listening(receiver.url);
    stdin.write('a line\n');
    expect(await program.exited).toEqual({ code: 2, signal: null });
    expect(program.stderr).toBe(
      `pipe: the gateway at ${new URL(receiver.url).host} asks for a key: set GATEWAY_KEY or GATEWAY_KEY_FILE (unauthorized)\n`,
    );
    expect(receiver.requests).toHaveLength(1);
  });

  it("makes one entry of a real Node program's stack trace", async () => {
    const program = await file(
      'boom.js',
      "console.log('starting');\nfunction inner() {\n  throw new TypeError('boom', { cause: new Error('why') });\n}\nsetTimeout(inner, 10);\n",
    );
    const { code } = await shell(
      `"${process.execPath}" ${program} 2>&1 | ${PIPE} --channel logs:app --source app`,
    ).exited;
    expect(code).toBe(0);
    expect(receiver.entries).toHaveLength(2);
    expect(receiver.entries[0]).toMatchObject({
      channel: 'logs:app',
      source: 'app',
      level: 'info',
      msg: 'starting',
    });
    expect(receiver.entries[1]?.level).toBe('error');
    expect(receiver.entries[1]?.msg).toMatch(
      /boom\.js:3\n[\s\S]*TypeError: boom\n[\s\S]*\[cause\]: Error: why[\s\S]*Node\.js v/,
    );
  });

  it('reports an error that nothing catches in one line, and publishes what it still reads', async () => {
    const bug = 'data:text/javascript,process.on("SIGUSR2",()=>{throw new Error("first\\nsecond")})';
    const { program, stdin } = listening(receiver.url, '--import', bug);
    stdin.write('before\n');
    await eventually('the first entry', () => receiver.entries.length === 1);
    program.kill('SIGUSR2');
    await program.saw('uncaught');
    stdin.write('last words\n');
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.output).toMatch(/^producer: uncaught: Error: first \| second \| at [^\n]*\n$/);
    expect(receiver.entries.map(({ msg }) => msg)).toEqual(['before', 'last words']);
  });

  it("makes one entry of a real Python program's chained traceback", async ({ skip }) => {
    const python = await startProcess(['--version'], { command: 'python3' }).exited.catch(() => undefined);
    if (python?.code !== 0) skip('no python3 here');
    const program = await file(
      'boom.py',
      'import logging\nprint("loading", flush=True)\ntry:\n    try:\n        {}["choices"]\n    except KeyError as e:\n        raise RuntimeError("upstream failed") from e\nexcept RuntimeError:\n    logging.exception("request failed")\nraise ValueError("the end")\n',
    );
    await shell(`python3 ${program} 2>&1 | ${PIPE}`).exited;
    expect(receiver.entries.map(({ level }) => level)).toEqual(['info', 'error', 'error']);
    expect(receiver.entries[1]?.msg).toMatch(
      /^ERROR:root:request failed\n[\s\S]*KeyError[\s\S]*direct cause[\s\S]*RuntimeError: upstream failed$/,
    );
    expect(receiver.entries[2]?.msg).toMatch(/^Traceback[\s\S]*ValueError: the end$/);
  });

  it('passes everything on with --tee, byte for byte, and keeps publishing after the reader has gone', async () => {
    const input = await file(
      'junk.bin',
      Buffer.concat([Buffer.from([0xff, 0xfe, 0x0d, 0x0a]), Buffer.from('plain\n')]),
    );
    const copy = join(folder, 'copy.bin');
    const { code } = await shell(`${PIPE} --tee < ${input} > ${copy} && cmp ${input} ${copy}`).exited;
    expect(code).toBe(0);

    const before = receiver.entries.length;
    const lines = 20_000;
    const early = shell(`seq ${lines} | { ${PIPE} --tee --wait; echo "code $?" >&2; } | head -n 1`);
    await early.exited;
    expect(early.stdout).toBe('1\n');
    expect(early.stderr).toBe('code 0\n');
    expect(receiver.entries).toHaveLength(before + lines);
  });

  it('bounds a line of 10 MB and says how long it was', async () => {
    const input = await file('long.txt', Buffer.alloc(10_000_000, 'x'));
    const { code } = await shell(`${PIPE} < ${input}`).exited;
    expect(code).toBe(0);
    expect(receiver.entries).toHaveLength(1);
    expect(receiver.messages[0]).toMatch(/^x+… \[cut: 10000000 bytes\]$/);
    expect(receiver.messages[0]?.length).toBeLessThan(65_536);
  });

  it('takes a whole file in order, as fast as the log takes it', async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => `INFO request ${i} finished in ${i % 97} ms`);
    const input = await file('many.txt', `${lines.join('\n')}\n`);
    const { code } = await shell(`${PIPE} < ${input}`).exited;
    expect(code).toBe(0);
    expect(receiver.messages).toEqual(lines);
  });

  it('shows what a program says while it runs', async () => {
    const { program, stdin } = listening(receiver.url);
    stdin.write('first\n');
    await eventually('the first line arrives', () => receiver.messages.includes('first'));
    stdin.end('last');
    expect((await program.exited).code).toBe(0);
    expect(receiver.messages).toEqual(['first', 'last']);
  });

  it('exits with 1 and one clear line when entries were refused or could not be delivered', async () => {
    receiver.answers.push({ status: 422, body: '{"code":"too_many_channels","detail":"no more channels"}' });
    const refused = shell(`echo x | ${PIPE}`);
    expect((await refused.exited).code).toBe(1);
    expect(refused.stderr).toMatch(/^pipe: 1 entries were dropped, 0 could not be delivered.*\n$/);
  });

  it('publishes the last line of a program that got the signal too', async () => {
    const { program, stdin } = listening(receiver.url);
    stdin.write('working\n');
    await eventually('the first line arrives', () => receiver.messages.includes('working'));
    program.kill('SIGINT');
    stdin.end('bye\n');
    expect((await program.exited).code).toBe(0);
    expect(receiver.messages).toEqual(['working', 'bye']);
  });

  it.each([
    ['a gateway', 0],
    ['no gateway', 1],
  ])('leaves within 5 s of a SIGTERM with %s, though the program goes on', async (which, code) => {
    const { program, stdin } = listening(which === 'a gateway' ? receiver.url : 'http://127.0.0.1:1');
    stdin.write('hello\n');
    if (code === 0) await eventually('the entry arrives', () => receiver.messages.includes('hello'));
    else await program.saw('broker unavailable');
    expect(await program.stop('SIGTERM', 5_000)).toEqual({ code, signal: null });
    if (code === 1) expect(program.stderr).toContain('0 entries were dropped, 1 could not be delivered');
  });
});
