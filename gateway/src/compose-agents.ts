// Makes the parts that agents need: what the agents file says, and the tools.

import type { AgentSource } from './agents/agent.ts';
import type { Toolbox } from './tools/toolbox.ts';

export interface AgentParts {
  agents: AgentSource;
  toolbox: Toolbox;
}

/** One agent without tools. */
export function composeAgents(): AgentParts {
  const limits = { steps: 8, calls_per_step: 8, calls: 24, same_call: 3, timeout_ms: 300_000 };
  const system =
    'You are a helpful assistant. Use the tools that you have, never invent ids, and say what you could not find.';
  const current = { agents: [{ name: 'assistant', system, tools: [], limits }], version: 'built-in' };
  return {
    agents: { current },
    toolbox: {
      ready: async () => {},
      tools: () => [],
      servers: () => [],
      call: async () => ({ text: '', bytes: 0, isCut: false, code: 'tool_unknown' }),
    },
  };
}
