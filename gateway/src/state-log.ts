// Writes the gateway's own state to `logs:gateway`: changes of state, and at most once a second a summary of its viewers. It writes
// no entry for each connection or request, and nothing about publishing, because such an entry would cause the next one.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { draft, type Level } from '@llm-streamer/shared/entry.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';
import type { Connections } from './stream/viewer/connections.ts';

const SUMMARY_MS = 1_000;

export class StateLog {
  readonly #broker: Broker;
  readonly #publisher: Publisher;
  readonly #gateway: string;
  readonly #connections: Connections;
  readonly #timer: NodeJS.Timeout;
  #reported = { connected: 0, resumed: 0, resumedWithGap: 0, refused: 0, stalled: 0 };
  /** Viewers at the last summary. */
  #size = 0;
  #lastWarning: string | undefined;

  constructor(broker: Broker, connections: Connections, gateway: string) {
    this.#broker = broker;
    this.#publisher = new Publisher(broker, { source: gateway, noticeChannel: CHANNELS.gateway });
    this.#gateway = gateway;
    this.#connections = connections;
    this.#timer = setInterval(() => {
      this.#warn();
      this.#summarize();
    }, SUMMARY_MS);
  }

  report(level: Level, msg: string, attrs?: Record<string, unknown>): void {
    const fields = { time: Date.now(), channel: CHANNELS.gateway, source: this.#gateway, level, msg };
    this.#publisher.enqueue(draft({ ...fields, ...(attrs && { attrs }) }));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#publisher.close(1_000);
  }

  #warn(): void {
    const { warning } = this.#broker.status();
    if (warning !== undefined && warning !== this.#lastWarning) this.report('warn', warning);
    this.#lastWarning = warning;
  }

  #summarize(): void {
    const { totals, size, lagging } = this.#connections;
    const parts = [
      count(totals.connected - this.#reported.connected, 'connected'),
      count(totals.resumed - this.#reported.resumed, 'resumed'),
      count(totals.resumedWithGap - this.#reported.resumedWithGap, 'resumed with a gap'),
      count(totals.refused - this.#reported.refused, 'refused'),
      count(totals.stalled - this.#reported.stalled, 'closed as stalled'),
      count(this.#size + totals.connected - this.#reported.connected - size, 'left'),
    ].filter((part) => part !== '');
    this.#reported = { ...totals };
    this.#size = size;
    if (parts.length === 0) return;
    this.report('info', parts.join(', '), { viewers: size, lagging });
  }
}

function count(number: number, what: string): string {
  return number > 0 ? `${number} ${what}` : '';
}
