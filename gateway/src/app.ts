// The composition root: makes the gateway's parts and connects them in one Fastify application.

import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import { Registry } from 'prom-client';
import { AUDIT_EVENTS } from './auth/audit.ts';
import type { AuthStore } from './auth/store/auth-store.ts';
import { FileAuthStore } from './auth/store/file-auth-store.ts';
import { type CredentialChecks, composeAuth } from './compose-auth.ts';
import { composeDoor } from './compose-door.ts';
import { composePeople } from './compose-people.ts';
import { composeRules } from './compose-rules.ts';
import { type AgentParts, composeRuns } from './compose-runs.ts';
import { composeTools } from './compose-tools.ts';
import { composeWays } from './compose-ways.ts';
import { type Config, connectionLimits, LOCAL_HOSTS, readSecret, trustedProxies } from './config.ts';
import { agUiRoute } from './http/ag-ui.ts';
import { agentRoutes } from './http/agents.ts';
import { alertsRoutes } from './http/alerts.ts';
import { approvalRoute } from './http/approvals.ts';
import { keyRoutes } from './http/auth/keys.ts';
import { oidcRoutes } from './http/auth/oidc.ts';
import { sessionRoutes } from './http/auth/sessions.ts';
import { signInRoutes } from './http/auth/sign-in.ts';
import { userRoutes } from './http/auth/users.ts';
import { RUN_BODY_BYTES } from './http/begin-run.ts';
import { channelsRoute } from './http/channels.ts';
import { conversationTurnsRoutes } from './http/conversation-turns.ts';
import { conversationsRoutes } from './http/conversations.ts';
import { doorRoutes } from './http/door.ts';
import { entriesRoute } from './http/entries.ts';
import { healthRoutes } from './http/health.ts';
import { hecRoutes } from './http/hec.ts';
import { lokiRoutes } from './http/loki.ts';
import { mcpRoute } from './http/mcp.ts';
import { metricsRoute } from './http/metrics.ts';
import { otlpRoutes } from './http/otlp.ts';
import { pageRoutes } from './http/page.ts';
import { answerBudget } from './http/plugins/answer-budget.ts';
import { arrivingBodies } from './http/plugins/arriving-bodies.ts';
import { authorization } from './http/plugins/authorization.ts';
import { csrf } from './http/plugins/csrf.ts';
import { nosniff } from './http/plugins/nosniff.ts';
import { hostOf, origins } from './http/plugins/origins.ts';
import { parameters } from './http/plugins/parameters.ts';
import { answerBadUrl, answerMalformed, isHttp2, problems } from './http/plugins/problems.ts';
import { rightsMark } from './http/plugins/rights-mark.ts';
import { shutdown } from './http/plugins/shutdown.ts';
import { unnamedProxy } from './http/plugins/unnamed-proxy.ts';
import { pricesRoute } from './http/prices.ts';
import { processRoute } from './http/process.ts';
import { publishRoute } from './http/publish.ts';
import { RunStreams } from './http/run-stream.ts';
import { runRoutes } from './http/runs.ts';
import { ShipperWays } from './http/shipper-ways.ts';
import { streamRoute } from './http/stream.ts';
import { uiChatRoutes } from './http/ui-chat.ts';
import type { SimulatorOptions } from './llm/simulator/simulator-answer.ts';
import { Waits } from './mcp/waits.ts';
import { Refusals } from './otlp/refusals.ts';
import { Targets } from './runs/config.ts';
import { StateLog } from './state-log.ts';
import { ChannelLists } from './stream/channel-lists.ts';
import { EntriesReader } from './stream/history/entries-reader.ts';
import { History, type HistoryTuning } from './stream/history/history.ts';
import { gapCounts } from './stream/live/gap-counts.ts';
import { Hub, type HubTuning } from './stream/live/hub.ts';
import { StreamMetrics } from './stream/metrics.ts';
import { type ConnectionLimiter, LocalConnectionLimiter } from './stream/viewer/connection-limiter.ts';
import { Connections } from './stream/viewer/connections.ts';
import { WriteBudget } from './stream/wire/write-budget.ts';
import { Tracing } from './tracing/tracing.ts';

/** Time for a request to arrive, its body included. */
const REQUEST_MS = 30_000;

/** What helps a sender of OpenTelemetry that speaks gRPC; its own error is only that the server is unavailable. */
const GRPC_HINT = 'a client speaks gRPC, which is not served; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf';

const DASHBOARD = fileURLToPath(new URL('../../dashboard/dist', import.meta.url));

/** What several processes on one port share. */
export interface SharedTotals {
  registry: Registry;
  limiter: ConnectionLimiter;
  /** The metrics in Prometheus' text form; undefined if they are not available now. */
  metrics(): Promise<string | undefined>;
}

