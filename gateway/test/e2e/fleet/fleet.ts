// Two gateways on a real Redis, with writers that number their entries, and viewers that drop and resume: what faults act on.

import { eventually, healthy, type RunningProcess, startProcess } from '../../../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace } from '../../../../test-support/redis.ts';
import { judge, type Verdict } from './verdict.ts';
import { RecordingViewer } from './viewer.ts';
import { RecordingWriter } from './writer.ts';

export interface FleetOptions {
  redis: RedisServer;
  /** Where gateways and writers find Redis; its own address by default. */
  redisUrl?: string;
  viewers: number;
  channels: number;
  entriesPerSecond: number;
  /** Viewers that drop their connection per second. */
  dropsPerSecond: number;
  seed: number;
  env?: Readonly<Record<string, string>>;
}

const STEP_MS = 20;
/** A gateway on a busy machine may need as long as this to start. */
const START_MS = 120_000;

export class Fleet {
  readonly namespace = randomNamespace();
  readonly random: () => number;
  readonly gateways: Gateway[] = [];
  readonly viewers: RecordingViewer[] = [];
  readonly writers: RecordingWriter[] = [];
  readonly #options: FleetOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.random = seeded(options.seed);
  }

  get redisUrl(): string {
    return this.#options.redisUrl ?? this.#options.redis.url;
  }

  async start(): Promise<void> {
    const { channels: count, viewers, env } = this.#options;
    for (let i = 0; i < 2; i++) {
      const gateway = new Gateway(await freePort(), {
        REDIS_URL: this.redisUrl,
        NAMESPACE: this.namespace,
        SSE_KEEPALIVE_MS: '1000',
        RETENTION_ENTRIES: '1000000',
        LOG_LEVEL: 'warn',
        ...env,
      });
      this.gateways.push(gateway);
      await gateway.start();
    }
    const channels = Array.from({ length: count }, (_, i) => `c:${i}`);
    const writers = Math.max(1, Math.min(4, Math.floor(count / 5)));
    for (let i = 0; i < writers; i++) {
      const own = channels.filter((_, j) => j % writers === i);
      this.writers.push(new RecordingWriter(this.redisUrl, this.namespace, own));
    }
    for (let i = 0; i < viewers; i++) {
      const wanted = channels.filter(() => this.random() < 0.3);
      if (wanted.length === 0) wanted.push(channels[0] as string);
      this.viewers.push(new RecordingViewer(wanted, () => this.#urls(), this.random, i % 2 === 0));
    }
    await eventually('viewers connected', () => this.viewers.every(({ start }) => start !== undefined));
    const { entriesPerSecond, dropsPerSecond } = this.#options;
    let owed = 0;
    let drops = 0;
    this.#timer = setInterval(() => {
      owed += (entriesPerSecond * STEP_MS) / 1_000;
      drops += (dropsPerSecond * STEP_MS) / 1_000;
      const batch = Math.floor(owed / this.writers.length);
      owed -= batch * this.writers.length;
      for (const writer of this.writers) writer.write(batch);
      for (; drops >= 1; drops--) this.viewers[Math.floor(this.random() * this.viewers.length)]?.drop();
    }, STEP_MS);
  }

  get written(): number {
    return this.writers.reduce((sum, { written }) => sum + written, 0);
  }

  /** Resolves when the writers have written this many more. */
  async more(entries: number): Promise<void> {
    const goal = this.written + entries;
    await eventually('entries written', () => this.written >= goal, 60_000);
  }

  /** Resolves when the log has acknowledged all that was written before the call. */
  async settled(): Promise<void> {
    const goals = this.writers.map(({ written }) => written);
    await eventually('entries acknowledged', () =>
      this.writers.every(({ acknowledged }, i) => acknowledged.length >= (goals[i] ?? 0)),
    );
  }

  /** Stops writing, waits until every viewer has reached the end of the log, and compares. */
  async finish(): Promise<Verdict> {
    clearInterval(this.#timer);
    for (const { publisher } of this.writers) await publisher.flush();
    // One more entry on every channel shows each viewer that it has reached the end.
    for (const writer of this.writers) {
      writer.write(this.#options.channels);
      await writer.publisher.flush();
    }
    const acknowledged = this.writers.flatMap((writer) => writer.acknowledged);
    const newestByChannel = new Map<string, number>();
    for (const { channel, k } of acknowledged)
      newestByChannel.set(channel, Math.max(k, newestByChannel.get(channel) ?? 0));
    const complete = (viewer: RecordingViewer) =>
      viewer.channels.every(
        (channel) =>
          viewer.entries.findLast((entry) => entry.channel === channel)?.k === newestByChannel.get(channel),
      );
    await eventually('viewers at the end', () => this.viewers.every(complete), 60_000).catch(
      async (error) => {
        const late = this.viewers.filter((viewer) => !complete(viewer));
        const health = await Promise.all(this.gateways.map((gateway) => gateway.health().catch(String)));
        const described = late.slice(0, 3).map(({ channels, cursor, reconnects, state, entries, gaps }) => ({
          cursor,
          reconnects,
          state,
          gaps: gaps.length,
          missing: channels
            .map((name) => [
              name,
              entries.findLast(({ channel }) => channel === name)?.k,
              newestByChannel.get(name),
            ])
            .filter(([, seen, last]) => seen !== last),
        }));
        const output = this.gateways.map((gateway) => gateway.output.slice(-1_000)).join('');
        throw new Error(
          `${error.message}: ${late.length} late ${JSON.stringify(described)} ${JSON.stringify(health)}\n${output}`,
        );
      },
    );
    return judge(this.viewers, acknowledged);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (const viewer of this.viewers) viewer.close();
    await Promise.all(this.writers.map((writer) => writer.close()));
    await Promise.all(this.gateways.map((gateway) => gateway.stop('SIGKILL')));
  }

  #urls(): string[] {
    return this.gateways.filter(({ up }) => up).map(({ url }) => url);
  }
}

export class Gateway {
  readonly port: number;
  readonly #env: Readonly<Record<string, string>>;
  #process: RunningProcess | undefined;

  constructor(port: number, env: Readonly<Record<string, string>>) {
    this.port = port;
    this.#env = env;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get up(): boolean {
    return this.#process !== undefined;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get output(): string {
    return this.#process?.output ?? '';
  }

  async start(): Promise<void> {
    const started = startProcess(['gateway/src/main.ts'], { env: { ...this.#env, PORT: `${this.port}` } });
    const ended = started.exited.then(() => {
      throw new Error(`the gateway ended as it started\n${started.output}`);
    });
    await Promise.race([healthy(`${this.url}/readyz`, START_MS), ended]);
    ended.catch(() => undefined);
    this.#process = started;
  }

  async health(): Promise<Record<string, number>> {
    return (await (await fetch(`${this.url}/sse/health`)).json()) as Record<string, number>;
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const stopping = this.#process;
    this.#process = undefined;
    if (!stopping) return;
    process.kill(stopping.pid, signal);
    await stopping.exited;
  }
}

/** mulberry32: the same seed gives the same choices. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
