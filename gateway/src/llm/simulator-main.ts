// `npm run sim-llm -- --port 4010`: the simulator as a service, for LLM_BASE_URL=http://127.0.0.1:4010/v1.

import { parseArgs } from 'node:util';
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

Models: any name answers, these fail:
${Object.entries(FAULTS)
  .map(([model, what]) => `  ${model.padEnd(17)} ${what}`)
  .join('\n')}
`;

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4010' },
    host: { type: 'string', default: '127.0.0.1' },
    chunk: { type: 'string', default: '2' },
    delay: { type: 'string', default: '20' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const simulator = new Simulator({ chunkTokens: Number(values.chunk), tokenMs: Number(values.delay) });
const server = new SimulatorServer(simulator);
const baseUrl = await server.listen(Number(values.port), values.host);
console.log(`simulated models: LLM_BASE_URL=${baseUrl}  (calls: ${new URL('/debug/calls', baseUrl)})`);
for (const [model, what] of Object.entries(FAULTS)) console.log(`  LLM_MODEL=${model} ${what}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}
