// The agents file: the agents, the servers that have tools for them, and the rule of each tool. A tool that is not in it does not exist.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { AgentSet } from '../agents/agent.ts';
import { object, parseFile } from '../runs/json-file.ts';
import { laneShape, variable } from '../runs/prompts.ts';
import { baseUrl, number } from '../runs/rules.ts';
import { WatchedFile, type WatchedFileOptions } from '../watched-file.ts';
import { matches, modelName } from './tool-names.ts';

const MAX_SERVERS = 16;
export const MAX_TOOLS = 64;
const MAX_AGENTS = 32;
const DEFAULT_TIMEOUT_MS = 10_000;

/** The servers that come with the gateway, from examples/real-estate. */
export const BUILTINS = ['listings', 'analytics'] as const;
export type BuiltinName = (typeof BUILTINS)[number];

// `__` stands between server and tool in the names that models see, so no server's name may hold it or run into it.
const SERVER_RULE = 'must be named by 1 to 40 of a-z 0-9 - _, without __ and without _ at the end';
const serverName = z.string().regex(/^[a-z0-9](?:[a-z0-9-]|_(?=[a-z0-9-])){0,39}$/, SERVER_RULE);
const SERVERS_RULE = `must be an object of at most ${MAX_SERVERS} servers by their names`;
const TOOLS_RULE = `must be an object of 1 to ${MAX_TOOLS} tools by the names that the server gives them`;
const APPROVAL_RULE = 'must be never, always or once_per_run';
const PIN_RULE = 'must be the 16 hex digits that npm run agents -- check prints';
const PATTERNS_RULE = `must be a list of at most ${MAX_TOOLS} names of tools, like listings__findListings or listings__*`;
const AGENTS_RULE = `must be a list of 1 to ${MAX_AGENTS} agents`;
const BOOLEAN_RULE = 'must be true or false';

const flag = z.boolean(BOOLEAN_RULE).default(false);
const timeout = number('a whole number', 100, 600_000);

const toolRule = object(
  {
    /** By default `never` for what only reads, and `always` for all else. */
    approval: z.enum(['never', 'always', 'once_per_run'], APPROVAL_RULE).optional(),
    /** That it changes nothing. The operator says so; what a server says of its own tools grants nothing. */
    read_only: flag,
    /** That its results may hold what strangers wrote. */
    untrusted: flag,
    /** That it may be called a second time if no connection was made. */
    retry: flag,
    timeout_ms: timeout.optional(),
    /** What its definition was when it was looked at. With another one it is off. */
    pin: z
      .string(PIN_RULE)
      .regex(/^[0-9a-f]{16}$/, PIN_RULE)
      .optional(),
  },
  'must be an object, {} at least',
).transform(({ approval, ...rule }) => ({
  ...rule,
  approval: approval ?? (rule.read_only ? 'never' : 'always'),
}));

const server = object(
  {
    url: baseUrl('token_env').optional(),
    builtin: z.enum(BUILTINS, `must be one of ${BUILTINS.join(', ')}`).optional(),
    /** The name of the environment variable with the secret. Secrets do not belong in this file. */
    token_env: variable.optional(),
    /** `bearer` sends the secret as it is; with `jwt` it signs a token for each call. */
    token: z.enum(['bearer', 'jwt'], 'must be bearer or jwt').default('bearer'),
    timeout_ms: timeout.default(DEFAULT_TIMEOUT_MS),
    tools: z
      .record(z.string().min(1).max(128), toolRule, { error: TOOLS_RULE })
      .transform((tools) => new Map(Object.entries(tools)))
      .refine(({ size }) => size >= 1 && size <= MAX_TOOLS, TOOLS_RULE),
  },
  'must be an object with tools, and with url or builtin',
)
  .refine(
    ({ url, builtin }) => (url === undefined) !== (builtin === undefined),
    'needs either url or builtin',
  )
  .refine(({ builtin, token_env }) => builtin === undefined || token_env === undefined, {
    error: 'is not for a builtin server, which has no address',
    path: ['token_env'],
  })
  .refine(({ token, token_env }) => token === 'bearer' || token_env !== undefined, {
    error: 'needs token_env with the secret that signs',
    path: ['token'],
  });

