// /api/runs and /api/conversations: the list of runs, one run, its stream, its cancellation; the turns of a conversation.

import type { Conversation, RunDetail, RunSummary, RunsAnswer } from '@llm-streamer/shared/api-types.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Params, parseCursor, parseId, parseWhole, text } from '../parameters.ts';
import type { RunHistory } from '../runs/run-history.ts';
import type { RunService } from '../runs/run-service.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import { HttpError } from './errors.ts';
import { SMALL_ANSWER } from './plugins/answer-budget.ts';
import { refuseBody } from './refuse-body.ts';
import type { RunStreams } from './run-stream.ts';
import { summaryOf } from './run-summary.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 200;
const IGNORED_BYTES = 65_536;
/** Bytes that an answer may take: a list of runs, and the texts of a run or a conversation. */
const LIST = { config: { needs: 'signed-in', parameters: ['limit'], answerBytes: SMALL_ANSWER } } as const;
const TEXTS = { config: { needs: 'signed-in', answerBytes: 16_777_216 } } as const;

type ById = { Params: { id: string } };

export interface RunServices {
  service: RunService;
  history: RunHistory;
  streams: RunStreams;
}

export function runRoutes(app: FastifyInstance, { service, history, streams }: RunServices): void {
  app.get<{ Querystring: Params }>('/api/runs', LIST, async ({ query }): Promise<RunsAnswer> => {
    const limit = text(query, 'limit');
    const count = limit === undefined ? DEFAULT_LIMIT : parseWhole('limit', limit, 1, MAX_LIMIT);
    return { runs: (await service.list(count)).map(summaryOf) };
  });

  app.get<ById>('/api/runs/:id', TEXTS, async ({ params }): Promise<RunDetail> => {
    const run = await known(params.id);
    const { lanes, trimmed, cut } = await history.run(run.id, run.lanes);
    return { ...summaryOf(run), ...(trimmed && { trimmed }), ...(cut && { cut }), lanes };
  });

  const streaming = {
    onRequest: refuseBody,
    exposeHeadRoute: false,
    config: {
      needs: 'signed-in',
      parameters: ['lastEventId'],
      refusesItself: true,
      refuseUnknown: (reply: FastifyReply, error: BrokerUnavailable) =>
        void streams.refuse(reply, 'not_ready', error),
    },
  } as const;
  app.get<ById>('/api/runs/:id/stream', streaming, async (request, reply) => {
    const after = parseCursor(request.headers['last-event-id'], request.query as Params);
    try {
      return (
        streams.refuseIfClosing(reply) ?? (await streams.send(reply, await known(request.params.id), after))
      );
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
    const cancelling = { config: { needs: 'signed-in' } } as const;
    scope.post<ById>('/api/runs/:id/cancel', cancelling, async ({ params }): Promise<RunSummary> => {
      const run = await service.cancel(parseId('id', params.id));
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

  app.get<ById>('/api/conversations/:id', TEXTS, async ({ params }): Promise<Conversation> => {
    const id = parseId('id', params.id);
    const { turns, trimmed } = await history.conversation(id);
    if (turns.length === 0)
      throw new HttpError('conversation_not_found', 'nothing was said in it, or it expired');
    return {
      conversation_id: id,
      ...(trimmed && { trimmed }),
      turns: turns.map(({ role, text, run, time }) => ({ role, message: text, message_id: run, time })),
    };
  });

  async function known(id: string): Promise<RunRecord> {
    const run = await service.get(parseId('id', id));
    if (!run) throw unknownRun();
    return run;
  }
}

function unknownRun(): HttpError {
  return new HttpError('run_not_found', 'there is no run with this id, or it is no longer kept');
}
