// POST /api/ag-ui: the route of AG-UI's `HttpAgent`. A thread is a conversation and a run of the protocol a run; the client's copy of the
// messages is not believed, and neither tools nor state of its own are offered to the agent.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AgUiStream, callIdOf } from '../agents/ag-ui-stream.ts';
import type { AgentDirectory } from '../agents/directory.ts';
import { ID, type Params, parseId, text } from '../parameters.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import { beginRun, idSchema, type RunStartServices } from './begin-run.ts';
import { CHAT_BODY_BYTES, chatScope, invalidMessages, wordsOf } from './chat-body.ts';
import { ChatConsents, type ConsentAnswer } from './chat-consents.ts';
import { ChatWire } from './chat-wire.ts';
import { reasonOf } from './decision.ts';
import { HttpError } from './errors.ts';
import { parseBody } from './json-body.ts';
import type { RunStreams } from './run-stream.ts';

const message = z.looseObject({
  role: z.string(),
  content: z
    .union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))])
    .nullish(),
});
const resumed = z.looseObject({
  interruptId: z.string(),
  status: z.enum(['resolved', 'cancelled']),
  payload: z.unknown().optional(),
});
const consent = z.looseObject({ approved: z.boolean(), reason: z.unknown().optional() });
const bodySchema = z.looseObject({
  threadId: idSchema,
  runId: idSchema,
  messages: z.array(z.unknown()),
  resume: z.array(resumed).max(64).nullish(),
});
const EXAMPLE = '{"threadId":"…","runId":"…","messages":[{"id":"…","role":"user","content":"…"}]}';
type Body = z.output<typeof bodySchema>;

export interface AgUiServices extends RunStartServices {
  broker: Broker;
  agents: AgentDirectory;
  streams: RunStreams;
}

export function agUiRoute(app: FastifyInstance, services: AgUiServices): void {
  const { broker, service, agents, streams } = services;
  const consents = new ChatConsents(broker, service);

  chatScope(app, (scope) => {
    const config = { needs: 'run', parameters: ['agent'] } as const;
    scope.post('/api/ag-ui', { bodyLimit: CHAT_BODY_BYTES, config }, async (request, reply) => {
      const body = parseBody(bodySchema, request.body, EXAMPLE);
      const question = questionOf(body);
      const answers = answersOf(body);
      if (answers === undefined) return begin(request, reply, body, question);
      const run = await consents.decide(request, answers.run, answers.all);
      // Who asks something new has left the question of the run, and answers it only because the protocol demands that.
      if (question !== undefined) return begin(request, reply, body, question);
      request.bodyIsUsed();
      const wire = wireOf(run, body, true);
      return streams.send(reply, run, await consents.skipRead(request, run, answers.all, wire), wire);
    });
  });

  async function begin(
    request: FastifyRequest,
    reply: FastifyReply,
    body: Body,
    question: readonly string[] | undefined,
  ): Promise<FastifyReply> {
    if (!question) throw invalidMessages('the last must be a question, of the role user');
    const agent = text(request.query as Params, 'agent');
    const run = await beginRun(request, reply, services, {
      id: body.runId,
      message: wordsOf(question),
      conversationId: body.threadId,
      agent: agent === undefined ? agents.first : parseId('agent', agent),
    });
    return streams.send(reply, run, BEGINNING, wireOf(run, body));
  }
}

function wireOf(run: RunRecord, { threadId, runId }: Body, isGoingOn = false): ChatWire {
  return new ChatWire(new AgUiStream({ id: run.id, threadId, runId }), run, { isGoingOn });
}

/** The texts of the last message, if it is a question. @throws HttpError `invalid_body` */
function questionOf({ messages }: Body): string[] | undefined {
  if (messages.length === 0) return undefined;
  const last = message.safeParse(messages.at(-1));
  if (!last.success) throw invalidMessages('the last needs a role and content');
  const { role, content } = last.data;
  if (role !== 'user') return undefined;
  if (typeof content === 'string') return [content];
  return content?.flatMap(({ type, text: words }) => (type === 'text' && words ? [words] : [])) ?? [];
}

/** What the client answers, and the run that has asked; undefined if it answers nothing. @throws HttpError `invalid_body` */
function answersOf({ resume }: Body): { run: string; all: ConsentAnswer[] } | undefined {
  if (!resume || resume.length === 0) return undefined;
  const runs = new Set<string>();
  const all = resume.map(({ interruptId, status, payload }) => {
    const at = interruptId.indexOf('/');
    const [run, approval] = [interruptId.slice(0, at), interruptId.slice(at + 1)];
    if (!ID.test(run) || interruptId !== callIdOf(run, approval))
      throw invalidResume('interruptId is not one of a run');
    runs.add(run);
    if (status === 'cancelled') return { approval, approved: false };
    const { data } = consent.safeParse(payload);
    if (!data) throw invalidResume('payload must be {"approved":true} or {"approved":false,"reason":"…"}');
    return { approval, approved: data.approved, reason: reasonOf(data.reason, 'resume') };
  });
  const [run, ...others] = runs;
  if (run === undefined || others.length > 0) throw invalidResume('all must be of one run');
  return { run, all };
}

function invalidResume(rule: string): HttpError {
  return new HttpError('invalid_body', `resume: ${rule}`, { field: 'resume' });
}
