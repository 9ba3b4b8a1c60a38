// Reads a model's stream to its end, for tests, with timeouts that a busy machine cannot reach.

import type { LlmError } from '../../src/llm/failure.ts';
import type {
  LlmEvent,
  LlmFinish,
  LlmModel,
  LlmRequest,
  LlmTarget,
  LlmToolCall,
} from '../../src/llm/model.ts';
import type { LlmTimeouts } from '../../src/llm/provider.ts';

/** How long a test waits for something that is certain to come. */
export const PATIENCE_MS = 15_000;

/** The timeout that the model's fault is about is short; all others are never reached. */
export function timeoutsFor(...models: readonly string[]): LlmTimeouts {
  const hangs = models.some((model) => model.startsWith('sim-hang'));
  const stalls = models.includes('sim-stall');
  return { firstContentMs: hangs ? 300 : PATIENCE_MS, chunkMs: stalls ? 500 : PATIENCE_MS };
}

export interface Collected {
  text: string;
  reasoning: string;
  calls: LlmToolCall[];
  finish: LlmFinish | undefined;
  error: LlmError | undefined;
}

export async function collect(
  model: LlmModel,
  request: LlmRequest,
  signal?: AbortSignal,
): Promise<Collected> {
  const collected: Collected = { text: '', reasoning: '', calls: [], finish: undefined, error: undefined };
  const take = (event: LlmEvent) => {
    if (event.type === 'finish') collected.finish = event;
    else if (event.type === 'tool-call') collected.calls.push(event.call);
    else if (event.type === 'retract') {
      collected.reasoning += collected.text;
      collected.text = '';
    } else collected[event.type] += event.text;
  };
  try {
    for await (const event of model.stream(request, signal ?? new AbortController().signal)) take(event);
  } catch (error) {
    collected.error = error as LlmError;
  }
  return collected;
}

export function ask(target: Partial<LlmTarget>, content = 'Explain gravity like I am 5'): LlmRequest {
  return {
    target: { provider: 'simulated', baseUrl: 'http://simulated.invalid/v1', model: 'sim-1', ...target },
    messages: [
      { role: 'system', content: 'You are a careful writer.' },
      { role: 'user', content },
    ],
  };
}
