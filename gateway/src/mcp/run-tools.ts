// get_run and start_run: what GET /api/runs/:id says of a run, and the beginning of one as POST /api/process or an agent's chat begins it.

import { randomUUID } from 'node:crypto';
import { ownedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import type { LaneSnapshot } from '@llm-streamer/shared/run.ts';
import { type ToolCallSnapshot, unverifiedOf } from '@llm-streamer/shared/tool-calls.ts';
import type { CallToolResult } from '@modelcontextprotocol/server';
import { type Params, text } from '../parameters.ts';
import type { RunHistory } from '../runs/run-history.ts';
import { type RunRecord, waitingOf } from '../runs/store/run-store.ts';
import { answer, fitting } from './answer.ts';
import type { Caller } from './caller.ts';
import { timeText } from './entry-line.ts';
import { pageLink } from './page-link.ts';
import { plainText } from './plain-text.ts';

/** What GET /api/runs/:id may take. */
const RUN_BYTES = 16_777_216;
/** Characters of the texts of all lanes together. */
const MAX_TEXTS = 16_000;
/** Of the result of a call. */
const MAX_RESULT = 1_000;
const MAX_ARGUMENTS = 300;
const MAX_LABEL = 60;
const MAX_ERROR = 200;

/** @throws CodedError `run_not_found` */
export async function getRun(history: RunHistory, args: Params, caller: Caller): Promise<CallToolResult> {
  const [id, owner] = [text(args, 'id') ?? '', text(args, 'owner')];
  const run = await caller.run(id, owner);
  const key = ownedKey(run.owner, run.id);
  const { lanes, calls, trimmed, cut } = await caller.withRoom(RUN_BYTES, () => history.run(key, run.lanes));
  await caller.confirmRights();
  await caller.run(id, owner); // again, since he may have lost the right to it
  const most = Math.floor(MAX_TEXTS / Math.max(1, lanes.length));
  const all = [...lanes.map((lane) => laneLine(lane, run, most)), ...calls.map(callLine)];
  const lines = fitting(all);
  const isIncomplete = trimmed || cut || lines.length < all.length;
  const waiting = waitingOf(run);
  const unverified = run.state === 'running' ? [] : unverifiedOf(calls);
  return answer(headOf(run), lines, [
    ...(waiting.length > 0 ? [`It waits for the consent of its owner: ${waiting.join(', ')}.`] : []),
    ...(unverified.length > 0 ? [unverifiedLine(unverified)] : []),
    ...(isIncomplete ? ['The texts are not complete.'] : []),
    `Its entries are on the channel ${runChannel(key)}; search_entries and wait_for_entries read it.`,
    `On the page: ${pageLink(caller.page, { channels: [runChannel(key)] })}`,
  ]);
}

/** @throws CodedError as POST /api/process and POST /agents/chat do */
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

function unverifiedLine(calls: readonly string[]): string {
  const named = calls.map((call) => plainText(call, MAX_LABEL)).join(', ');
  return `It ended while calls went on, of which nobody knows whether they have done what they were asked: ${named}.`;
}

function headOf({ id, state, code, started, ended, totals, lanes, agent }: RunRecord): string {
  const { inputTokens, outputTokens, durationMs } = totals;
  const end = ended > 0 ? `, ended after ${Math.round(durationMs)} ms` : '';
  const why = code === undefined ? '' : ` (${code})`;
  const used = state === 'running' ? '' : `; ${inputTokens} tokens in, ${outputTokens} out`;
  // An agent calls its model as often as it needs to.
  const models = agent === undefined ? `${lanes.length} models` : `agent ${agent}`;
  return `Run ${id}: ${state}${why}, ${models}, started ${timeText(started)}${end}${used}.`;
}

/** A line such as `call-1 listings__findListings returned after 12 ms {"city":"Portland"}: [{"listingId":"L001"}]`. */
function callLine({ id, tool, state, args, duration_s = 0, code, result }: ToolCallSnapshot): string {
  const names = [id, tool].map((name) => plainText(name, MAX_LABEL)).join(' ');
  const after = result === undefined ? '' : ` after ${Math.round(duration_s * 1_000)} ms`;
  const why = code === undefined ? '' : ` (${plainText(code, MAX_LABEL)})`;
  const given = args === undefined ? '' : ` ${plainText(JSON.stringify(args), MAX_ARGUMENTS)}`;
  const said = result === undefined ? '' : `: ${plainText(result, MAX_RESULT)}`;
  return `${names} ${state}${after}${why}${given}${said}`;
}

function laneLine(
  { lane, role, provider, model, state, text: said, error }: LaneSnapshot,
  run: RunRecord,
  most: number,
): string {
  const names = [lane, role, `${provider}/${model}`].map((name) => plainText(name, MAX_LABEL)).join(' ');
  const failed = error === undefined ? '' : ` ${error.code}: ${plainText(error.message, MAX_ERROR)}`;
  // The last answer of an agent's model may have finished, and the run was cancelled in the call that it asked for.
  const become = role === 'agent' ? run.state : state;
  return `${names} ${become}${failed}: ${plainText(said, most)}`;
}
