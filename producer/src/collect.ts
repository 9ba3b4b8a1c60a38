// `collect` publishes the logs of containers, which it reads from the engine's socket. It is a process of its own, so that no server
// that people reach has the socket.

import { createHash } from 'node:crypto';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { draft, type EntryFields } from '@llm-streamer/shared/entry.ts';
import { createLogger, type Logger } from '@llm-streamer/shared/logger.ts';
import { Delivery } from '@llm-streamer/shared/publish/delivery.ts';
import { LinkState } from '@llm-streamer/shared/publish/link-state.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';
import { defaultSource, parseDuration, parseOptions, usage } from './arguments.ts';
import { DEFAULT_SOCKET, parseAddress } from './collect/address.ts';
import { ContainerLog } from './collect/container-log.ts';
import { Engine, plain } from './collect/engine.ts';
import { Fleet } from './collect/fleet.ts';
import { type Delivered, Journal } from './collect/journal.ts';
import { type CollectedDraft, JournaledTransport } from './collect/journaled-transport.ts';
import { LIFECYCLE, Lifecycle, type LifecycleOptions } from './collect/lifecycle.ts';
import { StateLock } from './collect/lock.ts';
import {
  CHANNEL_LABEL,
  type Choice,
  COLLECT_LABEL,
  isChosen,
  namingOf,
  parseTemplate,
} from './collect/naming.ts';
import { stampOf } from './collect/stamp.ts';
import { type ProducerConfig, readProducerConfig } from './config.ts';
import { aborted, openTransport, type Transport } from './transport.ts';

/** Beyond this, the engine keeps the lines until the log has taken what was read. Two batches of the largest size fit. */
const BUFFER_BYTES = 4 * 1_048_576;
/** How long the last entries may take. What is left then is read again at the next start. */
const FLUSH_MS = 3_000;

export const COLLECT_HELP = `collect: publishes the logs of containers as entries

  npm run -s collect -- [options]

  --container NAME   only this container, by name or id; may be given many times
  --project NAME     only containers of this compose project; may be given many times
  --label KEY[=VAL]  only containers with this label; given many times, with all of them
  --own              also the containers of LLM Streamer itself (never the collector's own)
  --channel NAME     where the entries go (logs:{service}); {service} is the compose service or else the container's
                     name, {name} the container's name, {project} the compose project
  --no-events        no entries on events:containers when a container starts, dies or runs out of memory
  --since TIME       how far back to begin at the very first start: 30s, 10m, 2h (10m)
  --socket PATH      the engine's socket, or tcp://host:port of a proxy of it (DOCKER_HOST, or else ${DEFAULT_SOCKET});
                     Podman: /run/podman/podman.sock
  --state FILE       what was delivered (in ~/.local/state/llm-streamer, a file for each engine and log)
  --help             this text

Containers that are started later are followed, too. The source of an entry is the compose service with its number
(web-1), or else the container's name. A stack trace is one entry, as is a long line; a JSON line keeps its fields. A
container with the label ${COLLECT_LABEL}=false is left out; ${CHANNEL_LABEL}=logs:x names its channel.

Started again, it goes on where it was: nothing is lost that the engine still has, and nothing comes twice.
Whoever may read this socket is as powerful as root, also if it is mounted read-only. This program sends GET requests to
/_ping, /events and /containers/… only; a proxy of the socket can hold it to that.

Publishes to REDIS_URL (NAMESPACE) or else to GATEWAY_URL, with the key of GATEWAY_KEY or GATEWAY_KEY_FILE if the gateway
asks for one; refused, it ends at once. Exit code: 0 after a signal, 2 for a wrong command line or environment, an engine
that cannot be used, or a key that is refused.
`;

export async function collect(args: readonly string[], stop: AbortSignal): Promise<number> {
  const options = parseOptions('collect', args, {
    container: { type: 'string', multiple: true, default: [] },
    project: { type: 'string', multiple: true, default: [] },
    label: { type: 'string', multiple: true, default: [] },
    own: { type: 'boolean', default: false },
    'no-events': { type: 'boolean', default: false },
    channel: { type: 'string', default: 'logs:{service}' },
    since: { type: 'string', default: '10m' },
    socket: { type: 'string' },
    state: { type: 'string' },
    help: { type: 'boolean', default: false },
  });
  if (options.help) {
    process.stdout.write(COLLECT_HELP);
    return 0;
  }
  const template = parseTemplate(options.channel);
  const floor = stampOf(Date.now() - parseDuration('since', options.since));
  const choice = {
    containers: options.container,
    projects: options.project,
    labels: options.label,
    own: options.own,
  };
  if (options.state === '') throw usage('--state: must be the path of a file');
  if (options.socket !== undefined) parseAddress('--socket', options.socket);
  const config = readProducerConfig();
  const engine = openEngine(options.socket, config);

  const logger = createLogger(defaultSource('collect'), config.LOG_LEVEL, config.PRODUCTION);
  const product = await engine.greet();
  const transport = await openTransport(config);
  const state = options.state ?? defaultState(engine, transport, config);
  const lock = await StateLock.take(state);
  const journal = await Journal.open(state, floor);
  logger.info(`collecting from ${product} at ${engine.name} for ${transport.target}, state in ${state}`);
  try {
    const hasEvents = !options['no-events'];
    const collector = { engine, choice, template, hasEvents, config, journal, transport, logger };
    return await run(collector, AbortSignal.any([stop, transport.refused]));
  } finally {
    await journal.close();
    await transport.close();
    await lock.release();
  }
}

