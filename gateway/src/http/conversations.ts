// GET /api/conversations: which conversations somebody has.

import type { ConversationsAnswer } from '@llm-streamer/shared/api-types.ts';
import type { FastifyInstance } from 'fastify';
import { mayReadConversation } from '../auth/rights/run-rights.ts';
import { type Params, parseOwner, parseWhole, text } from '../parameters.ts';
import type { Conversations } from '../runs/conversations.ts';
import { SMALL_ANSWER } from './plugins/answer-budget.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;
const LIST = {
  config: { needs: 'signed-in', parameters: ['limit', 'owner'], answerBytes: SMALL_ANSWER },
} as const;

export function conversationsRoute(app: FastifyInstance, conversations: Conversations): void {
  app.get<{ Querystring: Params }>(
    '/api/conversations',
    LIST,
    async ({ query, access }): Promise<ConversationsAnswer> => {
      const given = text(query, 'limit');
      const limit = given === undefined ? DEFAULT_LIMIT : parseWhole('limit', given, 1, MAX_LIMIT);
      const owner = parseOwner(query) ?? access.principal.owner;
      const allows = (key: Parameters<typeof mayReadConversation>[1]) =>
        access.allows(mayReadConversation, key, 'conversation_not_found');
      return { conversations: await conversations.list(limit, access.runs(owner), allows) };
    },
  );
}
