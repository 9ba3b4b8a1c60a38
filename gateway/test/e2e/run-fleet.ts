// For tests of the whole product: gateways as processes, and clients that read runs.

import { createParser } from 'eventsource-parser';
import { type RunningProcess, startProcess } from '../../../test-support/process.ts';

/** How long a program may take to start on a busy machine. */
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
    unverified?: string[];
  };
}

/** Starts a run without reading its stream. */
export async function startRun(url: string, id: string, message = `Explain ${id}`): Promise<number> {
  const response = await fetch(`${url}/api/process`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'respond-async' },
    body: JSON.stringify({ message, message_id: id }),
  });
  await response.body?.cancel();
  return response.status;
}

/** Reads a run's stream until it ends, `enough` returns true, or the server goes away. */
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
    // A killed gateway ends its streams abruptly. The frames until then count, and the reader resumes on another gateway.
    if (!(error instanceof TypeError || (error as Error).name === 'AbortError')) throw error;
  }
  return events;
}

/** Reads a run to its end: at the first of `urls`, and whenever the stream breaks, at the next one with Last-Event-ID. */
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

/** The text of each source, in order. */
export function textOf(events: readonly RunEvent[], source: string): string {
  return events
    .filter(({ data }) => data.source === source && data.status === 'Streaming')
    .map(({ data }) => data.message)
    .join('');
}
