// The commands of `npm run rules`. `check` says what is wrong with a file, and what its rules would make of the lines on stdin, as the
// gateway would make it of them; `test` sends a message to destinations. Neither needs a gateway or a log.

import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { LogRecord, writeHead } from '@llm-streamer/shared/broker/record.ts';
import { CHANNEL_RULE, isChannel } from '@llm-streamer/shared/channels.ts';
import { draftPayload } from '@llm-streamer/shared/decode/decode.ts';
import { DEFAULT_ENTRY_BYTES } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { readSecret } from '../../config.ts';
import { alertId, groupOf } from '../alerts/group.ts';
import { Detector } from '../detector.ts';
import { testDestinations } from '../notify/test-destinations.ts';
import { readRules } from '../read-rules.ts';
import type { RuleSet } from '../rules-file.ts';
import { destinationComplaint } from '../rules-service.ts';

const HELP = `npm run rules -- check FILE [--channel logs] [--source stdin]
    Says what is wrong with a rules file. For each line on stdin it says what the rules would make of it, as an entry of that channel.
npm run rules -- test FILE [DESTINATION]
    Sends a message, marked as a test, to one destination of the file or to all.
`;

export interface CommandStreams {
  /** Sample lines; undefined where a person would have to type them. */
  input: NodeJS.ReadableStream | undefined;
  out(text: string): void;
  err(text: string): void;
}

/** Returns the exit code: 2 for what was written wrongly, 1 for a file that is not valid or a destination that takes nothing. */
export async function runRulesCommand(argv: readonly string[], streams: CommandStreams): Promise<number> {
  try {
    const { positionals, values } = parsed(argv);
    const [command, path, more] = positionals;
    if (values.help || command === undefined) {
      streams.out(HELP);
      return values.help ? 0 : 2;
    }
    if (command === 'check' && path !== undefined && more === undefined)
      return await check(path, { channel: values.channel, source: values.source }, streams);
    if (command === 'test' && path !== undefined && positionals.length <= 3)
      return await test(path, more, streams);
    throw new CodedError('usage', `use check FILE, or test FILE [DESTINATION]; see --help`);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    for (const line of error.message.split('\n')) streams.err(`rules: ${line}\n`);
    return error.code === 'usage' ? 2 : 1;
  }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        channel: { type: 'string', default: 'logs' },
        source: { type: 'string', default: 'stdin' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new CodedError('usage', `${(error as Error).message.split('\n')[0]}; see --help`);
  }
}

async function check(
  path: string,
  { channel, source }: { channel: string; source: string },
  { input, out, err }: CommandStreams,
): Promise<number> {
  if (!isChannel(channel)) throw new CodedError('usage', `--channel must be ${CHANNEL_RULE}`);
  const { rules } = readRules(path, () => undefined);
  const missing = destinationComplaint(rules, readSecret);
  if (missing !== undefined) err(`rules: the gateway would not start with this environment:\n${missing}\n`);
  const of = (what: 'emit' | 'alert') => rules.rules.filter((rule) => rule[what] !== undefined).length;
  err(`${rules.rules.length} rules are valid: ${of('emit')} make events, ${of('alert')} make alerts\n`);
  if (input !== undefined) await tryLines(rules, channel, source, input, out);
  return missing === undefined ? 0 : 1;
}

async function tryLines(
  rules: RuleSet,
  channel: string,
  source: string,
  input: NodeJS.ReadableStream,
  out: (text: string) => void,
): Promise<void> {
  const detector = new Detector(rules, new TimeSlicer());
  let number = 0;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++;
    const now = Date.now();
    const { body } = draftPayload(Buffer.from(line), { channel, now, source }, DEFAULT_ENTRY_BYTES);
    const n = now * 1_000 + (number % 1_000);
    const data = Buffer.from(`${writeHead(n, 'sampleaa', 0)}${body.slice(1)}`);
    const found = await detector.hits(new LogRecord(channel, data, { n, prev: 0 }));
    if (found === undefined) {
      out(`${number}: nothing\n`);
      continue;
    }
    for (const hit of found.hits) {
      const { name, emit, alert } = hit.rule;
      const groups = Object.keys(hit.groups).length > 0 ? ` ${JSON.stringify(hit.groups)}` : '';
      if (emit !== undefined) out(`${number}: ${name}: event ${emit.event} on ${emit.channel}${groups}\n`);
      if (alert !== undefined)
        out(
          `${number}: ${name}: counts for the alert ${alertId(name, groupOf(alert.by, hit, found.seen))} (${alert.when})\n`,
        );
    }
  }
}

async function test(path: string, wanted: string | undefined, { out, err }: CommandStreams): Promise<number> {
  const { rules } = readRules(path, () => undefined);
  const answer = await testDestinations(rules, readSecret, wanted);
  if (answer === undefined) {
    err(
      wanted === undefined
        ? 'rules: the file has no destinations\n'
        : `rules: there is no destination ${wanted}\n`,
    );
    return 1;
  }
  for (const { name, problem } of answer.destinations)
    out(problem === undefined ? `${name}: delivered\n` : `${name}: not delivered: ${problem}\n`);
  return answer.destinations.every(({ delivered }) => delivered) ? 0 : 1;
}
