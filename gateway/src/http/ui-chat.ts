// POST /api/chat and GET /api/chat/:id/stream: the routes of the AI SDK's `useChat`. A chat is a conversation, its newest question is a
// run, and the client's copy of the messages is not believed: what was said is in the log.

import { createHash, randomUUID } from 'node:crypto';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import { sseFrame } from '@llm-streamer/shared/sse.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AgentDirectory } from '../agents/directory.ts';
import { UiStream } from '../agents/ui-stream.ts';
import { mayReadRun } from '../auth/rights/run-rights.ts';
import { parseId } from '../parameters.ts';
import type { Conversations } from '../runs/conversations.ts';
import { fingerprintOf, type RunRequest } from '../runs/run-plan.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import { beginRun, idSchema, type RunStartServices } from './begin-run.ts';
import { CHAT_BODY_BYTES, chatScope, invalidMessages, wordsOf } from './chat-body.ts';
import { ChatConsents } from './chat-consents.ts';
import { ChatWire } from './chat-wire.ts';
import { reasonOf } from './decision.ts';
import { parseBody } from './json-body.ts';
import { refuseBody } from './refuse-body.ts';
import type { RunStreams } from './run-stream.ts';

const part = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  state: z.string().optional(),
  approval: z
    .looseObject({ id: z.string(), approved: z.boolean().optional(), reason: z.unknown().optional() })
    .optional(),
});
const message = z.looseObject({
  id: idSchema,
  role: z.enum(['system', 'user', 'assistant']),
  parts: z.array(part),
});
const bodySchema = z.looseObject({
  id: idSchema,
  messages: z.array(z.unknown()).min(1),
  trigger: z.enum(['submit-message', 'regenerate-message']).default('submit-message'),
  messageId: z.string().nullish(),
  agent: idSchema.optional(),
});
const EXAMPLE = '{"id":"…","messages":[{"id":"…","role":"user","parts":[{"type":"text","text":"…"}]}]}';
type Body = z.output<typeof bodySchema>;
type Message = z.output<typeof message>;

const HEADERS = { 'x-vercel-ai-ui-message-stream': 'v1' };
const DONE = sseFrame({ data: '[DONE]' });
/** Messages of the client that are looked at: the newest question is one of them, or its answer the last. */
const NEWEST_MESSAGES = 4;
/** The id of an answer: this, and the id of its run. */
const ANSWER = 'a-';

export interface UiChatServices extends RunStartServices {
  broker: Broker;
  conversations: Conversations;
  agents: AgentDirectory;
  streams: RunStreams;
}

export function uiChatRoutes(app: FastifyInstance, services: UiChatServices): void {
  const { broker, service, conversations, agents, streams } = services;
  const consents = new ChatConsents(broker, service);

  chatScope(app, (scope) => {
    scope.post(
      '/api/chat',
      { bodyLimit: CHAT_BODY_BYTES, config: { needs: 'run' } },
      async (request, reply) => {
        const body = parseBody(bodySchema, request.body, EXAMPLE);
        const newest = messagesOf(body);
        const last = newest.at(-1);
        if (last?.role === 'assistant' && body.trigger === 'submit-message')
          return decide(request, reply, last);
        const asked = newest.findLast(({ role }) => role === 'user');
        return stream(reply, await begin(request, reply, body, asked));
      },
    );
  });

  const resuming = {
    onRequest: refuseBody,
    exposeHeadRoute: false,
    config: { needs: 'signed-in' },
  } as const;
  app.get<{ Params: { id: string } }>('/api/chat/:id/stream', resuming, async (request, reply) => {
    const id = parseId('id', request.params.id);
    const { owner } = request.principal;
    const [newest] = (await conversations.store.get(ownedKey(owner, id)))?.running ?? [];
    const key = newest === undefined ? undefined : ownedKey(owner, newest);
    const isReadable = key !== undefined && request.access.allows(mayReadRun, key, 'run_not_found');
    const run = isReadable ? await service.get(key) : undefined;
    return run ? stream(reply, run) : reply.code(204).send();
  });

  function stream(reply: FastifyReply, run: RunRecord, after = BEGINNING, wire = wireOf(run)) {
    return streams.send(reply, run, after, wire);
  }

  async function begin(
    request: FastifyRequest,
    reply: FastifyReply,
    body: Body,
    asked: Message | undefined,
  ): Promise<RunRecord> {
    if (!asked) throw invalidMessages('one must be a question, of the role user');
    const texts = asked.parts.flatMap(({ type, text }) => (type === 'text' && text ? [text] : []));
    const said = { message: wordsOf(texts), conversationId: body.id, agent: body.agent ?? agents.first };
    const { owner } = request.principal;
    const place = await placeOf({ ...said, owner, id: asked.id }, body);
    return beginRun(request, reply, services, { ...said, ...place });
  }

  /**
   * The same question is the same run. Answered anew, or edited under the id that it had, it is another one, which takes the place of the
   * first: that is how the client shows it.
   */
  async function placeOf(
    question: RunRequest,
    { trigger, messageId }: Body,
  ): Promise<Pick<RunRequest, 'id' | 'replaces'>> {
    const { owner, id, message: words, conversationId } = question;
    const known = await service.get(ownedKey(owner, id));
    const replaces = known?.conversationId === conversationId && { replaces: id };
    if (trigger === 'regenerate-message')
      return { id: anotherRun(id, messageId?.startsWith(ANSWER) ? messageId : undefined), ...replaces };
    // The client names the question, too, when it sends it again without an edit.
    const isEdited = messageId === id && known && known.fingerprint !== fingerprintOf(question);
    return isEdited ? { id: anotherRun(id, words), ...replaces } : { id };
  }

  /** The client has answered what the run asked for, and goes on reading after that. */
  async function decide(request: FastifyRequest, reply: FastifyReply, { id: messageId, parts }: Message) {
    const answers = parts.flatMap(({ state, approval }) =>
      state === 'approval-responded' && approval?.approved !== undefined
        ? [
            {
              approval: approval.id,
              approved: approval.approved,
              reason: reasonOf(approval.reason, 'messages'),
            },
          ]
        : [],
    );
    // Without one, nobody could tell up to where the client has read, and the whole answer would come once more.
    if (answers.length === 0) throw invalidMessages('the last is an answer in which nothing is decided');
    const id = messageId.startsWith(ANSWER) ? messageId.slice(ANSWER.length) : '';
    const run = await consents.decide(request, id, answers);
    request.bodyIsUsed();
    const wire = wireOf(run, true);
    return stream(reply, run, await consents.skipRead(request, run, answers, wire), wire);
  }
}

function wireOf(run: RunRecord, isGoingOn = false): ChatWire {
  return new ChatWire(new UiStream(`${ANSWER}${run.id}`), run, { headers: HEADERS, last: DONE, isGoingOn });
}

/** @throws HttpError `invalid_body` */
function messagesOf({ messages }: Body): Message[] {
  const parsed = z.array(message).safeParse(messages.slice(-NEWEST_MESSAGES));
  if (!parsed.success) throw invalidMessages('each needs an id, a role and parts');
  return parsed.data;
}

/** Another run of the same question. With `cause`, the old answer's id or the new words, the same request is the same run. */
function anotherRun(question: string, cause?: string): string {
  return `${question.slice(0, 100)}.${cause === undefined ? randomUUID().slice(0, 13) : digestOf(cause)}`;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
