// How the chat names things to its reader.
import { type ToolCallSnapshot, toolWords } from '@llm-streamer/shared/tool-calls.ts';
import { duration } from '../log/time.ts';
import type { Answer } from '../state/answer.ts';

export function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}

/** What an answer does now, or how it has ended. */
export function stateWords({ state, steps, calls, error, limit }: Answer): string {
  if (state === 'finished') return limit === undefined ? 'answered' : `answered early, at a limit (${limit})`;
  if (state !== 'running') return error?.message ?? state;
  const waits = calls.find(isWaiting);
  if (waits) return `${toolWords(waits.tool)} needs your consent`;
  const open = calls.filter((call) => call.state === 'called').map(({ tool }) => toolWords(tool));
  if (open.length > 0) return `calls ${open.join(', ')}`;
  return steps.at(-1)?.text ? 'answers' : 'thinking';
}

/** Whether the call waits for a decision. One that was decided is called, or refused, a moment later. */
export function isWaiting({ state, approval }: ToolCallSnapshot): boolean {
  return state === 'waiting' && approval !== undefined && approval.approved === undefined;
}

/** How long an answer has taken, or takes. */
export function elapsed({ started, ended }: Answer, now: number): string {
  return started === 0 ? '' : duration(Math.max(0, (ended || now) - started));
}
