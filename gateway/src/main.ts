// The gateway's process: reads the environment, opens the log and starts the server. If it cannot start, it prints one clear line
// and exits with a code other than 0.

import cluster from 'node:cluster';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { loadDotEnv, retentionPolicy } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { createLogger, type Logger } from '@llm-streamer/shared/logger.ts';
import { onUncaught } from '@llm-streamer/shared/uncaught.ts';
import { Registry } from 'prom-client';
import { createApp, type SharedTotals } from './app.ts';
import type { AuthStore } from './auth/store/auth-store.ts';
import { keepsPeople, openAuthStore } from './auth/store/open-auth-store.ts';
import {
  adoptedChannels,
  type Config,
  connectionLimits,
  plainChannels,
  readGatewayConfig,
} from './config.ts';
import { OtlpListener } from './http/otlp-listener.ts';
import { idsOfLine } from './tracing/active-span.ts';
import { tracesUrl } from './tracing/config.ts';
import { Primary } from './workers/primary.ts';
import { WorkerLink } from './workers/worker.ts';

/** How long the start waits for Redis. */
const START_PATIENCE_MS = 5_000;
/** Connections that the operating system keeps until they are accepted. A client that finds no room tries again only after a second. */
const BACKLOG = 4_096;

try {
  loadDotEnv();
  const config = readGatewayConfig();
  refuseNobody(config);
  const ids = tracesUrl(config) === undefined ? undefined : idsOfLine;
  const logger = createLogger('gateway', config.LOG_LEVEL, config.PRODUCTION, ids);
  if (config.WORKERS === 1 || cluster.isWorker) await run(config, logger);
  else {
    const code = await runWorkers(config, logger);
    process.exit(process.exitCode || code);
  }
} catch (error) {
  process.stderr.write(`gateway: ${explain(error)}\n`);
  process.exit(1);
}

/** @throws CodedError `invalid_config` if nobody could ever come in, or read what is reported */
function refuseNobody(config: Config): void {
  const others = [config.JWT_ISSUER, config.OIDC_ISSUER, config.AUTH_PROXY_HEADER];
  if (config.AUTH === 'off' || keepsPeople(config) || others.some((way) => way !== undefined)) return;
  const missing =
    config.AUTH === 'on'
      ? 'AUTH=on: nobody could sign in'
      : 'AUTH=report: nobody could read audit:refusals, which is for admins';
  throw new CodedError(
    'invalid_config',
    `${missing}; set AUTH_FILE, where people and keys are kept, or REDIS_URL`,
  );
}

function runWorkers(config: Config, logger: Logger): Promise<number> {
  if (config.REDIS_URL === undefined)
    throw new CodedError('invalid_config', 'WORKERS: more than one needs REDIS_URL, the log that they share');
  const { WORKERS: workers, SHUTDOWN_GRACE_MS: graceMs } = config;
  return new Primary({ workers, limits: connectionLimits(config), graceMs, logger }).run();
}

async function run(config: Config, logger: Logger): Promise<void> {
  const { broker, open } = createBroker(config, logger);
  let store: AuthStore | undefined;
  let app: ReturnType<typeof createApp> | undefined;
  let otlp: OtlpListener | undefined;
  let listening: Promise<unknown> | undefined;
  let stopping = false;
  // This works from the beginning of the start on. As soon as the broker listens, Redis tells publishers that their message was
  // heard, and it must get into the log even if the gateway is stopped now.
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    // A viewer whose socket accepts nothing must not keep the process from ending.
    setTimeout(() => process.exit(), config.SHUTDOWN_GRACE_MS).unref();
    await listening?.catch(() => undefined);
    // A connection on which no request has come must not, either.
    setTimeout(() => app?.server.closeAllConnections(), config.SHUTDOWN_GRACE_MS / 2).unref();
    await Promise.all([otlp?.close(), app?.close()]);
    await store?.close();
    await broker.close();
    process.exit();
  };
  const fail = (error: unknown) => {
    logger.error({ err: error }, 'stopping failed');
    process.exit(1);
  };
  onUncaught(
    (line) => logger.fatal(line),
    () => stop().catch(fail),
    config.SHUTDOWN_GRACE_MS,
  );
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      logger.info(`${signal}: stopping`);
      stop().catch(fail);
    });
  try {
    await open();
    store = await openAuthStore(config, logger, broker);
    if (stopping) return;
    app = createApp(config, broker, logger, cluster.isWorker ? workerTotals() : undefined, {}, store);
    listening = app.listen({ host: config.HOST, port: config.PORT, backlog: BACKLOG });
    await listening;
    if (config.OTLP_PORT > 0 && !stopping) otlp = await openOtlp(app, config);
  } catch (error) {
    if (stopping) return;
    await store?.close();
    await broker.close();
    throw error;
  }
  const [url = ''] = app.addresses();
  // scripts/start.ts may have asked for any free port, so it gets the URL. A worker reports to its primary, which passes it on.
  process.send?.(cluster.isWorker ? { ask: 'listening', url } : url, () => {});
}

/** @throws CodedError `invalid_config` if the port cannot be had */
async function openOtlp(app: ReturnType<typeof createApp>, config: Config): Promise<OtlpListener> {
  const { HOST: host, OTLP_PORT: port, BASE_PATH: basePath } = config;
  try {
    return await OtlpListener.open(app, { host, port, basePath });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CodedError('invalid_config', `OTLP_PORT: port ${port} is taken, or not allowed (${code})`);
  }
}

function workerTotals(): SharedTotals {
  const registry = new Registry();
  const link = new WorkerLink(registry);
  return { registry, limiter: link, metrics: () => link.metrics() };
}

function createBroker(config: Config, logger: Logger): { broker: Broker; open: () => Promise<void> } {
  const retention = retentionPolicy(config);
  if (config.REDIS_URL === undefined) return { broker: new MemoryBroker(retention), open: async () => {} };
  const broker = new RedisBroker({
    url: config.REDIS_URL,
    namespace: config.NAMESPACE,
    retention,
    entryBytes: config.ENTRY_BYTES,
    plainChannels: plainChannels(config),
    adopt: adoptedChannels(config),
    fromReplica: config.REDIS_FEED === 'replica',
    ignore: config.AUTH === 'on' ? [CHANNELS.gateway, CHANNELS.alerts] : [],
    logger,
  });
  return { broker, open: () => broker.open(START_PATIENCE_MS) };
}

function explain(error: unknown): string {
  const { code, message, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') return `port ${port} is taken; set PORT to another`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return 'HOST is no address of this machine';
  if (code === 'EACCES') return `may not listen on port ${port}; set PORT above 1023`;
  if (code === 'broker_unavailable' || code === 'channels_forbidden') return `REDIS_URL: ${message}`;
  return error instanceof CodedError ? message : ((error as Error).stack ?? String(error));
}
