// GET /metrics: the metrics of all workers, in Prometheus' text form.

import type { FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { HttpError } from './errors.ts';
import { SMALL_ANSWER } from './plugins/answer-budget.ts';

export function metricsRoute(app: FastifyInstance, metrics: () => Promise<string | undefined>): void {
  app.get(
    '/metrics',
    { config: { needs: 'metrics', anyAddress: true, answerBytes: SMALL_ANSWER } },
    async (_request, reply) => {
      const text = await metrics();
      if (text === undefined)
        throw new HttpError('primary_unavailable', 'the gateway’s first process gave no totals; ask again');
      reply.type(Registry.PROMETHEUS_CONTENT_TYPE);
      return text;
    },
  );
}
