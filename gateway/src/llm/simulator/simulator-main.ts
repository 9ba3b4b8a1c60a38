// `npm run sim-llm -- --port 4010`: the simulator as a service, for LLM_BASE_URL=http://127.0.0.1:4010/v1. A mistake in the
// command line is answered with one clear line and exit code 2.

import { parseArgs } from 'node:util';
import { whole } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { Simulator } from './simulator.ts';
import { FAULTS } from './simulator-faults.ts';
import { SimulatorServer } from './simulator-server.ts';

const HELP = `npm run sim-llm: simulated models as a service with the OpenAI protocol

  npm run sim-llm -- [options]

  --port N    where it listens (4010; 0 for any free port)
  --host H    (127.0.0.1)
  --chunk N   tokens per chunk (2)
  --delay N   ms per token (20)
  --help      this text

Models: any name answers, these fail or answer in a strange way:
${Object.entries(FAULTS)
  .map(([model, what]) => `  ${model.padEnd(17)} ${what}`)
  .join('\n')}
`;

const NUMBERS = { port: whole(4_010, 0, 65_535), chunk: whole(2, 1, 1_000), delay: whole(20, 0, 10_000) };

try {
  await run();
} catch (error) {
  process.stderr.write(`sim-llm: ${error instanceof CodedError ? error.message : (error as Error).stack}\n`);
  process.exit(2);
}

async function run(): Promise<void> {
  const values = options();
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const [port, chunkTokens, tokenMs] = (['port', 'chunk', 'delay'] as const).map((option) =>
    numberOf(option, values[option]),
  ) as [number, number, number];
  const server = new SimulatorServer(new Simulator({ chunkTokens, tokenMs }));
  if (values.host === '') throw notHere('');
  const baseUrl = await server.listen(port, values.host).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') throw usage('port', `${port}`, 'is taken');
    if (error.code === 'EACCES')
      throw usage('port', `${port}`, 'may not be listened on; take one above 1023');
    throw notHere(values.host);
  });
  console.log(`simulated models: LLM_BASE_URL=${baseUrl}  (calls: ${new URL('/debug/calls', baseUrl)})`);
  for (const [model, what] of Object.entries(FAULTS)) console.log(`  LLM_MODEL=${model} ${what}`);

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      server
        .close()
        .then(() => process.exit(0))
        .catch(() => process.exit(1));
    });
  }
}

function options() {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      options: {
        port: text,
        chunk: text,
        delay: text,
        host: { ...text, default: '127.0.0.1' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split(/\.?(?:\n|\. |$)/);
    throw new CodedError('usage', `${sentence}; see --help`);
  }
}

function numberOf(option: keyof typeof NUMBERS, value: string | undefined): number {
  const result = NUMBERS[option].safeParse(value);
  if (result.success) return result.data;
  throw usage(option, value ?? '', result.error.issues[0]?.message ?? '');
}

function notHere(host: string): CodedError {
  return usage('host', host, 'must be an address of this machine');
}

function usage(option: string, value: string, rule: string): CodedError {
  return new CodedError('usage', `--${option} ${JSON.stringify(value)}: ${rule}`);
}
