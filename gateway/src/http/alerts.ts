// /api/alerts: the alerts that fire now, for those who may read their channel, and a test of the destinations that are told of them.

import type { AlertsAnswer, AlertTestAnswer } from '@llm-streamer/shared/api-types.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Rules } from '../compose-rules.ts';
import { SMALL_BODY } from './auth/services.ts';
import { HttpError } from './errors.ts';
import { jsonScope, parseBody } from './json-body.ts';

/** Bytes of a thousand alerts. */
const ANSWER_BYTES = 1_048_576;
/** Between two tests: somebody's telephone rings at each. */
const BETWEEN_TESTS_MS = 5_000;

const NAME_RULE = 'must be the name of a destination in the rules file';
const testBody = z.strictObject({ destination: z.string(NAME_RULE).max(60, NAME_RULE).optional() });

export function alertsRoutes(app: FastifyInstance, rules: Pick<Rules, 'areThere' | 'firing' | 'test'>): void {
  let testedAt = Number.NEGATIVE_INFINITY;

  app.get(
    '/api/alerts',
    { config: { needs: 'read', answerBytes: ANSWER_BYTES } },
    async ({ access }): Promise<AlertsAnswer> => {
      access.readable([CHANNELS.alerts]); // refuses whoever may not read it
      const alerts = await rules.firing();
      return { rules: rules.areThere, alerts: alerts.sort((a, b) => b.since - a.since) };
    },
  );

  jsonScope(app, (scope) => {
    scope.post(
      '/api/alerts/test',
      { bodyLimit: SMALL_BODY, config: { needs: 'operate' } },
      async ({ body }): Promise<AlertTestAnswer> => {
        const { destination } = parseBody(testBody, body ?? {});
        const waitMs = testedAt + BETWEEN_TESTS_MS - performance.now();
        if (waitMs > 0)
          throw new HttpError('rate_limited', 'destinations were tested a moment ago', {
            headers: { 'retry-after': `${Math.ceil(waitMs / 1_000)}` },
          });
        testedAt = performance.now();
        const answer = await rules.test(destination);
        if (answer !== undefined) return answer;
        testedAt = Number.NEGATIVE_INFINITY; // nothing was sent
        if (destination === undefined) throw new HttpError('not_found', 'RULES_FILE names no destination');
        throw new HttpError('invalid_body', `destination: ${NAME_RULE}`, { field: 'destination' });
      },
    );
  });
}
