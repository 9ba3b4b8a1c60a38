// `npm run docs` writes the pages of docs/ that are made from the code: the configuration, from the schemas of the variables, and the
// error codes, from their tables. gateway/test/docs.test.ts fails if a page does not say what the code says.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type About, brokerVariables, retentionVariables } from '@llm-streamer/shared/config.ts';
import type { z } from 'zod';
import { CALL_ERRORS } from '../gateway/src/agents/call-errors.ts';
import { agentVariables } from '../gateway/src/agents/config.ts';
import { authVariables } from '../gateway/src/auth/config.ts';
import { authStoreVariables } from '../gateway/src/auth/store/config.ts';
import { jwtVariables, oidcVariables, proxyVariables } from '../gateway/src/auth/ways-config.ts';
import { serverVariables, streamVariables } from '../gateway/src/config.ts';
import { doorVariables } from '../gateway/src/door/config.ts';
import { ERRORS } from '../gateway/src/http/errors.ts';
import { SENTENCES } from '../gateway/src/llm/failure.ts';
import { FAULTS } from '../gateway/src/llm/simulator/simulator-faults.ts';
import { mcpVariables } from '../gateway/src/mcp/config.ts';
import { otlpVariables } from '../gateway/src/otlp/config.ts';
import { rulesVariables } from '../gateway/src/rules/config.ts';
import { runVariables } from '../gateway/src/runs/config.ts';
import { RUN_ERRORS } from '../gateway/src/runs/run-errors.ts';
import { CLOSE_REASONS } from '../gateway/src/stream/viewer/connections.ts';
import { toolVariables } from '../gateway/src/tools/config.ts';
import { tracingVariables } from '../gateway/src/tracing/config.ts';
import { producerVariables } from '../producer/src/config.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

type Variables = Readonly<Record<string, z.ZodType>>;

/** The sections of the page, each with the variables that are explained there. */
const SECTIONS: readonly { title: string; text: string; variables: Variables }[] = [
  {
    title: 'The log',
    text: 'Gateways and producers read these.',
    variables: brokerVariables,
  },
  {
    title: 'What the log keeps',
    text: 'Gateways and producers read these. Each write trims its channel, so all that write to one log must agree.',
    variables: retentionVariables,
  },
  { title: 'The server', text: 'The gateway reads these.', variables: serverVariables },
  {
    title: 'Who may come',
    text: 'The gateway reads these.',
    variables: { ...authVariables, ...authStoreVariables },
  },
  {
    title: 'Tokens of an issuer',
    text: 'The gateway reads these; see [tokens of an issuer](http-api.md#tokens-of-an-issuer).',
    variables: jwtVariables,
  },
  {
    title: 'Sign-in with an identity provider',
    text: 'The gateway reads these; see [the route](http-api.md#get-authoidc).',
    variables: oidcVariables,
  },
  {
    title: 'A proxy that signs people in',
    text: 'The gateway reads these; see [headers of a proxy](http-api.md#headers-of-a-proxy).',
    variables: proxyVariables,
  },
  { title: 'Streams', text: 'The gateway reads these.', variables: streamVariables },
  { title: 'Runs and models', text: 'The gateway reads these.', variables: runVariables },
  {
    title: 'Agents and tools',
    text: 'The gateway reads these, and the variables that the file names with `token_env` and `key_env`; see [agents](agents.md) and [tools](tools.md).',
    variables: { ...toolVariables, ...agentVariables },
  },
  {
    title: 'OpenTelemetry',
    text: 'The gateway reads these; see [OpenTelemetry](otlp.md). `LOG_CONTENT` counts here, too.',
    variables: otlpVariables,
  },
  {
    title: 'Tracing',
    text: 'The gateway reads these; see [tracing the gateway itself](otlp.md#tracing-the-gateway-itself), which also names those that the exporter reads.',
    variables: tracingVariables,
  },
  {
    title: 'Rules and alerts',
    text: 'The gateway reads this; see [alerts](alerts.md).',
    variables: rulesVariables,
  },
  {
    title: 'OpenAI clients',
    text: 'The gateway reads these; see [OpenAI clients](openai.md). Calls without an upstream of their own go to `LLM_BASE_URL`.',
    variables: doorVariables,
  },
  { title: 'MCP', text: 'The gateway reads these; see [MCP](mcp.md).', variables: mcpVariables },
  { title: 'Producers', text: '`pipe`, `simulate` and `collect` read these.', variables: producerVariables },
];

/** Every variable of the product, by name. */
export const VARIABLES: Variables = Object.assign({}, ...SECTIONS.map(({ variables }) => variables));

const MADE = (from: string) => `<!-- Made by \`npm run docs\` from ${from}; do not edit. -->\n`;

