// Tells which agents there are now, what they may call, and how the servers of their tools are.

import type { AgentsAnswer } from '@llm-streamer/shared/api-types.ts';
import type { Targets } from '../runs/config.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import type { AgentSource } from './agent.ts';

export class AgentDirectory {
  readonly #source: AgentSource;
  readonly #toolbox: Toolbox;
  readonly #targets: Targets;

  constructor(source: AgentSource, toolbox: Toolbox, targets: Targets) {
    this.#source = source;
    this.#toolbox = toolbox;
    this.#targets = targets;
  }

  /** The agent that answers where nobody names another. */
  get first(): string {
    return this.#source.current.agents[0]?.name ?? '';
  }

  async list(): Promise<AgentsAnswer> {
    await this.#toolbox.ready();
    const { agents, version } = this.#source.current;
    return {
      agents: agents.map((agent) => {
        const { provider, model } = this.#targets.of(agent);
        const tools = this.#toolbox
          .tools(agent.tools)
          .map(({ name, description, approval }) => ({ name, description, approval }));
        return { name: agent.name, provider, model, tools };
      }),
      servers: this.#toolbox.servers().map(({ name, state, since, tools, drifted }) => {
        return { name, state, since, tools, drifted };
      }),
      version,
    };
  }
}
