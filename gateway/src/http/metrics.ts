// GET /metrics: in Prometheus' text form.

import type { FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';

export function metricsRoute(app: FastifyInstance, metrics: () => Promise<string>): void {
  app.get('/metrics', async (_request, reply) => {
    reply.type(Registry.PROMETHEUS_CONTENT_TYPE);
    return metrics();
  });
}
