// Says whether the process is alive (/healthz), whether it can serve (/readyz), and how its streams are doing (/sse/health).

import type { StreamHealth } from '@llm-streamer/shared/api-types.ts';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import type { FastifyInstance } from 'fastify';
import type { Hub } from '../stream/live/hub.ts';
import type { Connections } from '../stream/viewer/connections.ts';
import { HttpError } from './errors.ts';

const PROBE = { needs: 'nothing', anyAddress: true } as const;

export interface HealthServices {
  broker: Broker;
  hub: Hub;
  viewers: Connections;
  gateway: string;
  /** Whether the log is in Redis. */
  redis: boolean;
}

export function healthRoutes(
  app: FastifyInstance,
  { broker, hub, viewers, gateway, redis }: HealthServices,
): void {
  app.get('/healthz', { config: PROBE }, async () => ({
    status: 'ok',
    node: process.version,
    uptime: Math.round(process.uptime()),
  }));

  app.get('/readyz', { config: PROBE }, async () => {
    const { ready, reason } = broker.status();
    if (!ready) throw new HttpError('broker_unavailable', reason ?? 'the log cannot be reached');
    return { status: 'ready' };
  });

  app.get('/sse/health', { config: { needs: 'metrics' } }, async (): Promise<StreamHealth> => {
    const { ready, reason, reconnects, adopted } = broker.status();
    return {
      status: ready ? 'ok' : 'degraded',
      ...(reason !== undefined && { reason }),
      gateway,
      redis,
      connections: viewers.size,
      lagging: viewers.lagging,
      views: hub.views,
      ...viewers.totals,
      reconnects,
      adopted,
    };
  });
}
