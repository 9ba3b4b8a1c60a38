// `simulate` publishes the life of one simulated LLM backend, or a flood of plain lines, until a signal or --duration ends it.

import { randomBytes } from 'node:crypto';
import { draft } from '@llm-streamer/shared/entry.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';
import { defaultSource, parseDuration, parseNumber, parseOptions, parseSource } from './arguments.ts';
import { readProducerConfig } from './config.ts';
import { flood } from './simulate/flood.ts';
import { PLACEHOLDERS, readMessages } from './simulate/messages.ts';
import { play } from './simulate/player.ts';
import { Story } from './simulate/story.ts';
import { aborted, openTransport } from './transport.ts';

const DEFAULT_RATE = 0.3;
/** How long the last entries may take, at the end of --duration and after a signal. */
const FLUSH_MS = 10_000;
const FLUSH_AFTER_SIGNAL_MS = 3_000;

const SIMULATE_HELP = `simulate: publishes the life of one simulated LLM backend

  npm run simulate -- [options]

  --rate N           requests per second, on average (${DEFAULT_RATE})
  --seed TEXT        same seed and source, same story (random, and logged)
  --source NAME      who the entries say wrote them (from the host's name: ${defaultSource('producer')})
  --duration TIME    stop after 90, 30s, 5m or 1.5h (never)
  --messages FILE    also write messages of your own: a line each, \`level channel text\`, where text may hold
                     ${PLACEHOLDERS.map((name) => `{${name}}`).join(' ')}
                     (see producer/messages.example.txt)
  --flood N          instead of the story, N plain lines per second on the channel logs, for load tests
  --help             this text

Channels: logs logs:generation logs:metrics logs:errors logs:debug events:runs.
Publishes to REDIS_URL (NAMESPACE) or else to GATEWAY_URL, with the key of GATEWAY_KEY or GATEWAY_KEY_FILE if the gateway
asks for one; refused, it ends at once. Through an outage it buffers, then drops the oldest entries
and says how many. Exit code: 0 after a signal or a complete run, 1 where entries of a finished run were lost or left,
2 for a wrong command line or environment.
`;

export async function simulate(args: readonly string[], stop: AbortSignal): Promise<number> {
  const options = parseOptions('simulate', args, {
    rate: { type: 'string', default: String(DEFAULT_RATE) },
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    source: { type: 'string', default: defaultSource('producer') },
    duration: { type: 'string' },
    messages: { type: 'string' },
    flood: { type: 'string' },
    help: { type: 'boolean', default: false },
  });
  if (options.help) {
    process.stdout.write(SIMULATE_HELP);
    return 0;
  }
  const source = parseSource(options.source);
  const rate = parseNumber('rate', options.rate, 0.001, 1_000);
  const durationMs =
    options.duration === undefined ? Number.POSITIVE_INFINITY : parseDuration('duration', options.duration);
  const messages = options.messages === undefined ? [] : readMessages(options.messages);
  const perSecond =
    options.flood === undefined ? undefined : parseNumber('flood', options.flood, 1, 1_000_000);
  const config = readProducerConfig();

  const logger = createLogger(source, config.LOG_LEVEL, config.PRODUCTION);
  const transport = await openTransport(config);
  const publisher = new Publisher(transport, { source, logger });
  const ended = AbortSignal.any([stop, transport.refused]);
  const write = (fields: Parameters<typeof draft>[0]) => publisher.enqueue(draft(fields, config.ENTRY_BYTES));

  if (perSecond === undefined) {
    const story = new Story({ seed: options.seed, source, rate, durationMs, messages });
    logger.info(`simulating ${story.title} for ${transport.target}, seed ${options.seed}`);
    await play(story, write, ended);
  } else {
    logger.info(`flooding ${transport.target} with ${perSecond} lines/s`);
    await flood({ perSecond, source, durationMs }, write, ended);
  }

  const left = await Promise.race([
    publisher.close(stop.aborted ? FLUSH_AFTER_SIGNAL_MS : FLUSH_MS),
    aborted(transport.refused),
  ]);
  await transport.close();
  if (left === undefined) {
    process.stderr.write(`simulate: ${transport.refused.reason}\n`);
    return 2;
  }
  const { published, dropped } = publisher.counters;
  logger.info(`published ${published} entries, dropped ${dropped}, left ${left}`);
  return stop.aborted || dropped + left === 0 ? 0 : 1;
}