export function configurationPage(): string {
  const sections = SECTIONS.map(
    ({ title, text, variables }) =>
      `## ${title}\n\n${text}\n\n${table(
        ['variable', 'default', 'what it sets', 'allowed'],
        Object.entries(variables).map(([name, schema]) => [
          nameOf(name, schema),
          defaultOf(schema),
          aboutOf(schema).description,
          allowedBy(schema),
        ]),
      )}`,
  );
  return `${MADE('the schemas in config.ts')}
# Configuration

The programs are configured by environment variables only. Each reads them once, when it starts; a file \`.env\` in the working
folder is read, too, and variables that are set win over it. A wrong value stops the start with one line that names the variable
and says what is allowed. An empty value counts as not set.

Most people need only \`PORT\` and \`REDIS_URL\`; for models of a real service also \`USE_LLM_MOCK=false\`, \`LLM_KEY\`,
\`LLM_BASE_URL\` and \`LLM_MODEL\`; where others can come \`AUTH\`, and behind a proxy also
\`ALLOWED_HOSTS\`, and maybe \`BASE_PATH\` and \`TRUST_PROXY\`.

A name that ends in \`_MS\` is in milliseconds, in \`_BYTES\` in bytes; \`RETENTION_SECONDS…\` are in seconds.

${sections.join('\n')}`;
}

export function errorsPage(): string {
  return `${MADE('the tables of codes: gateway/src/http/errors.ts, gateway/src/runs/run-errors.ts, gateway/src/llm/failure.ts, gateway/src/agents/call-errors.ts')}
# Errors

A code is stable: a program may depend on it. The sentence beside it is for people, and may change.

## HTTP answers

An answer with an error is \`application/problem+json\` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): \`status\`, \`code\`,
\`detail\` (what is wrong with this request, and what is allowed) and, where one input is at fault, \`field\`. Every \`503\` has a
header \`Retry-After\`.

${table(
  ['status', 'code', 'what it means'],
  Object.entries(ERRORS)
    .sort(([, a], [, b]) => a.status - b.status)
    .map(([code, { status, sentence }]) => [`${status}`, `\`${code}\``, sentence]),
)}
## The end of a stream

\`/stream\` ends with an event \`bye\`, which holds one of these codes. Most ask the client to reconnect after a while;
an \`EventSource\` does that by itself. See [the stream](stream.md#events).

${table(
  ['code', 'what it means'],
  Object.entries(CLOSE_REASONS).map(([code, sentence]) => [`\`${code}\``, sentence]),
)}
## Runs

A run that ends without an answer sends an event \`error\` with \`final: true\` and one of these codes. \`history_trimmed\` is the
exception: it is not final, it stands in place of entries that the log no longer keeps. A run also ends with \`log_full\`,
\`too_many_channels\` or \`channel_unusable\` where the log does not take its entries. See [runs](runs.md#what-goes-wrong).

${table(
  ['code', 'what the client reads'],
  Object.entries(RUN_ERRORS).map(([code, sentence]) => [`\`${code}\``, sentence]),
)}
## Model calls

A task whose model fails sends an event \`error\` with \`final: false\`, \`source\` (which task) and one of these codes. \`partial: true\`
says that some text had come before; that text stays valid as far as it goes.

${table(
  ['code', 'what the client reads'],
  Object.entries(SENTENCES).map(([code, sentence]) => [`\`${code}\``, sentence]),
)}
## Calls of tools

A call that an agent's model asks for, and that fails or is not made, is an event \`thinking\` with \`status: "tool_failed"\` and one of these codes. The run
goes on: the model gets the sentence, and what the server said of it. See [tools](tools.md#what-goes-wrong).

${table(
  ['code', 'what the model and the client read'],
  Object.entries(CALL_ERRORS).map(([code, sentence]) => [`\`${code}\``, sentence]),
)}
## Models that fail on purpose

The built-in simulator fails in these ways when it is asked for a model of this name. \`npm run sim-llm -- --port 4010\` offers the
same models as a service.

${table(
  ['model', 'what it does'],
  Object.entries(FAULTS).map(([model, what]) => [`\`${model}\``, what]),
)}`;
}

function nameOf(name: string, schema: z.ZodType): string {
  const { alias } = aboutOf(schema);
  return alias === undefined ? `\`${name}\`` : `\`${name}\`, or \`${alias}\``;
}

function aboutOf(schema: z.ZodType): About {
  const about = schema.meta() as About | undefined;
  if (about?.description === undefined) throw new Error('a variable has no description');
  return about;
}

function defaultOf(schema: z.ZodType): string {
  const value = String(schema.parse(undefined) ?? '').replace(ROOT, '');
  const { means } = aboutOf(schema);
  if (value === '') return '–';
  return `\`${value}\`${means === undefined ? '' : ` (${means})`}`;
}

/** The values that a variable may have, in the words with which a wrong one is refused. */
function allowedBy(schema: z.ZodType): string {
  const result = schema.safeParse('\u0000 no value at all \u0000');
  const rule = result.success ? 'any text' : (result.error.issues[0]?.message ?? '');
  return rule.replace(/^must (?:be |look )?/, '');
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return line(heads) + line(heads.map(() => '---')) + rows.map(line).join('');
}

/** The pages by their path in the repository. */
export const PAGES: Readonly<Record<string, () => string>> = {
  'docs/configuration.md': configurationPage,
  'docs/errors.md': errorsPage,
};

if (import.meta.main)
  for (const [path, page] of Object.entries(PAGES)) writeFileSync(`${ROOT}${path}`, page());
