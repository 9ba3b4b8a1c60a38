// What the gateway says about itself on `logs:gateway`: changes of state, and at most once a second a summary. Never a
// line per connection, request or delivery, and nothing about publishing: that would feed itself.

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
  readonly #viewers: Connections;
  readonly #timer: NodeJS.Timeout;
  #said = { connected: 0, resumed: 0, resumedWithGap: 0, refused: 0, stalled: 0 };
  #size = 0;
  #warned: string | undefined;

  constructor(broker: Broker, viewers: Connections, gateway: string) {
    this.#broker = broker;
    this.#publisher = new Publisher(broker, { source: gateway, noticeChannel: CHANNELS.gateway });
    this.#gateway = gateway;
    this.#viewers = viewers;
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
    if (warning !== undefined && warning !== this.#warned) this.report('warn', warning);
    this.#warned = warning;
  }

  #summarize(): void {
    const { totals, size, lagging } = this.#viewers;
    const parts = [
      count(totals.connected - this.#said.connected, 'connected'),
      count(totals.resumed - this.#said.resumed, 'resumed'),
      count(totals.resumedWithGap - this.#said.resumedWithGap, 'resumed with a gap'),
      count(totals.refused - this.#said.refused, 'refused'),
      count(totals.stalled - this.#said.stalled, 'closed as stalled'),
      count(this.#size + totals.connected - this.#said.connected - size, 'left'),
    ].filter((part) => part !== '');
    this.#said = { ...totals };
    this.#size = size;
    if (parts.length === 0) return;
    this.report('info', parts.join(', '), { viewers: size, lagging });
  }
}

function count(number: number, what: string): string {
  return number > 0 ? `${number} ${what}` : '';
}
