// /api/conversations: which conversations somebody has, what they are called, where words were said in them, and their end. What was said
// in one is in conversation-turns.ts.

import type { ConversationSummary, ConversationsAnswer } from '@llm-streamer/shared/api-types.ts';
import type { OwnedKey } from '@llm-streamer/shared/ownership.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Access } from '../auth/access.ts';
import { mayChangeConversation, mayReadConversation } from '../auth/rights/run-rights.ts';
import { invalid, type Params, parseOwner, parseWhole, text } from '../parameters.ts';
import type { Conversations } from '../runs/conversations.ts';
import { HttpError } from './errors.ts';
import { jsonScope, parseBody } from './json-body.ts';
import { SMALL_ANSWER } from './plugins/answer-budget.ts';
import { addressed } from './runs.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;
const MAX_WORDS = 16;
const MAX_TITLE = 200;
const TITLE_RULE = `must be a text of 1 to ${MAX_TITLE} characters`;
const bodySchema = z.strictObject({
  title: z
    .string(TITLE_RULE)
    .max(MAX_TITLE, TITLE_RULE)
    .transform((title) => title.toWellFormed().replace(/\s+/g, ' ').trim())
    .refine((title) => title !== '', TITLE_RULE),
});
const BODY_BYTES = 8_192;
/** A search holds a page of turns besides its answer. */
const SEARCH_BYTES = 2_097_152;
const LIST = {
  config: {
    needs: 'signed-in',
    parameters: ['limit', 'owner', 'q'],
    answerBytes: ({ query }: FastifyRequest) => ('q' in (query as Params) ? SEARCH_BYTES : SMALL_ANSWER),
  },
} as const;
const ONE = { config: { needs: 'signed-in', parameters: ['owner'] } } as const;

type ById = { Params: { id: string }; Querystring: Params };

export function conversationsRoutes(app: FastifyInstance, conversations: Conversations): void {
  const { store } = conversations;

  app.get<{ Querystring: Params }>(
    '/api/conversations',
    LIST,
    async ({ query, access, raw }): Promise<ConversationsAnswer> => {
      const given = text(query, 'limit');
      const limit = given === undefined ? DEFAULT_LIMIT : parseWhole('limit', given, 1, MAX_LIMIT);
      const owner = parseOwner(query) ?? access.principal.owner;
      const words = wordsOf(text(query, 'q'));
      const allows = mayBeTold(access);
      if (words === undefined) return { conversations: await conversations.list(owner, limit, allows) };
      const isAbandoned = () => raw.socket.destroyed;
      const { stopped, ...found } = await conversations.search(words, owner, limit, allows, isAbandoned);
      return { ...found, ...(stopped && { stopped }) };
    },
  );

  jsonScope(app, (scope) => {
    const renaming = { ...ONE, bodyLimit: BODY_BYTES };
    scope.patch<ById>('/api/conversations/:id', renaming, async (request): Promise<ConversationSummary> => {
      const key = changeable(request);
      const { title } = parseBody(bodySchema, request.body, '{"title":"…"}');
      if (!(await store.rename(key, title))) throw unknownConversation();
      const renamed = await conversations.get(key);
      if (!renamed) throw unknownConversation();
      return renamed;
    });
  });

  app.delete<ById>('/api/conversations/:id', ONE, async (request, reply) => {
    const outcome = await store.delete(changeable(request));
    if (outcome === 'unknown') throw unknownConversation();
    if (outcome === 'running')
      throw new HttpError('conversation_running', 'a run of it goes on; cancel it, or wait for its end');
    return reply.code(204).send();
  });
}

/** @throws CodedError `invalid_query` */
function wordsOf(q: string | undefined): readonly string[] | undefined {
  if (q === undefined) return undefined;
  const words = [...new Set(q.split(/\s+/))].filter((word) => word !== '');
  // Each turn is searched for each of them.
  if (words.length > MAX_WORDS) throw invalid('q', `must be at most ${MAX_WORDS} words`);
  return words.length === 0 ? undefined : words;
}

/** Which conversations of a list may be told. */
export function mayBeTold(access: Access): (key: OwnedKey) => boolean {
  return (key) => access.allows(mayReadConversation, key, 'conversation_not_found');
}

/** @throws HttpError `conversation_not_found` also for one that somebody else has */
function changeable(request: FastifyRequest<ById>): OwnedKey {
  const key = addressed(request, mayChangeConversation, 'conversation_not_found');
  if (key === undefined) throw unknownConversation();
  return key;
}

export function unknownConversation(): HttpError {
  return new HttpError('conversation_not_found', 'there is no conversation with this id, or it expired');
}
