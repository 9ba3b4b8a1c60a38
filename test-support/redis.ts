// Starts a real redis-server for one test file, on a free port of 127.0.0.1 and in a folder of its own. `stop()` removes both.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RedisOptions {
  /** More arguments for redis-server, after `--save '' --appendonly no`, so that they win: `['--appendonly', 'yes']`. */
  args?: readonly string[];
  /** A port of your own choice; by default a free one. */
  port?: number;
  /** A folder of your own, which `stop()` keeps; by default a temporary one, which it removes. */
  dir?: string;
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  /** The id of the process that runs now; a different one after `restart()`. */
  readonly pid: number;
  /** All that the server has printed, also before `restart()`. */
  readonly log: string;
  /** Ends the process and waits until it is gone; the folder stays, for `restart()`. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Freezes the process (SIGSTOP): connections stay open, nothing answers. */
  pause(): void;
  resume(): void;
  /** Starts again on the same port, in the same folder, with the same arguments; ends a running process first. */
  restart(): Promise<void>;
  /** Ends the process, paused or not, and removes the folder. */
  stop(): Promise<void>;
}

// The servers of a test process end with it, even if it ends early.
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

const READY = 'Ready to accept connections';
const PORT_TAKEN = /Address already in use|Failed listening on port/;
const START_MS = 30_000;

/** Starts redis-server and waits until it accepts connections. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'llm-streamer-redis-')));
  for (let attempt = 1; ; attempt++) {
    const server = new SpawnedRedis(options.port ?? (await freePort()), dir, options);
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server.kill('SIGKILL');
      // Another program may have taken the free port before the server could.
      const again = options.port === undefined && attempt < 10 && PORT_TAKEN.test(server.log);
      if (again) continue;
      await server.stop();
      throw error;
    }
  }
}

/** A namespace that no other test uses. */
export function randomNamespace(): string {
  return `test-${randomBytes(8).toString('hex')}`;
}

class SpawnedRedis implements RedisServer {
  readonly port: number;
  readonly dir: string;
  readonly #options: RedisOptions;
  #process: ChildProcess | undefined;
  #log = '';

  constructor(port: number, dir: string, options: RedisOptions) {
    this.port = port;
    this.dir = dir;
    this.#options = options;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error('redis-server is not running');
    return this.#process.pid;
  }

  get log(): string {
    return this.#log;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT'); // a frozen process takes no signal but SIGKILL
    await gone;
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    const { args = [] } = this.#options;
    const fixed = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.dir, '--daemonize', 'no'];
    const child = spawn('redis-server', [...fixed, '--save', '', '--appendonly', 'no', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    running.add(child);
    child.once('exit', () => {
      running.delete(child);
      if (this.#process === child) this.#process = undefined;
    });
    await this.#ready(child);
  }

  async stop(): Promise<void> {
    await this.kill('SIGKILL');
    if (this.#options.dir === undefined) await rm(this.dir, { recursive: true, force: true });
  }

  #ready(child: ChildProcess): Promise<void> {
    const start = this.#log.length;
    return new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`redis-server ${why}\n${this.#log.slice(start)}`));
      const late = setTimeout(() => fail(`was not ready within ${START_MS} ms`), START_MS);
      const hear = (chunk: Buffer) => {
        this.#log += chunk.toString();
        if (!this.#log.includes(READY, start)) return;
        clearTimeout(late);
        resolve();
      };
      child.stdout?.on('data', hear);
      child.stderr?.on('data', hear);
      child.once('error', (error) => {
        clearTimeout(late);
        running.delete(child);
        this.#process = undefined; // it was never started, so no exit event follows
        fail(`could not be started: ${error.message}`);
      });
      // `close`, not `exit`: the server's last lines come before the ends of its streams.
      child.once('close', (code, signal) => {
        clearTimeout(late);
        fail(`ended before it was ready (${signal ?? code})`);
      });
    });
  }
}

/** A port of 127.0.0.1 on which no program listens now, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
