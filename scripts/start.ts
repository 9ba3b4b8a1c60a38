// `npm start` runs the gateway and a few simulated producers until Ctrl-C. With REDIS_URL the log is in Redis, without it in the memory
// of the gateway. However start.ts ends, all its programs end, too.

import { parseArgs } from 'node:util';
import { type Config, readGatewayConfig } from '../gateway/src/config.ts';
import { NODE_FLAGS } from '../gateway/src/node-flags.ts';
import { loadDotEnv } from '../shared/src/config.ts';
import { CodedError } from '../shared/src/errors.ts';
import { Service } from './service.ts';

const HELP = `npm start: the gateway, its page and simulated producers; Ctrl-C ends everything

  npm start -- [options]

  --producers N   simulated LLM backends, 0 to 50 (3)
  --help          this text

Reads the environment, and .env if there is one: HOST (127.0.0.1), PORT (8000; 0 for any free one), REDIS_URL (without it
the log lives in the gateway's memory), NAMESPACE, LOG_LEVEL (when set, the programs' own logs are shown), and all
that the gateway reads. With AUTH=on and no Redis the producers need a key: GATEWAY_KEY_FILE.
`;

const READY_MS = 15_000;
/** After this long a program is killed. The programs themselves take less: the gateway 4 s, a producer 3 s. */
const STOP_MS = 6_000;

const services: Service[] = [];
let stopping = false;

/** Ends the producers, so that their last entries arrive, and then the gateway. */
async function stopAll(): Promise<void> {
  stopping = true;
  const [gateway, ...producers] = services;
  await Promise.all(producers.map((producer) => producer.stop(STOP_MS)));
  await gateway?.stop(STOP_MS);
}

function onSignal(): void {
  if (stopping)
    for (const service of services) service.kill(); // the second signal ends them at once
  else
    stopAll()
      .then(() => process.exit(0))
      .catch(fail);
}

function fail(error: unknown): void {
  process.stderr.write(`start: ${error instanceof Error ? error.message : error}\n`);
  for (const service of services) service.kill();
  process.exit(1);
}

function launch(name: string, args: readonly string[], env: NodeJS.ProcessEnv): Service {
  const service = new Service({ name, args, env, verbose: Boolean(process.env.LOG_LEVEL) });
  services.push(service);
  return service;
}

/** Starts the gateway and resolves with its URL when it can serve. */
async function startGateway(config: Config): Promise<string> {
  const gateway = launch('gateway', [...NODE_FLAGS, 'gateway/src/main.ts'], process.env);
  gateway.ended
    .then(async (how) => {
      if (stopping) return;
      if (!gateway.complained) process.stderr.write(gateway.report(how));
      await stopAll();
      process.exit(1);
    })
    .catch(fail);
  const { port } = (await gateway.message()) as { port: number };
  const url = `http://${localAddress(config.HOST)}:${port}${config.BASE_PATH}`;
  const deadline = Date.now() + READY_MS;
  while (!(await answers(`${url}/readyz`))) {
    if (Date.now() > deadline)
      throw new CodedError('not_ready', `${url}/readyz did not answer within ${READY_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return url;
}

function startProducer(name: string, gatewayUrl: string): void {
  const target = process.env.REDIS_URL ? {} : { GATEWAY_URL: gatewayUrl };
  const producer = launch(name, ['producer/src/main.ts', 'simulate', '--source', name], {
    ...process.env,
    ...target,
  });
  producer.ended
    .then((how) => {
      if (!stopping) process.stderr.write(producer.report(how));
    })
    .catch(fail);
}

/** Whether the gateway would refuse what the producers send over HTTP. */
function needsKey(config: Config): boolean {
  const isGiven = Boolean(process.env.GATEWAY_KEY || process.env.GATEWAY_KEY_FILE);
  return config.AUTH === 'on' && config.REDIS_URL === undefined && !isGiven;
}

/** An address at which this machine reaches a server bound to `host`. */
function localAddress(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false; // not yet
  }
}

function readProducers(text: string): number {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= 50) return count;
  throw new CodedError('usage', `--producers ${JSON.stringify(text)}: must be a whole number from 0 to 50`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { producers: { type: 'string', default: '3' }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const count = readProducers(values.producers);
  loadDotEnv();
  const config = readGatewayConfig();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);

  const url = await startGateway(config);
  if (stopping) return;
  const isKeyMissing = needsKey(config) && count > 0;
  const started = isKeyMissing ? 0 : count;
  for (let i = 1; i <= started; i++) startProducer(`producer-${i}`, url);
  const producers = isKeyMissing
    ? 'no simulated producers: with AUTH=on they need a key (npm run keys -- --help) in GATEWAY_KEY_FILE'
    : `${count} simulated producers`;
  const log = config.REDIS_URL === undefined ? 'in memory; set REDIS_URL to keep it' : 'in Redis';
  process.stdout.write(`\n  LLM Streamer  ${url}\n\n  log ${log} · ${producers} · Ctrl-C ends all\n\n`);
}

try {
  await main();
} catch (error) {
  const plain =
    error instanceof CodedError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  if (!plain) throw error;
  for (const line of (error as Error).message.split('\n')) process.stderr.write(`start: ${line}\n`);
  await stopAll();
  process.exit(1);
}
