// get_run and start_run: what GET /api/runs/:id says of a run, and the beginning of POST /api/process.

import { randomUUID } from 'node:crypto';
import { ownedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import type { LaneSnapshot } from '@llm-streamer/shared/run.ts';
import type { CallToolResult } from '@modelcontextprotocol/server';
import { type Params, text } from '../parameters.ts';
import type { RunHistory } from '../runs/run-history.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import { answer, fitting } from './answer.ts';
import type { Caller } from './caller.ts';
import { timeText } from './entry-line.ts';
import { pageLink } from './page-link.ts';
import { plainText } from './plain-text.ts';

/** What GET /api/runs/:id may take. */
const RUN_BYTES = 16_777_216;
/** Characters of the texts of all lanes together. */
const MAX_TEXTS = 16_000;
const MAX_LABEL = 60;
const MAX_ERROR = 200;

/** @throws CodedError `run_not_found` */
export async function getRun(history: RunHistory, args: Params, caller: Caller): Promise<CallToolResult> {
  const [id, owner] = [text(args, 'id') ?? '', text(args, 'owner')];
  const run = await caller.run(id, owner);
  const key = ownedKey(run.owner, run.id);
  const { lanes, trimmed, cut } = await caller.withRoom(RUN_BYTES, () => history.run(key, run.lanes));
  await caller.confirmRights();
  await caller.run(id, owner); // again, since he may have lost the right to it
  const most = Math.floor(MAX_TEXTS / Math.max(1, lanes.length));
  const lines = fitting(lanes.map((lane) => laneLine(lane, most)));
  const isIncomplete = trimmed || cut || lines.length < lanes.length;
  return answer(headOf(run), lines, [
    ...(isIncomplete ? ['The texts are not complete.'] : []),
    `Its entries are on the channel ${runChannel(key)}; search_entries and wait_for_entries read it.`,
    `On the page: ${pageLink(caller.page, { channels: [runChannel(key)] })}`,
  ]);
}

/** @throws CodedError as POST /api/process does */
export async function startRun(args: Params, caller: Caller): Promise<CallToolResult> {
  caller.access.checkRun();
  const run = await caller.startRun({ message_id: `mcp-${randomUUID()}`, ...args });
  const channel = runChannel(ownedKey(run.owner, run.id));
  return answer(
    headOf(run),
    [],
    [
      `get_run with id="${run.id}" says what has come of it.`,
      `On the page: ${pageLink(caller.page, { channels: [channel] })}`,
    ],
  );
}

function headOf({ id, state, code, started, ended, totals, lanes }: RunRecord): string {
  const { inputTokens, outputTokens, durationMs } = totals;
  const end = ended > 0 ? `, ended after ${Math.round(durationMs)} ms` : '';
  const why = code === undefined ? '' : ` (${code})`;
  const used = `${inputTokens} tokens in, ${outputTokens} out`;
  return `Run ${id}: ${state}${why}, started ${timeText(started)}${end}; ${used}; ${lanes.length} model calls.`;
}

function laneLine(
  { lane, role, provider, model, state, text: said, error }: LaneSnapshot,
  most: number,
): string {
  const names = [lane, role, `${provider}/${model}`].map((name) => plainText(name, MAX_LABEL)).join(' ');
  const failed = error === undefined ? '' : ` ${error.code}: ${plainText(error.message, MAX_ERROR)}`;
  return `${names} ${state}${failed}: ${plainText(said, most)}`;
}
