// Makes the agents file and the toolbox of its servers from the configuration. Nothing is asked, and no MCP code is loaded, before an agent
// is there that wants its tools.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';
import { type Config, readSecret } from './config.ts';
import type { Targets } from './runs/config.ts';
import { type AgentsContent, AgentsFile, type AgentsOptions } from './tools/agents-file.ts';
import { builtinServers } from './tools/builtin-servers.ts';
import { missingSecret } from './tools/config.ts';
import { McpToolbox } from './tools/mcp-toolbox.ts';
import type { Report } from './tools/tool-server.ts';
import type { Toolbox } from './tools/toolbox.ts';

/** Where the built-in example writes what it would mail. */
const REPORTS_CHANNEL = 'events:real-estate';
/** Time for the last of them to reach the log. */
const FLUSH_MS = 1_000;

export interface Tools {
  agents: AgentsFile;
  toolbox: Toolbox;
  close(): Promise<void>;
}

/** @throws CodedError `invalid_config` if the agents file is not valid, or names a secret that is not set. */
export function composeTools(
  config: Config,
  broker: Broker,
  logger: Logger,
  targets: Targets,
  tell: Report,
): Tools {
  const reports = new Publisher(broker, { source: 'listings', logger });
  const report: Report = (level, msg) => {
    logger[level](msg);
    tell(level, msg);
  };
  // A gateway without a model for its agents is still good for all else.
  const warnOfModels = (set: AgentsContent) => {
    const complaint = targets.complaint(set.agents);
    if (complaint !== undefined) logger.warn(`AGENTS_FILE: ${complaint}`);
  };
  const options: AgentsOptions = {
    path: config.AGENTS_FILE,
    check: ({ servers }) => missingSecret(servers, readSecret),
    onChange: (set) => {
      logger.info({ version: set.version }, 'agents changed');
      warnOfModels(set);
      toolbox.update(set.servers);
    },
    onBroken: (reason) => report('warn', `AGENTS_FILE: ${reason}; the last good agents stay in use`),
  };
  const agents = open(options);
  warnOfModels(agents.current);
  const toolbox = new McpToolbox({
    servers: agents.current.servers,
    secret: readSecret,
    builtin: builtinServers((listings) =>
      reports.enqueue(
        draft(
          {
            time: Date.now(),
            channel: REPORTS_CHANNEL,
            source: 'listings',
            level: 'info',
            event: 'report.sent',
            msg: `a report of ${listings.length} listings was sent`,
            attrs: { listings },
          },
          config.ENTRY_BYTES,
        ),
      ),
    ),
    report,
  });
  return {
    agents,
    toolbox,
    close: async () => {
      agents.close();
      toolbox.close();
      await reports.close(FLUSH_MS);
    },
  };
}

function open(options: AgentsOptions): AgentsFile {
  try {
    return new AgentsFile(options);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new CodedError('invalid_config', `AGENTS_FILE ${options.path}: ${error.message}`);
  }
}
