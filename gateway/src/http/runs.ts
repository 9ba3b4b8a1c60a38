// /api/runs: the list of runs, one run, its stream, its cancellation.

import type { RunDetail, RunSummary, RunsAnswer } from '@llm-streamer/shared/api-types.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { type OwnedKey, ownedKey } from '@llm-streamer/shared/ownership.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access, OwnedCode, OwnedRule } from '../auth/access.ts';
import { mayCancelRun, mayReadRun } from '../auth/rights/run-rights.ts';
import { type Params, parseCursor, parseId, parseOwner, parseWhole, text } from '../parameters.ts';
import { runCall } from '../runs/run-call.ts';
import type { RunHistory } from '../runs/run-history.ts';
import type { RunService } from '../runs/run-service.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import { usedBy } from '../runs/usage.ts';
import { HttpError } from './errors.ts';
import { SMALL_ANSWER } from './plugins/answer-budget.ts';
import { refuseBody } from './refuse-body.ts';
import type { RunStreams } from './run-stream.ts';
import { summaryOf, usageTold } from './run-summary.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 200;
const IGNORED_BYTES = 65_536;
/** Says whose run is meant, where it is not one's own. */
const OWNER = ['owner'] as const;
/** Bytes that an answer may take: a list of runs, and the texts of a run. */
const LIST = {
  config: { needs: 'signed-in', parameters: ['limit', ...OWNER], answerBytes: SMALL_ANSWER },
} as const;
const TEXTS = { config: { needs: 'signed-in', parameters: OWNER, answerBytes: 16_777_216 } } as const;

type ById = { Params: { id: string }; Querystring: Params };

export interface RunServices {
  service: RunService;
  history: RunHistory;
  streams: RunStreams;
}

export function runRoutes(app: FastifyInstance, { service, history, streams }: RunServices): void {
  app.get<{ Querystring: Params }>('/api/runs', LIST, async ({ query, access }): Promise<RunsAnswer> => {
    const limit = text(query, 'limit');
    const count = limit === undefined ? DEFAULT_LIMIT : parseWhole('limit', limit, 1, MAX_LIMIT);
    const runs = await service.list(count, access.runs(parseOwner(query)));
    return { runs: runs.map(summaryOf) };
  });

  app.get<ById>('/api/runs/:id', TEXTS, async (request): Promise<RunDetail> => {
    const run = await known(request);
    const { lanes, calls, trimmed, cut } = await history.run(ownedKey(run.owner, run.id), run.lanes);
    return {
      ...summaryOf(run),
      // The record of a run has its tokens when it ends.
      ...(run.state === 'running' && { usage: usageTold(usedBy(lanes)) }),
      ...(trimmed && { trimmed }),
      ...(cut && { cut }),
      lanes,
      ...(calls.length > 0 && { calls: calls.map(runCall) }),
    };
  });

  const streaming = {
    onRequest: refuseBody,
    exposeHeadRoute: false,
    config: {
      needs: 'signed-in',
      parameters: ['lastEventId', ...OWNER],
      refusesItself: true,
      answerWhileUnknown: (reply: FastifyReply, error: BrokerUnavailable) =>
        void streams.refuse(reply, 'not_ready', error),
    },
  } as const;
  app.get<ById>('/api/runs/:id/stream', streaming, async (request, reply) => {
    const after = parseCursor(request.headers['last-event-id'], request.query);
    try {
      return streams.refuseIfClosing(reply) ?? (await streams.send(reply, await known(request), after));
    } catch (error) {
      if (error instanceof BrokerUnavailable) return streams.refuse(reply, 'not_ready', error);
      throw error;
    }
  });

  app.register(async (scope) => {
    // A body is not needed, but is accepted and ignored: `curl -d ''` says that it sends a form.
    scope.removeAllContentTypeParsers();
    const ignored = { parseAs: 'buffer', bodyLimit: IGNORED_BYTES } as const;
    scope.addContentTypeParser('*', ignored, (_request, _body, done) => done(null));
    const cancelling = { config: { needs: 'signed-in', parameters: OWNER } } as const;
    scope.post<ById>('/api/runs/:id/cancel', cancelling, async (request): Promise<RunSummary> => {
      const key = addressed(request, mayCancelRun, 'run_not_found');
      const run = key && (await service.cancel(key));
      if (!run) throw unknownRun();
      return summaryOf(run);
    });
    scope.route({
      method: ['GET', 'PUT', 'PATCH', 'DELETE'],
      url: '/api/runs/:id/cancel',
      config: { needs: 'nothing', parameters: 'any' },
      handler: () => {
        const headers = { allow: 'POST' };
        throw new HttpError('method_not_allowed', 'this path answers POST only', { headers });
      },
    });
  });

  const known = ({ access, params, query }: FastifyRequest<ById>) =>
    readableRun(service, access, params.id, query);
}

/** The run that `id` names, and `owner` in the query. @throws HttpError `run_not_found` also for one that may not be read */
export async function readableRun(
  service: Pick<RunService, 'get'>,
  access: Access,
  id: string,
  query: Params,
): Promise<RunRecord> {
  const key = addressed({ params: { id }, query, access }, mayReadRun, 'run_not_found');
  const run = key && (await service.get(key));
  if (!run) throw unknownRun();
  return run;
}

/** What the request names: one's own, or with `owner=` another's. Undefined if it is not allowed, which is answered as absent. */
export function addressed(
  { params, query, access }: Pick<FastifyRequest<ById>, 'params' | 'query' | 'access'>,
  rule: OwnedRule,
  code: OwnedCode,
): OwnedKey | undefined {
  const key = ownedKey(parseOwner(query) ?? access.principal.owner, parseId('id', params.id));
  return access.allows(rule, key, code) ? key : undefined;
}

function unknownRun(): HttpError {
  return new HttpError('run_not_found', 'there is no run with this id, or it is no longer kept');
}
