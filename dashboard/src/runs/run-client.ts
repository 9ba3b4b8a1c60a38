// The gateway's API for runs: starts a run, cancels it, lists the recent ones. A failure rejects with a sentence for
// the reader.

import type { Problem, ProcessRequest, RunSummary, RunsAnswer } from '@llm-streamer/shared/api-types.ts';
import { partsOf, runOfChannel } from '@llm-streamer/shared/ownership.ts';

/** The panel removes this sentence when the stream is live again. */
export const UNREACHABLE = 'the gateway cannot be reached';

/** Resolves with the channel of the run. */
export async function startRun(run: ProcessRequest): Promise<string> {
  // This request ends when the run has started. The answers are read from the run's channel, like any entries.
  const response = await request('api/process', {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'respond-async' },
    body: JSON.stringify(run),
  });
  return ((await response.json()) as RunSummary).channel;
}

export async function cancelRun(channel: string): Promise<void> {
  const key = runOfChannel(channel);
  if (key === undefined) return;
  const { owner, id } = partsOf(key);
  // Without an owner the gateway would look among the runs of who asks; `-` stands for runs that belong to nobody.
  await request(`api/runs/${id}/cancel?owner=${owner || '-'}`, { method: 'POST' });
}

export async function recentRuns(): Promise<RunSummary[]> {
  const response = await request('api/runs?limit=20');
  return ((await response.json()) as RunsAnswer).runs;
}

/**
 * Not `crypto.randomUUID`: browsers offer it to secure origins only, and plain HTTP in a local network is not secure.
 */
export function freshId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `${prefix}-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(new URL(path, document.baseURI), { cache: 'no-store', ...init });
  } catch {
    throw new Error(UNREACHABLE);
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  throw new Error(problem.detail ?? `the gateway answered ${response.status}`);
}
