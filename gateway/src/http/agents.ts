// /agents and /api/agents: asking an agent, streamed or with the answer at the end; what was said before; which agents there are.

import { createHash, randomUUID } from 'node:crypto';
import type { AgentsAnswer, ChatAnswer, ChatHistory } from '@llm-streamer/shared/api-types.ts';
import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AgentDirectory } from '../agents/directory.ts';
import { type Params, parseCursor, parseWhole, text } from '../parameters.ts';
import type { Conversations } from '../runs/conversations.ts';
import { runCall } from '../runs/run-call.ts';
import type { RunEnds } from '../runs/run-ends.ts';
import { RUN_ERRORS } from '../runs/run-errors.ts';
import type { RunHistory } from '../runs/run-history.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import type { ConnectionLimiter } from '../stream/viewer/connection-limiter.ts';
import {
  beginRun,
  checkLength,
  idSchema,
  messageSchema,
  RUN_BODY_BYTES,
  type RunStartServices,
} from './begin-run.ts';
import { mayBeTold } from './conversations.ts';
import { HttpError } from './errors.ts';
import { jsonScope, parseBody } from './json-body.ts';
import type { RunStreams } from './run-stream.ts';
import { summaryOf } from './run-summary.ts';
import { refusalOf } from './sse-response.ts';

const bodySchema = z.strictObject({
  userMessage: messageSchema,
  message_id: idSchema.optional(),
  conversation_id: idSchema.optional(),
  agent: idSchema.optional(),
  /** The run whose question this one is an edition of. */
  replaces: idSchema.optional(),
  /** Ignored: who asks is known by how he has signed in, and by nothing that he says. */
  userId: z.unknown().optional(),
});
const EXAMPLE = '{"userMessage":"…"}';

const HISTORY_LIMIT = 10;
const MAX_HISTORY_LIMIT = 200;
/** The newest conversations whose turns a history may hold. */
const HISTORY_CONVERSATIONS = 20;
/** What the texts of a run, or the turns of a history, take while they are read. */
const TEXT_BYTES = 16_777_216;
const TEXTS = { config: { needs: 'signed-in', parameters: ['limit'], answerBytes: TEXT_BYTES } } as const;
/** Agents may have 64 tools each, with a thousand characters on each. */
const AGENTS = { config: { needs: 'signed-in', answerBytes: 4_194_304 } } as const;

export interface AgentServices extends RunStartServices {
  history: RunHistory;
  conversations: Conversations;
  ends: RunEnds;
  agents: AgentDirectory;
  streams: RunStreams;
  connections: ConnectionLimiter;
}

export function agentRoutes(app: FastifyInstance, services: AgentServices): void {
  const { history, conversations, ends, agents, streams, connections } = services;

  jsonScope(app, (scope) => {
    const streamed = { needs: 'run', parameters: ['lastEventId'] } as const;
    scope.post(
      '/agents/chat-stream',
      { bodyLimit: RUN_BODY_BYTES, config: streamed },
      async (request, reply) => {
        const after = parseCursor(request.headers['last-event-id'], request.query as Params);
        return streams.send(reply, await begin(request, reply), after);
      },
    );
    const whole = { needs: 'run' } as const;
    scope.post('/agents/chat', { bodyLimit: RUN_BODY_BYTES, config: whole }, async (request, reply) => {
      const { ip } = request;
      const run = await begin(request, reply);
      const refusal = await connections.acquire(ip);
      if (refusal !== undefined) throw refusalOf(refusal);
      try {
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        if (request.raw.socket.destroyed) gone.abort(); // it may have closed before
        const ended = await ends.wait(ownedKey(run.owner, run.id), gone.signal);
        // Not before: a run may wait for consent for hours, and other answers need the room.
        return await request.withRoom(TEXT_BYTES, () => answerOf(ended));
      } finally {
        connections.release(ip);
      }
    });
  });

  app.get<{ Querystring: Params }>('/agents/chat-history', TEXTS, (request) => historyOf(request));
  app.get<{ Params: { userId: string }; Querystring: Params }>(
    '/agents/chat-history/:userId',
    TEXTS,
    (request) => {
      const { owner } = request.principal;
      if (request.params.userId !== (owner === '' ? '-' : owner))
        throw new HttpError('conversation_not_found', 'only your own history is here');
      return historyOf(request);
    },
  );
  app.get('/api/agents', AGENTS, (): Promise<AgentsAnswer> => agents.list());

  async function begin(request: FastifyRequest, reply: FastifyReply): Promise<RunRecord> {
    const body = parseBody(bodySchema, request.body, EXAMPLE);
    checkLength(body.userMessage, 'userMessage');
    const id = body.message_id ?? `chat-${randomUUID()}`;
    return beginRun(request, reply, services, {
      id,
      message: body.userMessage,
      conversationId: body.conversation_id ?? conversationOf(id),
      agent: body.agent ?? agents.first,
      ...(body.replaces !== undefined && { replaces: body.replaces }),
    });
  }

  async function answerOf(run: RunRecord | undefined): Promise<ChatAnswer> {
    if (!run) throw new HttpError('run_not_found', 'the log has lost this run');
    const { lanes, calls } = await history.run(ownedKey(run.owner, run.id), run.lanes);
    const { usage, message_id, conversation_id = '', agent = '' } = summaryOf(run);
    const about = { message_id, conversation_id };
    if (run.state !== 'finished') {
      const code = run.code ?? run.state;
      const detail = Object.hasOwn(RUN_ERRORS, code) ? RUN_ERRORS[code as keyof typeof RUN_ERRORS] : code;
      throw new HttpError('run_failed', detail, { more: { ...about, run_code: code } });
    }
    const { text: said = '', earlier } = lanes[0] ?? {};
    return {
      ...about,
      agent,
      message: said.slice(earlier?.textLength ?? 0),
      calls: calls.map(runCall),
      usage,
    };
  }

  async function historyOf({ query, access }: FastifyRequest): Promise<ChatHistory> {
    const given = text(query as Params, 'limit');
    const limit = given === undefined ? HISTORY_LIMIT : parseWhole('limit', given, 1, MAX_HISTORY_LIMIT);
    const { owner } = access.principal;
    const newest = await conversations.list(owner, HISTORY_CONVERSATIONS, mayBeTold(access));
    let all: ChatHistory['history'] = [];
    // One after the other, and only what may be told is kept, so that no more is in memory than one conversation and the answer.
    for (const { conversation_id } of newest) {
      // All of them, because an edit among the newest entries may have put turns aside that the limit would have counted.
      const { turns } = await history.conversation(ownedKey(owner, conversation_id));
      const more = turns.map(({ role, text: content, run, time, state }) => {
        const about = { conversation_id, message_id: run, time };
        return { role, content, ...about, ...(state !== undefined && { state }) };
      });
      all = [...all, ...more].sort((a, b) => a.time - b.time).slice(-limit);
    }
    return { history: all, count: all.length };
  }
}

/** The conversation that a run begins. It is made from the run's id, so the same request sent again is the same run. */
function conversationOf(run: string): string {
  return `c-${createHash('sha256').update(run).digest('hex').slice(0, 32)}`;
}
