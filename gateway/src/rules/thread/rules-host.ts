// Keeps the thread of the rules running: one that dies is replaced after a pause, and goes on where it stopped.

import { randomBytes } from 'node:crypto';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { settledWithin } from '@llm-streamer/shared/settled-within.ts';
import { NO_FIGURES, type RulesFigures } from '../figures.ts';
import type { Report } from '../rules-service.ts';
import type { RulesStore } from '../store/rules-store.ts';
import { lendLog } from './remote-log.ts';
import type { FromThread, ThreadData } from './rules-thread.ts';

const RESTART_MS = 1_000;
const CLOSE_MS = 1_000;
/** Enough for a thousand rules and ten thousand alerts; hostile lines cannot take more of the machine. */
const MAX_HEAP_MB = 768;

export interface RulesHostOptions {
  data: Omit<ThreadData, 'log'>;
  /** Where the log is: in Redis, or in this process. */
  log: Extract<ThreadData['log'], { kind: 'redis' }> | { broker: Broker; store: RulesStore };
  report: Report;
}

export class RulesHost {
  readonly #options: RulesHostOptions;
  #thread: Worker | undefined;
  #restart: NodeJS.Timeout | undefined;
  #figures = NO_FIGURES;
  #lastGood: string;
  #isClosing = false;

  constructor(options: RulesHostOptions) {
    this.#options = options;
    this.#lastGood = options.data.lastGood;
  }

  get figures(): RulesFigures {
    return this.#figures;
  }

  start(): void {
    const { data, log, report } = this.#options;
    const { log: where, ports } = 'kind' in log ? { log, ports: [] } : lent(log);
    const thread = new Worker(new URL('./rules-thread.ts', import.meta.url), {
      // A new name for each thread: a step of the one before may still be on its way to Redis.
      workerData: {
        ...data,
        lastGood: this.#lastGood,
        holder: `${data.holder}-${randomBytes(4).toString('hex')}`,
        log: where,
      } satisfies ThreadData,
      transferList: ports,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    this.#thread = thread;
    thread.on('message', (message: FromThread) => {
      if (message.kind === 'report') report(message.level, message.msg);
      else if (message.kind === 'good') this.#lastGood = message.text;
      else this.#figures = message.figures;
    });
    thread.on('error', (error) => report('warn', `the thread of the rules ended: ${error.message}`));
    thread.once('exit', () => {
      this.#figures = NO_FIGURES;
      if (!this.#isClosing) this.#restart = setTimeout(() => this.start(), RESTART_MS);
    });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#restart);
    const thread = this.#thread;
    if (thread === undefined) return;
    const gone = new Promise((resolve) => thread.once('exit', resolve));
    thread.postMessage('close');
    await settledWithin(gone, CLOSE_MS);
    await thread.terminate();
  }
}

function lent({ broker, store }: { broker: Broker; store: RulesStore }) {
  const { port1, port2 } = new MessageChannel();
  lendLog(port1, broker, store);
  port1.unref();
  return { log: { kind: 'borrowed', port: port2 } as const, ports: [port2] };
}
