// POST /api/chat and GET /api/chat/:id/stream: the routes of the AI SDK's `useChat`. A chat is a conversation, its newest question is a
// run, and the client's copy of the messages is not believed: what was said is in the log.

import { createHash, randomUUID } from 'node:crypto';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING, type Position } from '@llm-streamer/shared/broker/position.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { type OwnedKey, ownedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AgentDirectory } from '../agents/directory.ts';
import { mayCancelRun, mayReadRun } from '../auth/rights/run-rights.ts';
import { parseId } from '../parameters.ts';
import type { Conversations } from '../runs/conversations.ts';
import type { RateLimiter, RateLimitOptions } from '../runs/rate-limit.ts';
import { fingerprintOf, type RunRequest } from '../runs/run-plan.ts';
import { readHistory } from '../runs/run-reader.ts';
import type { RunService } from '../runs/run-service.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import { sharerOf } from '../sharer-of.ts';
import { checkShape } from '../shippers/json-shape.ts';
import { admitRun, checkLength, idSchema, traceOf } from './begin-run.ts';
import { HttpError } from './errors.ts';
import { jsonScope, parseBody } from './json-body.ts';
import { refuseBody } from './refuse-body.ts';
import type { RunStreams } from './run-stream.ts';
import { UiWire } from './ui-wire.ts';

const part = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  state: z.string().optional(),
  approval: z
    .looseObject({ id: z.string(), approved: z.boolean().optional(), reason: z.string().max(500).nullish() })
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

/** Bytes of a body: the client sends the whole conversation each time. */
const BODY_BYTES = 1_048_576;
const SHAPE = { values: 50_000, members: 1_000, depth: 64 };
/** Messages of the client that are looked at: the newest question is one of them, or its answer the last. */
const NEWEST_MESSAGES = 4;
/** What the part of a run that its client has read takes, while it is read again. */
const READ_BYTES = 16_777_216;
/** The id of an answer: this, and the id of its run. */
const ANSWER = 'a-';

export interface UiChatServices {
  broker: Broker;
  service: RunService;
  conversations: Conversations;
  agents: AgentDirectory;
  streams: RunStreams;
  limiter: RateLimiter;
  limit: RateLimitOptions;
}

export function uiChatRoutes(app: FastifyInstance, services: UiChatServices): void {
  const { broker, service, conversations, agents, streams, limiter, limit } = services;
  jsonScope(app, (scope) => {
    const parseJson = scope.getDefaultJsonParser('error', 'error');
    scope.removeContentTypeParser('application/json');
    scope.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
      // A megabyte of names would hold the event loop for a tenth of a second.
      checkShape(text.toString(), SHAPE)
        .then(() => parseJson(request, text.toString(), done))
        .catch(done);
    });
    scope.post('/api/chat', { bodyLimit: BODY_BYTES, config: { needs: 'run' } }, async (request, reply) => {
      const body = parseBody(bodySchema, request.body, EXAMPLE);
      const newest = messagesOf(body);
      const last = newest.at(-1);
      if (last?.role === 'assistant' && body.trigger === 'submit-message')
        return decide(request, reply, last);
      const asked = newest.findLast(({ role }) => role === 'user');
      return stream(reply, await begin(request, reply, body, asked));
    });
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
    const text = asked?.parts
      .flatMap(({ type, text: words }) => (type === 'text' && words ? [words] : []))
      .join('\n');
    if (!asked || text === undefined || text.trim() === '')
      throw invalidMessages('the last question needs a part with text');
    checkLength(text, 'messages');
    const said = {
      owner: request.principal.owner,
      message: text,
      conversationId: body.id,
      agent: body.agent ?? agents.first,
    };
    const run = await service.start(
      {
        ...said,
        sharer: sharerOf(request.principal, request.ip),
        id: await runIdOf({ ...said, id: asked.id }, body),
        trace: traceOf(request),
      },
      async () => {
        reply.headers(await admitRun(request, limiter, limit));
      },
    );
    request.bodyIsUsed();
    return run;
  }

  /** The same question is the same run; answered anew, or edited under the id that it had, it is another one. */
  async function runIdOf(question: RunRequest, { trigger, messageId }: Body): Promise<string> {
    const { owner, id, message: words } = question;
    if (trigger === 'regenerate-message')
      return anotherRun(id, messageId?.startsWith(ANSWER) ? messageId : undefined);
    // The client names the question, too, when it sends it again without an edit.
    const known = messageId === id ? await service.get(ownedKey(owner, id)) : undefined;
    return known && known.fingerprint !== fingerprintOf(question) ? anotherRun(id, words) : id;
  }

  /** The client has answered what the run asked for, and goes on reading after that. */
  async function decide(request: FastifyRequest, reply: FastifyReply, { id: messageId, parts }: Message) {
    const { access } = request;
    const key = ownedKey(
      access.principal.owner,
      messageId.startsWith(ANSWER) ? messageId.slice(ANSWER.length) : '',
    );
    const isOwn =
      access.allows(mayReadRun, key, 'run_not_found') && access.allows(mayCancelRun, key, 'run_not_found');
    const run = isOwn ? await service.get(key) : undefined;
    if (!run)
      throw new HttpError('run_not_found', 'there is no run of this message, or it is no longer kept');
    const answered = new Set<string>();
    for (const { state, approval } of parts) {
      if (state !== 'approval-responded' || approval?.approved === undefined) continue;
      answered.add(approval.id);
      const known = run.approvals.find(({ id }) => id === approval.id);
      if (!known || known.decision) continue;
      const { approved, reason } = approval;
      await service.decide(run, approval.id, {
        approved,
        by: access.principal.name,
        ...(reason && { reason }),
      });
    }
    request.bodyIsUsed();
    const known = (await service.get(key)) ?? run;
    const wire = wireOf(known, true);
    const at = await request.withRoom(READ_BYTES, async () => {
      const asked = await lastAsked(key, answered);
      for await (const { record } of readHistory(broker, runChannel(key), BEGINNING, asked))
        if (record) wire.skip(record.entry);
      return asked;
    });
    return stream(reply, known, at, wire);
  }

  /** Where the last question is that the client has answered: it has read all up to there. */
  async function lastAsked(key: OwnedKey, answered: ReadonlySet<string>): Promise<Position> {
    let at = BEGINNING;
    for await (const { record } of readHistory(broker, runChannel(key), BEGINNING, await broker.head())) {
      const { event, attrs } = record?.entry ?? {};
      if (record && event === EVENTS.toolAsked && answered.has(String(attrs?.approval))) at = record.n;
    }
    return at;
  }
}

function wireOf({ id, approvals }: RunRecord, isGoingOn = false): UiWire {
  const decided = new Set(approvals.flatMap(({ id: of, decision }) => (decision ? [of] : [])));
  return new UiWire(`${ANSWER}${id}`, decided, isGoingOn);
}

/** @throws HttpError `invalid_body` */
function messagesOf({ messages }: Body): Message[] {
  const parsed = z.array(message).safeParse(messages.slice(-NEWEST_MESSAGES));
  if (!parsed.success) throw invalidMessages('each needs an id, a role and parts');
  return parsed.data;
}

function invalidMessages(rule: string): HttpError {
  return new HttpError('invalid_body', `messages: ${rule}`, { field: 'messages' });
}

/** Another run of the same question. With `cause`, the old answer's id or the new words, the same request is the same run. */
function anotherRun(question: string, cause?: string): string {
  return `${question.slice(0, 100)}.${cause === undefined ? randomUUID().slice(0, 13) : digestOf(cause)}`;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
