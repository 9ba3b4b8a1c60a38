// The commands of `npm run agents`. `check` says what is wrong with a file, and what its servers offer; `call` calls one tool, as an agent
// would. Neither needs a gateway or a log.

import { parseArgs } from 'node:util';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { readSecret } from '../../config.ts';
import { parseArguments } from '../../llm/tool-calls.ts';
import { readText } from '../../watched-file.ts';
import { parseAgents } from '../agents-file.ts';
import { builtinServers } from '../builtin-servers.ts';
import { missingSecret } from '../config.ts';
import { McpToolbox } from '../mcp-toolbox.ts';
import { modelName } from '../tool-names.ts';
import type { Offer } from '../tool-server.ts';
import type { ToolArguments } from '../toolbox.ts';

const HELP = `npm run agents -- check FILE
    Says what is wrong with an agents file, whether its servers are there, what they offer, with the pin of each tool,
    and which tools are off.
npm run agents -- call FILE TOOL [ARGUMENTS]
    Calls a tool, such as listings__findListings, with arguments in JSON. It does what the tool does, and asks nobody for consent.
`;

/** What a server says could hold orders to the terminal. */
const CONTROLS = /(?![\n\t])[\p{Cc}\p{Bidi_Control}]/gu;
/** A name is a line of its own. */
const NAME_CONTROLS = /[\p{Cc}\p{Bidi_Control}]/gu;

const NO_OFFER: Offer = { digests: new Map(), off: new Map(), others: [] };

export interface CommandStreams {
  out(text: string): void;
  err(text: string): void;
}

/** Returns the exit code: 2 for what was written wrongly, 1 for a file that is not valid, a server or a tool that is not there, or a failed call. */
export async function runAgentsCommand(argv: readonly string[], streams: CommandStreams): Promise<number> {
  try {
    const { positionals, values } = parsed(argv);
    const [command, path, tool, args = '{}'] = positionals;
    if (values.help || command === undefined) {
      streams.out(HELP);
      return values.help ? 0 : 2;
    }
    if (command === 'check' && path !== undefined && positionals.length === 2)
      return await check(path, streams);
    if (command === 'call' && path !== undefined && tool !== undefined && positionals.length <= 4)
      return await call(path, tool, args, streams);
    throw new CodedError('usage', 'use check FILE, or call FILE TOOL [ARGUMENTS]; see --help');
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    streams.err(`agents: ${error.message}\n`);
    return error.code === 'usage' ? 2 : 1;
  }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h', default: false } },
    });
  } catch (error) {
    throw new CodedError('usage', `${(error as Error).message.split('\n')[0]}; see --help`);
  }
}

async function check(path: string, { out, err }: CommandStreams): Promise<number> {
  const { box, agents } = await open(path, err);
  try {
    await box.ready();
    let isWhole = true;
    for (const { name, state, tools } of box.servers()) {
      out(`${name}: ${state}\n`);
      const { digests, off, others } = box.offers().get(name) ?? NO_OFFER;
      for (const tool of tools) out(`  ${modelName(name, tool)}  pin ${digests.get(tool)}\n`);
      for (const [tool, why] of off) out(`  ${modelName(name, tool)}  off: ${why}\n`);
      for (const tool of others) out(`  ${tool.replace(NAME_CONTROLS, '\ufffd')}  not in the file\n`);
      isWhole &&= state === 'up' && off.size === 0;
    }
    for (const { name, tools } of agents) out(`agent ${name}: ${box.tools(tools).length} tools\n`);
    return isWhole ? 0 : 1;
  } finally {
    box.close();
  }
}

async function call(path: string, name: string, args: string, { out, err }: CommandStreams): Promise<number> {
  const given = argumentsOf(args);
  const { box } = await open(path, err);
  try {
    await box.ready();
    const tool = box.tools([name]).find((each) => each.name === name);
    if (tool === undefined)
      throw new CodedError('invalid_agents', `there is no tool ${JSON.stringify(name)}; see check FILE`);
    const context = { principal: 'cli', nonce: crypto.randomUUID(), callId: 'call' };
    const { text, code } = await box.call(tool, given, context, new AbortController().signal);
    out(`${text.replace(CONTROLS, '\ufffd')}\n`);
    if (code !== undefined) err(`agents: ${code}\n`);
    return code === undefined ? 0 : 1;
  } finally {
    box.close();
  }
}

/** @throws CodedError `usage` */
function argumentsOf(text: string): ToolArguments {
  const args = parseArguments(text);
  if (args === undefined)
    throw new CodedError(
      'usage',
      'ARGUMENTS must be a JSON object like {"city":"Portland"}, of at most 16 KiB',
    );
  return args;
}

async function open(path: string, err: CommandStreams['err']) {
  const { servers, agents } = parseAgents(readText(path, 'invalid_agents'));
  const missing = missingSecret(servers, readSecret);
  if (missing !== undefined) throw new CodedError('invalid_config', missing);
  const box = new McpToolbox({
    servers,
    secret: readSecret,
    builtin: builtinServers(() => undefined),
    report: (level, msg) => {
      if (level === 'warn') err(`${msg}\n`);
    },
  });
  return { box, agents };
}
