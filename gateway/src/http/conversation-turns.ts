// What was said in a conversation: the newest turns in one answer, or all of them as a file.

import { Readable } from 'node:stream';
import type { Conversation } from '@llm-streamer/shared/api-types.ts';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import type { OwnedKey } from '@llm-streamer/shared/ownership.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { mayReadConversation } from '../auth/rights/run-rights.ts';
import type { Params } from '../parameters.ts';
import { exportOf, turnTold } from '../runs/conversation-export.ts';
import type { RunHistory } from '../runs/run-history.ts';
import type { ConversationStore } from '../runs/store/conversation-store.ts';
import type { ConnectionLimiter } from '../stream/viewer/connection-limiter.ts';
import { unknownConversation } from './conversations.ts';
import { refuseBody } from './refuse-body.ts';
import { addressed } from './runs.ts';
import { refusalOf } from './sse-response.ts';

const TURNS = { config: { needs: 'signed-in', parameters: ['owner'], answerBytes: 16_777_216 } } as const;
const EXPORT = {
  onRequest: refuseBody,
  exposeHeadRoute: false,
  config: { needs: 'signed-in', parameters: ['owner'] },
} as const;

type ById = { Params: { id: string }; Querystring: Params };

export interface TurnServices {
  broker: Broker;
  history: RunHistory;
  store: ConversationStore;
  /** An export counts as a stream: it lasts as long as its client reads. */
  connections: ConnectionLimiter;
}

export function conversationTurnsRoutes(
  app: FastifyInstance,
  { broker, history, store, connections }: TurnServices,
): void {
  app.get<ById>('/api/conversations/:id', TURNS, async (request): Promise<Conversation> => {
    const key = readable(request);
    const { turns, trimmed } = await history.conversation(key);
    if (turns.length === 0 && !(await store.get(key))) throw unknownConversation();
    return {
      conversation_id: request.params.id,
      ...(trimmed && { trimmed }),
      turns: turns.map(turnTold),
    };
  });

  app.get<ById>('/api/conversations/:id/export', EXPORT, async (request, reply) => {
    const key = readable(request);
    const { turns } = await history.conversation(key, 1);
    if (turns.length === 0 && !(await store.get(key))) throw unknownConversation();
    const refusal = await connections.acquire(request.ip);
    if (refusal !== undefined) throw refusalOf(refusal);
    reply.raw.once('close', () => connections.release(request.ip));
    const lines = Readable.from(exportLines(request, key), { highWaterMark: 1 });
    if (request.raw.socket.destroyed) reply.raw.destroy(); // it may have gone before
    return reply
      .type('application/x-ndjson')
      .header('content-disposition', `attachment; filename="${request.params.id}.ndjson"`)
      .send(lines);
  });

  /** Cuts the connection when its client may not read any more. */
  async function* exportLines(request: FastifyRequest, key: OwnedKey): AsyncGenerator<string> {
    const begun = request.access;
    for await (const line of exportOf(broker, key)) {
      await request.confirmRights();
      const { access } = request;
      if (access !== begun && !access.allows(mayReadConversation, key, 'conversation_not_found'))
        throw unknownConversation();
      yield `${JSON.stringify(line)}\n`;
    }
  }
}

function readable(request: FastifyRequest<ById>): OwnedKey {
  const key = addressed(request, mayReadConversation, 'conversation_not_found');
  if (key === undefined) throw unknownConversation();
  return key;
}
