// Reads runs and conversations from the log: a run with its lanes and texts, and the turns of a conversation.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING, type Position } from '@llm-streamer/shared/broker/position.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { conversationChannel, type OwnedKey, partsOf, runChannel } from '@llm-streamer/shared/ownership.ts';
import { type LaneInfo, newRun, type RunSnapshot, reduceRun } from '@llm-streamer/shared/run.ts';
import { reduceCalls, type ToolCallSnapshot, unverifiedOf } from '@llm-streamer/shared/tool-calls.ts';
import type { Left } from './abnormal-end.ts';
import { Branch } from './branch.ts';
import { type Turn, turnOf } from './conversation.ts';
import { readHistory } from './run-reader.ts';
import { type Usage, usedBy } from './usage.ts';

const TURNS_READ = 200;
/** About how many bytes of a conversation's turns are read. */
const CONVERSATION_BYTES = 2_097_152;
/** The most UTF-16 units of all texts of a run together. */
const RUN_TEXT = 2_097_152;

export class RunHistory {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /**
   * Every lane with its text so far. The texts are incomplete if entries are no longer kept (`trimmed`), or if the texts are
   * longer than the bound (`cut`).
   * @param lanes of the run's record: the entry that names them may no longer be kept.
   */
  async run(
    key: OwnedKey,
    lanes: readonly LaneInfo[] = [],
  ): Promise<
    RunSnapshot & { calls: readonly ToolCallSnapshot[]; question?: Turn; trimmed?: true; cut?: true }
  > {
    let left = RUN_TEXT;
    let cut = false;
    let view = newRun(partsOf(key).id, lanes);
    let calls: readonly ToolCallSnapshot[] = [];
    let question: Turn | undefined;
    let trimmed = false;
    for await (const { record, gap } of readHistory(
      this.#broker,
      runChannel(key),
      BEGINNING,
      await this.#broker.head(),
    ))
      if (record) {
        const { entry } = record;
        const isText = entry.event === EVENTS.generationDelta || entry.event === EVENTS.toolReturned;
        left -= isText ? entry.msg.length : 0;
        cut ||= left < 0;
        // What went wrong is said in any case: only the texts of answers and results have no end of their own.
        const kept = cut && isText ? { ...entry, msg: '' } : entry;
        view = reduceRun(view, kept);
        calls = reduceCalls(calls, kept);
        question ??= turnOf(entry);
      } else if (gap) trimmed = true;
    return {
      ...view,
      calls,
      ...(question && { question }),
      ...(trimmed && { trimmed }),
      ...(cut && { cut }),
    };
  }

  /**
   * What a run that ended early leaves: its tokens, counted by the model for lanes that finished and estimated for the others; the calls
   * of tools whose effect nobody knows; and what an agent was asked.
   */
  async left(key: OwnedKey, infos: readonly LaneInfo[]): Promise<Left & { usage: Usage }> {
    const { lanes, calls, question } = await this.run(key, infos);
    return { usage: usedBy(lanes), unverified: unverifiedOf(calls), ...(question && { question }) };
  }

  /** The newest turns, of at most `max` entries, the oldest of them first. `trimmed` if there are earlier ones. */
  async conversation(key: OwnedKey, max = TURNS_READ): Promise<Pick<Branch, 'turns'> & { trimmed?: true }> {
    const { branch, trimmed } = await this.branch(key, max);
    return { turns: branch.turns, ...(trimmed && { trimmed }) };
  }

  /** The same, with the places of those that were replaced. */
  async branch(key: OwnedKey, max = TURNS_READ): Promise<{ branch: Branch; trimmed: boolean }> {
    const channels = [conversationChannel(key)];
    const newest: Entry[] = [];
    let upTo: Position | undefined;
    let [read, bytes, done] = [0, 0, false];
    while (!done && read < max && bytes < CONVERSATION_BYTES) {
      const bound = upTo !== undefined && { upTo };
      const limit = max - read;
      const page = await this.#broker.readPage({
        channels,
        after: BEGINNING,
        ...bound,
        limit,
        reverse: true,
      });
      for (const { record } of page.items) {
        if (record) newest.push(record.entry);
        bytes += record?.data.length ?? 0;
        read++;
      }
      upTo = page.next;
      done = page.done;
    }
    const branch = new Branch();
    for (const entry of newest.reverse()) branch.take(entry);
    return { branch, trimmed: !done };
  }
}