interface Collector {
  engine: Engine;
  choice: Choice;
  template: string;
  hasEvents: boolean;
  config: ProducerConfig;
  journal: Journal;
  transport: Transport;
  logger: Logger;
}

async function run(collector: Collector, ended: AbortSignal): Promise<number> {
  const { engine, choice, template, hasEvents, config, journal, transport, logger } = collector;
  let refused = 0;
  const journaled = new JournaledTransport(transport, journal, (entries, channel, { code }) => {
    if (refused === 0)
      logger.warn(`the log refuses entries of ${channel} (${code}); they are dropped, and counted`);
    refused += entries;
  });
  await finishLastBatch(journaled, logger, ended);

  const publisher = new Publisher(journaled, {
    source: defaultSource('collect'),
    logger,
    // Reading stops long before, so nothing is ever dropped.
    maxBufferedBytes: Number.POSITIVE_INFINITY,
  });
  const stopped = aborted(ended);
  const room = async () => {
    while (publisher.bufferedBytes > BUFFER_BYTES && !ended.aborted)
      await Promise.race([publisher.flush(), stopped]);
  };
  const host = hostname();
  const nameOf: LifecycleOptions['nameOf'] = (container) =>
    isChosen(container, choice, host) ? namingOf(container, template) : undefined;
  const enqueue = (fields: EntryFields, container: string, delivered: Delivered) => {
    const entry: CollectedDraft = { ...draft(fields, config.ENTRY_BYTES), container, delivered };
    publisher.enqueue(entry);
  };
  const lifecycle = new Lifecycle({
    delivered: journal.delivered(LIFECYCLE)?.since ?? journal.floor,
    nameOf,
    onEntry: (fields, delivered) => enqueue(fields, LIFECYCLE, delivered),
  });
  const fleet = new Fleet({
    engine,
    room,
    lifecycle: hasEvents ? lifecycle : undefined,
    logger,
    nameOf,
    logOf: (container, naming) =>
      new ContainerLog({
        naming,
        delivered: journal.delivered(container.id),
        floor: journal.floor,
        isPodman: engine.isPodman,
        onEntry: (fields, delivered) => enqueue(fields, container.id, delivered),
        onNote: (text) => logger.warn(`the engine says of ${naming.source}: ${plain(text)}`),
      }),
  });
  await fleet.run(ended);

  const left = await Promise.race([publisher.close(FLUSH_MS), aborted(transport.refused)]);
  if (left === undefined) {
    process.stderr.write(`collect: ${transport.refused.reason}\n`);
    return 2;
  }
  const { published } = publisher.counters;
  logger.info(`published ${published - refused} entries, refused ${refused}, left ${left} to the next start`);
  return 0;
}

/** A batch that was under way when the last run was killed comes before all others. */
async function finishLastBatch(
  journaled: JournaledTransport,
  logger: Logger,
  ended: AbortSignal,
): Promise<void> {
  const delivery = new Delivery({ publish: () => journaled.resume() }, new LinkState(logger), Math.random);
  const abandon = () => delivery.abandon();
  ended.addEventListener('abort', abandon);
  await Promise.race([delivery.send([], () => 0), aborted(ended)]);
  ended.removeEventListener('abort', abandon);
}

function openEngine(socket: string | undefined, { DOCKER_HOST }: ProducerConfig): Engine {
  const [name, text] = socket === undefined ? ['DOCKER_HOST', DOCKER_HOST] : ['--socket', socket];
  return new Engine(parseAddress(name, text ?? DEFAULT_SOCKET));
}

/** A file for each engine and log: what was delivered to one log says nothing about another. */
function defaultState(engine: Engine, { target }: Transport, { NAMESPACE }: ProducerConfig): string {
  const name = createHash('sha256')
    .update([engine.name, target, NAMESPACE].join('\n'))
    .digest('hex')
    .slice(0, 8);
  return join(homedir(), '.local', 'state', 'llm-streamer', `collect-${name}.jsonl`);
}
