// Runs one program of the product as a child of start.ts. It shows only warnings and keeps the last lines for a report, and the
// program never outlives start.ts.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLLOW_PARENT = new URL('follow-parent.ts', import.meta.url).href;
const LEVEL_NAMES: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
const WARN = 40;
/** How many of the last lines, if they were not shown, the report of an unexpected end holds. */
const LAST_LINES = 8;

interface Line {
  text: string;
  shown: boolean;
}

export interface ServiceOptions {
  name: string;
  /** File and arguments, from the repository's root. */
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Whether to show all that the program logs; otherwise only warnings and plain lines are shown. */
  verbose: boolean;
}

export class Service {
  readonly name: string;
  /** Resolves when the program has ended, with how: `exit code 1` or `SIGKILL`. */
  readonly ended: Promise<string>;
  /** Whether the program itself has printed a plain line that says what is wrong. */
  complained = false;
  readonly #child: ChildProcess;
  readonly #verbose: boolean;
  #last: Line[] = [];

  constructor({ name, args, env, verbose }: ServiceOptions) {
    this.name = name;
    this.#verbose = verbose;
    this.#child = spawn(process.execPath, ['--import', FOLLOW_PARENT, ...args], {
      cwd: ROOT,
      env: { ...env, PRODUCTION: 'true' }, // JSON lines, which this class makes readable for a person
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true, // a group of its own, so that Ctrl-C in a terminal reaches only start.ts, which ends the programs in order
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#onLine(line));
    this.ended = once(this.#child, 'close').then(([code, signal]) => signal ?? `exit code ${code}`);
  }

  /** The first message that the program sends to start.ts. Never settles if the program ends before. */
  async message(): Promise<unknown> {
    const [message] = await once(this.#child, 'message');
    return message;
  }

  /** Asks the program to end, waits, and kills it after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    const force = setTimeout(() => this.kill(), graceMs);
    this.#child.kill('SIGTERM');
    await this.ended;
    clearTimeout(force);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Describes an unexpected end: how the program ended, and its last lines that were not shown. */
  report(how: string): string {
    const hidden = this.#last.filter(({ shown }) => !shown).map(({ text }) => `  ${text}\n`);
    return `${this.name} ended unexpectedly (${how})\n${hidden.join('')}`;
  }

  #onLine(raw: string): void {
    const { level, text } = this.#parse(raw);
    const repeated = this.#last.at(-1)?.text === text;
    const shown = !repeated && (this.#verbose || level >= WARN);
    if (!repeated) this.#last = [...this.#last, { text, shown }].slice(-LAST_LINES);
    if (shown) process.stderr.write(`${text}\n`);
  }

  #parse(raw: string): { level: number; text: string } {
    const logged = raw.startsWith('{"level":') ? parseLogLine(raw) : undefined;
    if (logged) {
      const { level, msg } = logged;
      return { level, text: `${this.name}: ${LEVEL_NAMES[level] ?? level}: ${msg}` };
    }
    // A plain line is always shown, for example the one in which a program says why it cannot start.
    const own = /^(?:gateway|producer): /.exec(raw)?.[0];
    if (own) this.complained = true;
    return { level: WARN, text: `${this.name}: ${raw.slice(own?.length ?? 0)}` };
  }
}

function parseLogLine(raw: string): { level: number; msg: string } | undefined {
  try {
    const { level, msg } = JSON.parse(raw) as { level: unknown; msg: unknown };
    return typeof level === 'number' ? { level, msg: String(msg ?? '') } : undefined;
  } catch {
    return undefined; // an incomplete line
  }
}
