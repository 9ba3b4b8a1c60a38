// Gateways as processes, and clients that read runs: for whole-product tests.

import { createParser } from 'eventsource-parser';
import { type RunningProcess, startProcess } from '../../../test-support/process.ts';

/** A program may take this long to start where the machine has other work. */
const START_MS = 90_000;

export interface ServedGateway {
  url: string;
  process: RunningProcess;
}

export async function startGateway(env: Record<string, string>): Promise<ServedGateway> {
  const process = startProcess(['gateway/src/main.ts'], {
    env: { PORT: '0', RATE_LIMIT_PER_SECOND: '0', ...env },
  });
  const line = await process.saw(/Server listening at http:\/\/127\.0\.0\.1:\d+/, START_MS);
  return { url: line.replace('Server listening at ', ''), process };
}

export interface RunEvent {
  id: string;
  event: string;
  data: {
    status: string;
    source?: string;
    message?: string;
    code?: string;
    partial?: boolean;
    final?: boolean;
  };
}

/** Starts a run and leaves its stream alone. */
export async function startRun(url: string, id: string, message = `Explain ${id}`): Promise<number> {
  const response = await fetch(`${url}/api/process`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'respond-async' },
    body: JSON.stringify({ message, message_id: id }),
  });
  await response.body?.cancel();
  return response.status;
}

/** Reads a run's stream until it ends, `enough` says so, or the server goes away. */
export async function readRun(
  url: string,
  id: string,
  lastEventId = '',
  enough: (events: RunEvent[]) => boolean = () => false,
): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  const parser = createParser({
    onEvent: ({ id: at = '', event = '', data }) => events.push({ id: at, event, data: JSON.parse(data) }),
  });
  const leave = new AbortController();
  try {
    const headers: Record<string, string> = lastEventId === '' ? {} : { 'last-event-id': lastEventId };
    const response = await fetch(`${url}/api/runs/${id}/stream`, { headers, signal: leave.signal });
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
      if (!enough(events)) continue;
      leave.abort();
      break;
    }
  } catch (error) {
    // A killed gateway breaks its streams off: what came until then counts, and the reader resumes elsewhere.
    if (!(error instanceof TypeError || (error as Error).name === 'AbortError')) throw error;
  }
  return events;
}

/** Reads a run to its end through whatever happens: at the first of `urls`, then at the next with Last-Event-ID. */
export async function readRunThrough(
  urls: readonly string[],
  id: string,
  leaveAfter = Number.POSITIVE_INFINITY,
): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (let turn = 0; turn < 50; turn++) {
    const url = urls[turn % urls.length] as string;
    const piece = await readRun(
      url,
      id,
      events.at(-1)?.id,
      ({ length }) => turn === 0 && length >= leaveAfter,
    );
    events.push(...piece);
    if (events.at(-1)?.data.final) return events;
    if (piece.length === 0) await new Promise((resolve) => setTimeout(resolve, 100)); // as an EventSource would
  }
  throw new Error(`run ${id} did not end: ${JSON.stringify(events.at(-1))}`);
}

/** What each source said, in order. */
export function textOf(events: readonly RunEvent[], source: string): string {
  return events
    .filter(({ data }) => data.source === source && data.status === 'Streaming')
    .map(({ data }) => data.message)
    .join('');
}
