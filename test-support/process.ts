// Runs a program of the product as a child process, as a person runs it, and keeps all that it prints for the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The repository's root, where every program starts. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

export interface ProcessOptions {
  /** The command; by default this Node, with the file to run as the first of `args`. */
  command?: string;
  /** The variables of the program. Variables of the developer's own shell, such as REDIS_URL and PORT, are not passed on. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Written to the program's stdin, which is then closed. */
  input?: string;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

// The variables of the machine that a program needs. A test gives all others.
const INHERITED = /^(?:PATH|HOME|TMPDIR|LANG|NODE_COMPILE_CACHE|NODE_V8_COVERAGE|DOCKER_\w+)$/;

// The children of a test process end with it, even if it ends early.
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class RunningProcess {
  readonly pid: number;
  /** Resolves when the process is gone and its output is complete. */
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #heard = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.pid === undefined) throw new Error(`${child.spawnfile} could not be started`);
    this.pid = child.pid;
    running.add(child);
    const hear = (stream: 'stdout' | 'stderr') => (chunk: string) => {
      this[stream] += chunk;
      for (const listener of this.#heard) listener();
    };
    child.stdout?.setEncoding('utf8').on('data', hear('stdout'));
    child.stderr?.setEncoding('utf8').on('data', hear('stderr'));
    this.exited = once(child, 'close').then(([code, signal]) => {
      running.delete(child);
      return { code, signal };
    });
  }

  /** Everything printed so far: stdout, then stderr. */
  get output(): string {
    return this.stdout + this.stderr;
  }

  /** Waits until the output so far holds `text`; rejects with the output when the process ends first or time is up. */
  async saw(text: string | RegExp, timeoutMs = 30_000): Promise<string> {
    const found = () =>
      typeof text === 'string'
        ? this.output.includes(text)
          ? text
          : undefined
        : text.exec(this.output)?.[0];
    let listener = () => {};
    const heard = new Promise<void>((resolve) => {
      listener = () => found() !== undefined && resolve();
      this.#heard.add(listener);
      listener();
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), timeoutMs);
    });
    const first = await Promise.race([heard, late, this.exited]);
    clearTimeout(timer);
    this.#heard.delete(listener);
    const match = found();
    if (match !== undefined) return match;
    const why = first === 'late' ? `not within ${timeoutMs} ms` : `ended first (${JSON.stringify(first)})`;
    throw new Error(`waited for ${text}: ${why}\n${this.output}`);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks the process to end and waits; after `graceMs` it is ended by force, which the exit then shows. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 10_000): Promise<Exit> {
    const force = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    this.#child.kill(signal);
    const exit = await this.exited;
    clearTimeout(force);
    return exit;
  }
}

/** Starts a program at the repository's root: `startProcess(['gateway/src/main.ts'], { env: { PORT: '0' } })`. */
export function startProcess(args: readonly string[], options: ProcessOptions = {}): RunningProcess {
  const inherited = Object.entries(process.env).filter(([name]) => INHERITED.test(name));
  const child = spawn(options.command ?? process.execPath, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...Object.fromEntries(inherited), ...options.env },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  child.on('error', () => {}); // it could not be started; the constructor sees that by its missing pid
  child.stdin?.on('error', () => {}); // it may end without reading its input; a test sees that by its exit
  child.stdin?.end(options.input);
  return new RunningProcess(child);
}

/** Calls `condition` every 25 ms until it gives a value (not `undefined` or `false`); rejects with `what` after `timeoutMs`. */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Waits until a URL answers 2xx. */
export function healthy(url: string, timeoutMs = 30_000): Promise<true> {
  return eventually(`${url} answers`, async () => (await fetch(url)).ok, timeoutMs) as Promise<true>;
}

/** Whether a process with this id is running. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH: there is none
  }
}
