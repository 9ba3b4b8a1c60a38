// A chat client's answer to what a run has asked for: the decisions are written, and the client goes on reading after the last question
// that it has answered.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING, type Position } from '@llm-streamer/shared/broker/position.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { type OwnedKey, ownedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import type { FastifyRequest } from 'fastify';
import { mayCancelRun, mayReadRun } from '../auth/rights/run-rights.ts';
import { readHistory } from '../runs/run-reader.ts';
import type { RunService } from '../runs/run-service.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import type { ChatWire } from './chat-wire.ts';
import { decisionOf } from './decision.ts';
import { HttpError } from './errors.ts';

/** What the part of a run that its client has read takes, while it is read again. */
const READ_BYTES = 16_777_216;

export interface ConsentAnswer {
  approval: string;
  approved: boolean;
  reason?: string | undefined;
}

export class ChatConsents {
  readonly #broker: Broker;
  readonly #service: RunService;

  constructor(broker: Broker, service: RunService) {
    this.#broker = broker;
    this.#service = service;
  }

  /**
   * Decides what still waits, and resolves with the run as it is then. What the run has never asked, or somebody has decided already, changes
   * nothing. @throws HttpError `run_not_found` also for a run of somebody else
   */
  async decide(request: FastifyRequest, id: string, answers: readonly ConsentAnswer[]): Promise<RunRecord> {
    const { access } = request;
    const key = ownedKey(access.principal.owner, id);
    const isOwn =
      access.allows(mayReadRun, key, 'run_not_found') && access.allows(mayCancelRun, key, 'run_not_found');
    const run = isOwn ? await this.#service.get(key) : undefined;
    if (!run)
      throw new HttpError('run_not_found', 'there is no run of this message, or it is no longer kept');
    for (const { approval, approved, reason } of answers) {
      const known = run.approvals.find(({ id: asked }) => asked === approval);
      if (!known || known.decision) continue;
      await this.#service.decide(run, approval, decisionOf(access.principal, approved, reason));
    }
    return (await this.#service.get(key)) ?? run;
  }

  /** Shows the wire what the client has read, and resolves with the position up to which that is. */
  async skipRead(
    request: FastifyRequest,
    { owner, id }: RunRecord,
    answers: readonly ConsentAnswer[],
    wire: ChatWire,
  ): Promise<Position> {
    const key = ownedKey(owner, id);
    return request.withRoom(READ_BYTES, async () => {
      const asked = await this.#lastAsked(key, new Set(answers.map(({ approval }) => approval)));
      for await (const { record } of readHistory(this.#broker, runChannel(key), BEGINNING, asked))
        if (record) wire.skip(record.entry);
      return asked;
    });
  }

  /** Where the last question is that the client has answered: it has read all up to there. */
  async #lastAsked(key: OwnedKey, answered: ReadonlySet<string>): Promise<Position> {
    const head = await this.#broker.head();
    let at = BEGINNING;
    for await (const { record } of readHistory(this.#broker, runChannel(key), BEGINNING, head)) {
      const { event, attrs } = record?.entry ?? {};
      if (record && event === EVENTS.toolAsked && answered.has(String(attrs?.approval))) at = record.n;
    }
    return at;
  }
}
