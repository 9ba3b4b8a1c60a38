// Opens the way to the log: Redis itself, or a gateway over HTTP. Nothing connects before the first batch.

import { hasPlainChannels, retentionPolicy } from '@llm-streamer/shared/config.ts';
import type { PublishTransport } from '@llm-streamer/shared/publish/delivery.ts';
import type { ProducerConfig } from './config.ts';
import { HttpTransport } from './http-transport.ts';

export interface Transport extends PublishTransport {
  /** The destination, in words that may be logged: without a password. */
  readonly target: string;
  /** Aborted, with a sentence as its reason, when nothing more will ever be taken. */
  readonly refused: AbortSignal;
  close(): Promise<void>;
}

export async function openTransport(config: ProducerConfig): Promise<Transport> {
  const { REDIS_URL, GATEWAY_URL, GATEWAY_KEY, NAMESPACE } = config;
  if (REDIS_URL === undefined) {
    const gateway = new HttpTransport(GATEWAY_URL as string, GATEWAY_KEY);
    return {
      target: `gateway ${GATEWAY_URL}`,
      publish: (drafts, stamp) => gateway.publish(drafts, stamp),
      refused: gateway.refused,
      close: async () => undefined,
    };
  }
  // The Redis client is imported only here, so that a producer that uses HTTP need not load it.
  const { RedisBroker } = await import('@llm-streamer/shared/broker/redis/redis-broker.ts');
  // The broker gets no logger, because the Publisher logs an outage once, and the Redis client would log each attempt to connect.
  const broker = new RedisBroker({
    url: REDIS_URL,
    namespace: NAMESPACE,
    retention: retentionPolicy(config),
    plainChannels: hasPlainChannels(config, config.AUTH === 'on'),
  });
  return {
    target: `redis ${new URL(REDIS_URL).host}`,
    publish: (drafts, stamp) => broker.publish(drafts, stamp),
    refused: new AbortController().signal,
    close: () => broker.close(),
  };
}

/** Resolves, with nothing, when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
