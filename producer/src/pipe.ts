// `pipe` publishes the output of a program, which it reads on stdin. The program never waits for it, except with --wait.

import { fstatSync } from 'node:fs';
import { CHANNEL_RULE, isChannel, isReserved } from '@llm-streamer/shared/channels.ts';
import { draft, LEVELS, type Level } from '@llm-streamer/shared/entry.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';
import { defaultSource, parseOptions, parseSource, usage } from './arguments.ts';
import { readProducerConfig } from './config.ts';
import { Intake } from './pipe/intake.ts';
import { Tee } from './pipe/tee.ts';
import { aborted, openTransport } from './transport.ts';

const BUFFER_BYTES = 32 * 1_048_576;
/** How long the last entries may take after the end of the input, and after a signal. */
const FLUSH_MS = 10_000;
const FLUSH_AFTER_SIGNAL_MS = 2_000;
/** How long `pipe` goes on reading after a signal: the program got the signal too, and may print a last line. */
const LAST_WORDS_MS = 1_500;

const PIPE_HELP = `pipe: publishes any program's output as entries

  vllm serve … 2>&1 | npm run -s pipe -- --channel logs:vllm [options]

  --channel NAME   where the entries go (${CHANNELS.logs})
  --source NAME    who the entries say wrote them (from the host's name: ${defaultSource('pipe')})
  --level LEVEL    of lines that name none: ${LEVELS.join(' ')} (info)
  --tee            also pass the output on to stdout, byte for byte
  --wait           let the program wait when the buffer is full (by default it never waits: the oldest entries are
                   dropped, counted, and the log says how many)
  --help           this text

A JSON line keeps its fields. A stack trace (Python, Node, Java, Go, Rust, .NET) is one entry, as is a line with its
indented details; a block is complete after 150 ms of silence. A progress bar becomes its last state. Blank lines are skipped.

Publishes to REDIS_URL (NAMESPACE) or else to GATEWAY_URL, with the key of GATEWAY_KEY or GATEWAY_KEY_FILE if the gateway
asks for one; refused, it ends at once. Exit code: 0 when every entry was taken, 1 when some were
dropped or could not be delivered within ${FLUSH_MS / 1000} s after the end (stderr says how many), 2 for a wrong command line or
environment. The program's own exit code is the shell's matter: set -o pipefail.
`;

export async function pipe(args: readonly string[], stop: AbortSignal): Promise<number> {
  const options = parseOptions('pipe', args, {
    channel: { type: 'string', default: CHANNELS.logs },
    source: { type: 'string', default: defaultSource('pipe') },
    level: { type: 'string', default: 'info' },
    tee: { type: 'boolean', default: false },
    wait: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  });
  if (options.help) {
    process.stdout.write(PIPE_HELP);
    return 0;
  }
  const source = parseSource(options.source);
  const channel = parseChannel(options.channel);
  const level = parseLevel(options.level);
  const config = readProducerConfig();

  const logger = createLogger(source, config.LOG_LEVEL, config.PRODUCTION);
  const transport = await openTransport(config);
  const publisher = new Publisher(transport, { source, logger, maxBufferedBytes: BUFFER_BYTES });
  const intake = new Intake({ channel, source, level }, (fields) =>
    publisher.enqueue(draft(fields, config.ENTRY_BYTES)),
  );
  const waits = options.wait || fstatSync(process.stdin.fd).isFile(); // reading a file slowly delays no program
  const tee = options.tee ? new Tee(process.stdout) : undefined;

  const input = process.stdin;
  stop.addEventListener('abort', () => {
    setTimeout(() => input.destroy(), LAST_WORDS_MS);
  });
  transport.refused.addEventListener('abort', () => input.destroy());
  const refused = aborted(transport.refused); // made once, because each call adds a listener to the signal
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      intake.addChunk(chunk);
      if (tee) await tee.write(chunk);
      if (waits && publisher.bufferedBytes > BUFFER_BYTES / 2)
        await Promise.race([publisher.flush(), refused]);
    }
  } catch (error) {
    if (!stop.aborted && !transport.refused.aborted)
      process.stderr.write(`pipe: reading stdin failed: ${(error as Error).message}\n`);
  }
  intake.end();

  const left = await Promise.race([
    publisher.close(stop.aborted ? FLUSH_AFTER_SIGNAL_MS : FLUSH_MS),
    refused,
  ]);
  await transport.close();
  if (left === undefined) {
    process.stderr.write(`pipe: ${transport.refused.reason}\n`);
    return 2;
  }
  const { dropped } = publisher.counters;
  if (dropped + left === 0) return 0;
  const advice = waits || dropped === 0 ? '' : '; with --wait the program waits instead';
  process.stderr.write(`pipe: ${dropped} entries were dropped, ${left} could not be delivered${advice}\n`);
  return 1;
}

function parseChannel(text: string): string {
  if (!isChannel(text))
    throw usage(`--channel ${JSON.stringify(text.slice(0, 60))}: must be ${CHANNEL_RULE}`);
  if (isReserved(text)) throw usage(`--channel ${text}: is reserved`);
  return text;
}

function parseLevel(text: string): Level {
  if ((LEVELS as readonly string[]).includes(text)) return text as Level;
  throw usage(`--level ${JSON.stringify(text)}: must be one of ${LEVELS.join(', ')}`);
}
