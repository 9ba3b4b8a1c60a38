// Makes the door for OpenAI clients: its services, and the buffer through which its entries reach the log.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';
import type { Registry } from 'prom-client';
import type { Runs } from './compose-runs.ts';
import { type Config, readSecret } from './config.ts';
import { Door } from './door/door.ts';
import { HttpService } from './door/http-service.ts';
import { DoorMetrics } from './door/metrics.ts';
import { SimulatedService } from './door/simulated-service.ts';
import { Upstreams } from './door/upstreams.ts';
import { Simulator } from './llm/simulator/simulator.ts';
import type { SimulatorOptions } from './llm/simulator/simulator-answer.ts';
import { SIMULATED } from './llm/target.ts';

/** Entries that wait while the log is away. With more, the oldest are dropped, and a notice says how many. */
const BUFFER_BYTES = 16_777_216;
/** Time for the last entries to reach the log. */
const FLUSH_MS = 1_000;

export interface DoorParts {
  door: Door;
  close(): Promise<void>;
}

export function composeDoor(
  config: Config,
  broker: Broker,
  gateway: string,
  registry: Registry,
  logger: Logger,
  { prompts, targets }: Pick<Runs, 'prompts' | 'targets'>,
  simulator: Partial<SimulatorOptions> = {},
): DoorParts {
  const buffer = new Publisher(broker, {
    source: gateway,
    maxBufferedBytes: BUFFER_BYTES,
    noticeChannel: CHANNELS.gateway,
    logger,
  });
  const http = new HttpService();
  const simulated = new SimulatedService(new Simulator(simulator));
  const metrics = new DoorMetrics(
    registry,
    () => door.active,
    () => buffer.counters.dropped,
  );
  const door = new Door({
    upstreams: new Upstreams(() => prompts.current.upstreams, targets.standard, readSecret),
    serviceOf: ({ baseUrl }) => (baseUrl === SIMULATED.baseUrl ? simulated : http),
    buffer,
    metrics,
    content: config.PROXY_CONTENT,
    entryBytes: config.ENTRY_BYTES,
    stallMs: config.SSE_STALL_MS,
    personal: [config.AUTH_PROXY_HEADER, config.AUTH_PROXY_GROUPS_HEADER].flatMap(
      (name) => name?.toLowerCase() ?? [],
    ),
  });
  return {
    door,
    close: async () => {
      await door.close(config.SHUTDOWN_GRACE_MS / 2);
      await buffer.close(FLUSH_MS);
      http.close();
    },
  };
}