const limits = object(
  {
    /** Calls of the model that may ask for tools. */
    steps: number('a whole number', 1, 32).default(8),
    calls_per_step: number('a whole number', 1, 32).default(8),
    calls: number('a whole number', 1, 256).default(24),
    /** How often the same tool may be called with the same arguments. */
    same_call: number('a whole number', 1, 32).default(3),
    /** Milliseconds of work; waiting for an approval does not count. */
    timeout_ms: number('a whole number', 1_000, 3_600_000).default(300_000),
  },
  'must be an object with some of steps, calls_per_step, calls, same_call, timeout_ms',
);

const agent = object(
  {
    ...laneShape,
    /** Names of tools as models see them, or beginnings of names that end in `*`. */
    tools: z
      .array(z.string(PATTERNS_RULE).regex(/^[A-Za-z0-9_-]{0,64}\*?$/, PATTERNS_RULE), PATTERNS_RULE)
      .max(MAX_TOOLS, PATTERNS_RULE)
      .default([]),
    limits: limits.prefault({}),
  },
  'must be an object with name and system',
);

const agentsFile = object(
  {
    servers: z
      .record(serverName, server, {
        error: (issue) => (issue.code === 'invalid_key' ? SERVER_RULE : SERVERS_RULE),
      })
      .transform((servers) => new Map(Object.entries(servers)))
      .refine(({ size }) => size <= MAX_SERVERS, SERVERS_RULE)
      .prefault({}),
    agents: z.array(agent, AGENTS_RULE).min(1, AGENTS_RULE).max(MAX_AGENTS, AGENTS_RULE),
  },
  'must be an object with servers and agents',
)
  .refine(
    ({ agents }) => new Set(agents.map(({ name }) => name)).size === agents.length,
    'every agent needs a name of its own',
  )
  .check(({ value: { servers, agents }, issues }) => {
    if (!(servers instanceof Map)) return; // it has been complained of already
    const names = [...servers].flatMap(([name, { tools }]) =>
      [...tools.keys()].map((tool) => modelName(name, tool)),
    );
    agents.forEach(({ tools }, i) => {
      const lost = tools.findIndex((pattern) => !names.some((name) => matches(pattern, name)));
      if (lost < 0) return;
      issues.push({
        code: 'custom',
        input: tools[lost],
        path: ['agents', i, 'tools', lost],
        message: 'names no tool of a server of this file',
      });
    });
  });

export type ToolRule = Readonly<z.output<typeof toolRule>>;
export type ServerSettings = Readonly<z.output<typeof server>>;

export type Servers = ReadonlyMap<string, ServerSettings>;

export interface AgentsContent extends AgentSet {
  readonly servers: Servers;
}

/** Parses the file's text. @throws CodedError `invalid_agents` that names the place. */
export function parseAgents(text: string): AgentsContent {
  const { servers, agents } = parseFile(text, agentsFile, 'invalid_agents');
  const content = JSON.stringify([
    [...servers].map(([name, settings]) => [name, { ...settings, tools: [...settings.tools] }]),
    agents,
  ]);
  const version = createHash('sha256').update(content).digest('hex').slice(0, 12);
  return Object.freeze({ servers, agents, version });
}

export type AgentsOptions = Omit<WatchedFileOptions<AgentsContent>, 'parse' | 'code' | 'lastGood'>;

export class AgentsFile extends WatchedFile<AgentsContent> {
  /** @throws CodedError `invalid_agents` if the file is not valid, `invalid_config` if `check` finds something wrong. */
  constructor(options: AgentsOptions) {
    super({ ...options, code: 'invalid_agents', parse: parseAgents });
  }
}
