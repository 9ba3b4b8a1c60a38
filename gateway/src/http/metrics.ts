// GET /metrics: the registry in Prometheus' text form.

import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';

export function metricsRoute(app: FastifyInstance, registry: Registry): void {
  app.get('/metrics', async (_request, reply) => {
    reply.type(registry.contentType);
    return registry.metrics();
  });
}