/** Settings that only tests change. */
export interface Tuning {
  hub?: Partial<HubTuning>;
  history?: Partial<HistoryTuning>;
  simulator?: Partial<SimulatorOptions>;
  /** Agents and tools instead of those of the configuration. */
  agents?: AgentParts;
  /** Checks of credentials beside those of the store. */
  credentials?: CredentialChecks;
}

/** The limits and metrics of a gateway that has the port to itself. */
function ownTotals(config: Config): SharedTotals {
  const registry = new Registry();
  return {
    registry,
    limiter: new LocalConnectionLimiter(connectionLimits(config)),
    metrics: () => registry.metrics(),
  };
}

function publicHost({ PUBLIC_URL: url }: Config): string[] {
  return url === undefined ? [] : [hostOf(new URL(url).host)];
}

/** Those of the store, and others beside them. */
function withOthers(own: CredentialChecks, others: CredentialChecks = { bearer: {} }): CredentialChecks {
  const { bearer, headers = [] } = others;
  return { ...own, bearer: { ...own.bearer, ...bearer }, headers: [...headers, ...(own.headers ?? [])] };
}

/** An application that is ready to listen. Closing it ends its streams, but does not close the broker. */
export function createApp(
  config: Config,
  broker: Broker,
  logger: Logger,
  totals: SharedTotals = ownTotals(config),
  tuning: Tuning = {},
  store: AuthStore = FileAuthStore.inMemory(),
): FastifyInstance {
  const { registry, limiter } = totals;
  const gateway = `gw-${hostname().slice(0, 12)}-${process.pid}`;
  const app = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: answerBadUrl,
    clientErrorHandler: (error, socket) => {
      if (isHttp2(error)) refusals.tell('gRPC', GRPC_HINT);
      answerMalformed(error, socket);
    },
    return503OnClosing: false,
    http: {
      // Enough for a hundred channels of 200 characters, each of which a URL may write as three.
      maxHeaderSize: 65_536,
      // Node applies the longer one of `headersTimeout` and `requestTimeout` to the whole request, so both have to be set.
      headersTimeout: REQUEST_MS,
      // How often Node looks for requests that have exceeded their time. By default it is only every 30 s.
      connectionsCheckingInterval: 1_000,
      // Node's own answer would have no error code. The plugin `origins` checks the header instead.
      requireHostHeader: false,
    },
    trustProxy: trustedProxies(config),
    // Of what Fastify itself parses, also for a path that does not exist. An object of as many names as fit takes 17 ms.
    bodyLimit: RUN_BODY_BYTES,
    routerOptions: { maxParamLength: 400 },
    // This does not limit how long a stream lasts. A stream closes its socket itself when it ends.
    requestTimeout: REQUEST_MS,
    forceCloseConnections: 'idle',
  });

  const gaps = gapCounts();
  const hub = new Hub(
    broker,
    {
      keepAliveMs: config.SSE_KEEPALIVE_MS,
      maxViews: config.MAX_VIEWS,
      ...tuning.hub,
    },
    gaps,
  );
  const connections = new Connections(hub, limiter, {
    stallMs: config.SSE_STALL_MS,
    lifetimeMs: config.SSE_LIFETIME_MS,
    retryMs: config.SSE_RETRY_MS,
  });
  const history = new History(broker, tuning.history);
  const entriesReader = new EntriesReader(broker, history);
  const channelLists = new ChannelLists(broker);
  const waits = new Waits(connections);
  const stateLog = new StateLog(broker, connections, gateway);
  const refusals = new Refusals(logger, (level, msg) => stateLog.report(level, msg), 'OpenTelemetry');
  const shipperRefusals = new Refusals(logger, (level, msg) => stateLog.report(level, msg), 'log shippers');
  const metrics = new StreamMetrics(registry, { broker, hub, connections, gaps });
  const people = composePeople(config, store, broker, logger);
  const { watch } = people;
  const ways = composeWays(config, store, people, logger);
  const auth = composeAuth(
    config,
    broker,
    gateway,
    logger,
    withOthers(withOthers(people.credentials, ways.credentials), tuning.credentials),
  );
  // With Redis whoever changes rights writes that himself.
  if (store instanceof FileAuthStore)
    store.onEdited((principals) => {
      for (const principal of principals) {
        const to = principal.replace(/^added:/, '');
        auth.audit.event(AUDIT_EVENTS.rightsChanged, { by: 'AUTH_FILE', to });
      }
    });
  const tracing = new Tracing({
    config,
    instance: gateway,
    registry,
    tell: (key, text) => refusals.tell(key, text),
  });
  const targets = new Targets(config, readSecret);
  const tools = composeTools(config, broker, logger, targets, (level, msg) => stateLog.report(level, msg));
  const runs = composeRuns(
    config,
    broker,
    gateway,
    registry,
    logger,
    tracing,
    targets,
    tuning.agents ?? tools,
    tuning.simulator,
  );
  const rules = composeRules(config, broker, gateway, registry, logger, (level, msg) =>
    stateLog.report(level, msg),
  );
  const calls = composeDoor(config, broker, gateway, registry, logger, runs, tuning.simulator);
  const runStreams = new RunStreams({
    broker,
    find: (key) => runs.service.get(key),
    keepAliveMs: config.SSE_KEEPALIVE_MS,
    retryMs: config.SSE_RETRY_MS,
    stallMs: config.SSE_STALL_MS,
    limiter,
    rights: watch,
  });

  problems(app);
  nosniff(app);
  origins(app, {
    hosts: [...LOCAL_HOSTS, hostOf(config.HOST), ...config.ALLOWED_HOSTS.map(hostOf), ...publicHost(config)],
    origins: config.CORS_ORIGINS,
    publicUrl: config.PUBLIC_URL,
  });
  csrf(app, people.services.cookie, config.PUBLIC_URL, config.AUTH_PROXY_HEADER);
  // Where neither is set, nobody has said that there is a proxy.
  if (config.TRUST_PROXY !== '' || config.PUBLIC_URL !== undefined) unnamedProxy(app, logger);
  shutdown(app);
  if (watch) rightsMark(app, watch);
  authorization(app, auth.gate, watch);
  arrivingBodies(app);
  parameters(app);
  answerBudget(app, config.SSE_STALL_MS);
  const health = { broker, hub, viewers: connections, gateway, redis: config.REDIS_URL !== undefined };
  const routes = async (scope: FastifyInstance) => {
    streamRoute(scope, {
      history,
      writeBudget: new WriteBudget(),
      gaps,
      connections,
      guard: watch,
      rights: watch,
      gateway,
      keepAliveMs: config.SSE_KEEPALIVE_MS,
      retryMs: config.SSE_RETRY_MS,
    });
    publishRoute(scope, broker, config.ENTRY_BYTES);
    otlpRoutes(scope, {
      broker,
      entryBytes: config.ENTRY_BYTES,
      bodyBytes: config.OTLP_BODY_BYTES,
      content: config.LOG_CONTENT,
      refusals,
      registry,
    });
    const shippers = { broker, entryBytes: config.ENTRY_BYTES, refusals: shipperRefusals, registry };
    const shipperWays = new ShipperWays(shippers);
    lokiRoutes(scope, shipperWays);
    hecRoutes(scope, shipperWays, shippers);
    doorRoutes(scope, calls.door);
    processRoute(scope, { ...runs, streams: runStreams });
    runRoutes(scope, { ...runs, streams: runStreams });
    approvalRoute(scope, runs.service);
    agentRoutes(scope, { ...runs, streams: runStreams, connections: limiter });
    uiChatRoutes(scope, { ...runs, broker, streams: runStreams });
    agUiRoute(scope, { ...runs, broker, streams: runStreams });
    pricesRoute(scope, () => runs.prompts.current.prices);
    conversationsRoutes(scope, runs.conversations);
    conversationTurnsRoutes(scope, {
      ...{ broker, connections: limiter },
      ...{ history: runs.history, store: runs.conversations.store },
    });
    alertsRoutes(scope, rules);
    metricsRoute(scope, totals.metrics);
    channelsRoute(scope, channelLists);
    entriesRoute(scope, entriesReader, history);
    if (config.MCP === 'on')
      mcpRoute(scope, {
        ...{ reader: entriesReader, history, lists: channelLists, waits },
        ...{ runs: runs.history, service: runs.service, limiter: runs.limiter, limit: runs.limit },
        write: config.MCP_WRITE,
        publicUrl: config.PUBLIC_URL,
        basePath: config.BASE_PATH,
      });
    healthRoutes(scope, health);
    const services = { ...people.services, oidcName: ways.oidc?.name, audit: auth.audit };
    signInRoutes(scope, services);
    sessionRoutes(scope, services);
    userRoutes(scope, services);
    keyRoutes(scope, services);
    oidcRoutes(scope, { ...services, oidc: ways.oidc, publicUrl: config.PUBLIC_URL });
    pageRoutes(scope, DASHBOARD);
  };
  app.register(routes, { prefix: config.BASE_PATH });
  // Probes inside a cluster do not come through the proxy that adds the base path.
  if (config.BASE_PATH !== '') app.register(async (scope) => healthRoutes(scope, health));

  app.addHook('onReady', async () => {
    await watch?.open([connections, runStreams]);
    people.sessionUse.open([connections, runStreams]);
    await runs.open();
    await rules.open();
    await metrics.open(logger);
    stateLog.report('info', 'gateway started');
  });
  app.addHook('preClose', async () => {
    await runs.close(); // first, so that the clients of this gateway's runs get their last event
    await tools.close();
    await rules.close();
    await calls.close();
    waits.close();
    await runStreams.close();
    await connections.close();
    stateLog.report('info', 'gateway stopping');
    await stateLog.close();
    ways.close();
    await people.close();
    await auth.close();
    metrics.close();
    hub.close();
  });
  return app;
}
