// POST /api/runs/:id/approvals/:approval: the owner of a run says whether a call of a tool may be made. Any gateway takes the answer.

import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { mayCancelRun } from '../auth/rights/run-rights.ts';
import { type Params, parseId, parseOwner } from '../parameters.ts';
import type { RunService } from '../runs/run-service.ts';
import { decisionOf, reasonSchema } from './decision.ts';
import { HttpError } from './errors.ts';
import { jsonScope, parseBody } from './json-body.ts';
import { summaryOf } from './run-summary.ts';

const bodySchema = z.strictObject({
  approved: z.boolean('must be true or false'),
  reason: reasonSchema.optional(),
});
const BODY_BYTES = 8_192;
const CONFIG = { config: { needs: 'signed-in', parameters: ['owner'] }, bodyLimit: BODY_BYTES } as const;

type Route = { Params: { id: string; approval: string }; Querystring: Params };

export function approvalRoute(app: FastifyInstance, service: RunService): void {
  jsonScope(app, (scope) => {
    scope.post<Route>(
      '/api/runs/:id/approvals/:approval',
      CONFIG,
      async ({ params, query, body, access }) => {
        const { principal } = access;
        const key = ownedKey(parseOwner(query) ?? principal.owner, parseId('id', params.id));
        const approval = parseId('approval', params.approval);
        const { approved, reason } = parseBody(bodySchema, body, '{"approved":true}');
        // Who may not stop a run may not let it do something either.
        const run = access.allows(mayCancelRun, key, 'run_not_found') ? await service.get(key) : undefined;
        if (!run)
          throw new HttpError('run_not_found', 'there is no run with this id, or it is no longer kept');
        const outcome = await service.decide(run, approval, decisionOf(principal, approved, reason));
        if (outcome === 'unknown')
          throw new HttpError('approval_not_found', 'this run has asked for no consent under this id');
        if (outcome !== 'ok')
          throw new HttpError(
            'approval_decided',
            outcome === 'ended' ? 'the run has ended' : 'this was decided before',
          );
        return summaryOf((await service.get(key)) ?? run);
      },
    );
  });
}
