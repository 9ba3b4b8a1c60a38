// What the log still tells of runs and conversations: a run with its lanes and texts, the turns of a conversation.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { newRun, type RunView, reduceRun } from '@llm-streamer/shared/run.ts';
import { conversationChannel, type Turn, turnOf } from './conversation.ts';
import { runChannel, sumOf, type Usage } from './run-entries.ts';
import { history } from './run-reader.ts';
import type { RunRecord } from './run-store.ts';

const TURNS_READ = 200;

export class RunHistory {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /**
   * Every lane with its text so far. `trimmed` where entries are no longer kept: what is there is then a part.
   * @param plan of the run's record, for the lanes whose beginning is among them.
   */
  async run(id: string, plan: RunRecord['lanes'] = []): Promise<RunView & { trimmed?: true }> {
    let view = newRun(id, plan);
    let trimmed = false;
    for await (const { record, gap } of history(
      this.#broker,
      runChannel(id),
      BEGINNING,
      await this.#broker.position(),
    ))
      if (record) view = reduceRun(view, record.entry);
      else if (gap) trimmed = true;
    return { ...view, ...(trimmed && { trimmed }) };
  }

  /** What a run has used that ended before its time: as its models counted where they did, else estimated. */
  async usage(id: string, plan: RunRecord['lanes']): Promise<Usage> {
    const { lanes } = await this.run(id, plan);
    const answering = lanes.filter(({ firstContent }) => firstContent > 0);
    return sumOf(
      answering.map(({ state, inputTokens, outputTokens }) => {
        return { inputTokens, outputTokens, ...(state !== 'finished' && { estimated: true }) };
      }),
    );
  }

  /** The newest turns, oldest first. */
  async conversation(id: string): Promise<Turn[]> {
    const page = await this.#broker.read({
      channels: [conversationChannel(id)],
      after: BEGINNING,
      limit: TURNS_READ,
      reverse: true,
    });
    return page.items.flatMap(({ record }) => (record && turnOf(record.entry)) ?? []).reverse();
  }
}
