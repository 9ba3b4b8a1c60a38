// A conversation as lines of JSON: what was said, and which tools were called for it. It is read page by page, so that it takes no more
// memory than a page, however long the conversation is. The last line says that nothing is missing behind it.

import type { Conversation, ExportLine } from '@llm-streamer/shared/api-types.ts';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING, type Position } from '@llm-streamer/shared/broker/position.ts';
import {
  conversationChannel,
  type OwnedKey,
  ownedKey,
  partsOf,
  runChannel,
} from '@llm-streamer/shared/ownership.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { reduceCalls, type ToolCallSnapshot } from '@llm-streamer/shared/tool-calls.ts';
import { Branch } from './branch.ts';
import { type Turn, turnOf } from './conversation.ts';
import { runCall } from './run-call.ts';
import { readHistory } from './run-reader.ts';

/** Shared by all exports. */
const pace = new TimeSlicer();

/** A turn as HTTP clients are told of it. */
export function turnTold({
  role,
  text: message,
  run: message_id,
  time,
  state,
}: Turn): Conversation['turns'][number] {
  return { role, message, message_id, time, ...(state !== undefined && { state }) };
}

/** The calls of a run stand between its question and its answer, or behind a question that got none. */
export async function* exportOf(broker: Broker, key: OwnedKey): AsyncGenerator<ExportLine, void, undefined> {
  const { owner } = partsOf(key);
  const upTo = await broker.head();
  const kept = await runsOf(broker, key, upTo);
  const count = { turns: 0, calls: 0 };
  for await (const { record, gap } of readHistory(broker, conversationChannel(key), BEGINNING, upTo)) {
    if (gap) yield { kind: 'trimmed' };
    const turn = record && turnOf(record.entry);
    if (!turn || !kept.has(turn.run)) continue;
    const { run: message_id, role, state } = turn;
    count.turns++;
    if (role === 'user') yield { kind: 'turn', ...turnTold(turn) };
    if (role === 'assistant' || state !== undefined)
      for await (const call of callsOf(broker, ownedKey(owner, message_id))) {
        count.calls++;
        yield { kind: 'call', message_id, ...runCall(call) };
      }
    if (role === 'assistant') yield { kind: 'turn', ...turnTold(turn) };
  }
  yield { kind: 'end', ...count };
}

/** The runs whose turns are part of the conversation now. */
async function runsOf(broker: Broker, key: OwnedKey, upTo: Position): Promise<ReadonlySet<string>> {
  const branch = new Branch();
  for await (const { record } of readHistory(broker, conversationChannel(key), BEGINNING, upTo)) {
    const pause = pace.pauseIfDue();
    if (pause) await pause;
    if (record) branch.take({ ...record.entry, msg: '' });
  }
  return new Set(branch.turns.map(({ run }) => run));
}

/** Each call as soon as it has its result, and at the end those that have none. */
async function* callsOf(broker: Broker, run: OwnedKey): AsyncGenerator<ToolCallSnapshot, void, undefined> {
  let open: readonly ToolCallSnapshot[] = [];
  for await (const { record } of readHistory(broker, runChannel(run), BEGINNING, await broker.head())) {
    const pause = pace.pauseIfDue();
    if (pause) await pause;
    if (!record) continue;
    open = reduceCalls(open, record.entry);
    for (const call of open) if (call.result !== undefined) yield call;
    open = open.filter(({ result }) => result === undefined);
  }
  yield* open;
}
