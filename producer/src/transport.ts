// Opens the way to the log: Redis itself, or a gateway over HTTP. Nothing connects before the first batch.

import { hasPlainChannels, retentionPolicy } from '@llm-streamer/shared/config.ts';
import type { PublishTransport } from '@llm-streamer/shared/publish/delivery.ts';
import type { ProducerConfig } from './config.ts';
import { HttpTransport } from './http-transport.ts';

export interface Transport extends PublishTransport {
  /** The destination, in words that may be logged: without a password. */
  readonly target: string;
  close(): Promise<void>;
}

export async function openTransport(config: ProducerConfig): Promise<Transport> {
  const { REDIS_URL, GATEWAY_URL, NAMESPACE } = config;
  if (REDIS_URL === undefined) {
    const gateway = new HttpTransport(GATEWAY_URL as string);
    return {
      target: `gateway ${GATEWAY_URL}`,
      publish: (drafts, stamp) => gateway.publish(drafts, stamp),
      close: async () => undefined,
    };
  }
  // Imported only here: a producer that uses HTTP starts faster without it.
  const { RedisBroker } = await import('@llm-streamer/shared/broker/redis/redis-broker.ts');
  // Without a logger: the Publisher logs an outage once, but the Redis client would log each attempt to connect.
  const broker = new RedisBroker({
    url: REDIS_URL,
    namespace: NAMESPACE,
    retention: retentionPolicy(config),
    plainChannels: hasPlainChannels(config, false),
  });
  return {
    target: `redis ${new URL(REDIS_URL).host}`,
    publish: (drafts, stamp) => broker.publish(drafts, stamp),
    close: () => broker.close(),
  };
}
