// Talks to the gateway about runs: starts one, stops one, lists them. Problems come back as sentences.

/** True only for a while: the link's state tells when it has passed. */
export const UNREACHABLE = 'the gateway cannot be reached';

export interface RunSummary {
  message_id: string;
  conversation_id?: string;
  state: string;
  code?: string;
  models: { source: string; model: string }[];
  /** Epoch ms. */
  started: number;
  duration_ms?: number;
  usage: { input_tokens: number; output_tokens: number };
}

export interface RunWish {
  message: string;
  message_id: string;
  conversation_id?: string;
}

/** Rejects with a sentence for the reader. */
export async function startRun(wish: RunWish): Promise<void> {
  // The answer is read from the run's channel, like any log: this request is done when the run has begun.
  await ask('api/process', {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'respond-async' },
    body: JSON.stringify(wish),
  });
}

export async function cancelRun(id: string): Promise<void> {
  await ask(`api/runs/${id}/cancel`, { method: 'POST' });
}

export async function recentRuns(): Promise<RunSummary[]> {
  const response = await ask('api/runs?limit=20');
  return ((await response.json()) as { runs: RunSummary[] }).runs;
}

/** `crypto.randomUUID` is for secure origins only, and a gateway in a local network is none. */
export function freshId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `${prefix}-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(new URL(path, document.baseURI), init);
  } catch {
    throw new Error(UNREACHABLE);
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { detail?: string };
  throw new Error(problem.detail ?? `the gateway answered ${response.status}`);
}
