// GET /api/prices: what models cost, for the page's pictures of runs.

import type { Prices } from '@llm-streamer/shared/api-types.ts';
import type { FastifyInstance } from 'fastify';
import { SMALL_ANSWER } from './plugins/answer-budget.ts';

export function pricesRoute(app: FastifyInstance, current: () => Prices): void {
  app.get('/api/prices', { config: { needs: 'signed-in', answerBytes: SMALL_ANSWER } }, () => current());
}
