// Starts the simulated models as a service of their own, as fast or slow as a test needs, with real HTTP between gateway and model.
import { type RunningProcess, startProcess } from './process.ts';

/** How long a program may take to start on a busy machine. */
const START_MS = 90_000;

export interface SimulatorProcess {
  baseUrl: string;
  process: RunningProcess;
}

/** `args` are those of `npm run sim-llm`, without the port. */
export async function startSimulator(...args: string[]): Promise<SimulatorProcess> {
  const process = startProcess(['gateway/src/llm/simulator/simulator-main.ts', '--port', '0', ...args]);
  const line = await process.saw(/LLM_BASE_URL=\S+/, START_MS);
  return { baseUrl: line.replace('LLM_BASE_URL=', ''), process };
}

/** The variables of a gateway that takes its models from this service. */
export function servedBy({ baseUrl }: SimulatorProcess): Record<string, string> {
  return { USE_LLM_MOCK: 'false', LLM_BASE_URL: baseUrl, LLM_MODEL: 'sim-1' };
}
