// The streams' figures in Prometheus' form. When /metrics is asked, they are read from the parts that count them, so that an entry
// on its way costs nothing more.

import type { Broker, Listener, Subscription } from '@llm-streamer/shared/broker/broker.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { type Aggregator, Counter, Gauge, type Registry } from 'prom-client';
import type { GapCounts } from './live/gap-counts.ts';
import type { Hub } from './live/hub.ts';
import type { Connections } from './viewer/connections.ts';

export interface StreamParts {
  broker: Broker;
  hub: Hub;
  connections: Connections;
  gaps: GapCounts;
}

export class StreamMetrics implements Listener {
  readonly #broker: Broker;
  readonly #dropped: Counter;
  #subscription: Subscription | undefined;

  constructor(registry: Registry, { broker, hub, connections, gaps }: StreamParts) {
    this.#broker = broker;
    const registers = [registry];
    const gauge = (name: string, help: string, read: () => number, aggregator: Aggregator = 'sum') =>
      new Gauge({
        name: `llm_streamer_${name}`,
        help,
        aggregator,
        registers,
        collect() {
          this.set(read());
        },
      });
    const counter = (
      name: string,
      help: string,
      labelNames: readonly string[],
      read: () => [Record<string, string>, number][],
    ) =>
      new Counter({
        name: `llm_streamer_${name}`,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          for (const [labels, value] of read()) this.inc(labels, value);
        },
      });
    gauge('connections', 'SSE connections now.', () => connections.size);
    gauge(
      'lagging_connections',
      'SSE connections that do not keep up and read from the log.',
      () => connections.lagging,
    );
    gauge('views', 'Distinct queries now.', () => hub.views);
    gauge('log_ready', '1 while the log can be reached.', () => (broker.status().ready ? 1 : 0), 'min');
    const { totals } = connections;
    counter('connections_total', 'SSE connections since the start.', [], () => [[{}, totals.connected]]);
    counter('refused_total', 'SSE connections refused by a limit.', [], () => [[{}, totals.refused]]);
    counter('stalled_total', 'SSE connections closed because they took nothing.', [], () => [
      [{}, totals.stalled],
    ]);
    counter('resumes_total', 'Streams resumed by Last-Event-ID.', ['outcome'], () => [
      [{ outcome: 'exact' }, totals.resumed],
      [{ outcome: 'gap' }, totals.resumedWithGap],
    ]);
    counter('gaps_total', 'Gaps that were reported to viewers.', ['reason'], () =>
      Object.entries(gaps).map(([reason, count]) => [{ reason }, count]),
    );
    counter('log_reconnects_total', 'Times the link to the log was lost and taken up again.', [], () => [
      [{}, broker.status().reconnects],
    ]);
    counter('adopted_total', 'Foreign messages that this process put into the log.', [], () => [
      [{}, broker.status().adopted],
    ]);
    this.#dropped = new Counter({
      name: 'llm_streamer_publisher_dropped_entries_total',
      help: 'Entries that publishers say they had to drop; every gateway counts all.',
      aggregator: 'max',
      registers,
    });
  }

  /** Begins to listen to the channel where publishers report entries that they had to drop. */
  async open(logger: Logger): Promise<void> {
    try {
      this.#subscription = await this.#broker.subscribe([CHANNELS.errors], this);
    } catch (error) {
      logger.warn(`publishers' losses are not counted: ${(error as Error).message}`);
    }
  }

  close(): void {
    this.#subscription?.close();
  }

  onRecord(record: LogRecord): void {
    if (!record.data.includes('"dropped":')) return;
    const { dropped } = record.entry.attrs ?? {};
    // Anybody may write to this channel, and a counter throws when it is given anything but a number.
    if (typeof dropped === 'number' && Number.isSafeInteger(dropped) && dropped > 0)
      this.#dropped.inc(dropped);
  }

  onGap(): void {}

  onAdvance(): void {}
}
