// GET /stream: live entries over SSE. It writes the response head itself, and keeps nothing of the request but its socket.

import { BrokerUnavailable, ChannelsForbidden } from '@llm-streamer/shared/errors.ts';
import type { Hello } from '@llm-streamer/shared/stream-events.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { parseSelection, parseStart, SELECTION_KEYS, START_KEYS, type Start } from '../stream/query/query.ts';
import { Connection, type ConnectionServices } from '../stream/viewer/connection.ts';
import type { Connections } from '../stream/viewer/connections.ts';
import { Chunk, LAST_CHUNK } from '../stream/wire/chunk.ts';
import { controlFrame } from '../stream/wire/frame.ts';
import { claimSocket } from './claim-socket.ts';
import type { RightsChanges } from './plugins/rights-mark.ts';
import { refuseBody } from './refuse-body.ts';
import { needsStream, type RefusalReason, refusalOf, SSE_HEADERS } from './sse-response.ts';

export interface StreamServices extends ConnectionServices {
  connections: Connections;
  /** Absent where nobody has rights of his own. */
  rights?: RightsChanges | undefined;
  /** Names this process in `hello`. */
  gateway: string;
  keepAliveMs: number;
  retryMs: number;
}

const HEAD = Object.entries({ ...SSE_HEADERS, vary: 'accept-encoding' });

/**
 * What it costs to begin a stream, in bytes that could be copied in the same time. So 16 streams begin in one round of the
 * event loop; 399 in one round held it for 30 ms (RESULTS.md, "live p99 in a resume storm").
 */
const BEGINNING_BYTES = 65_536;

export function streamRoute(app: FastifyInstance, services: StreamServices): void {
  const { history, writeBudget, connections, rights, gateway, keepAliveMs, retryMs } = services;

  // The head that a GET would get, without a stream that the client could not read.
  const config = { needs: 'read', parameters: [...SELECTION_KEYS, ...START_KEYS] } as const;
  app.head<{ Querystring: Record<string, unknown> }>('/stream', { config }, async (request, reply) => {
    request.access.readable(parseSelection(request.query).channels);
    for (const [name, value] of HEAD) reply.header(name, value);
    return reply.send();
  });

  // However many requests come at once, live viewers wait for a few of them only. A request that is pipelined after others does
  // not wait: it has no socket yet, so that nothing would hold its client back from sending more.
  const onRequest: onRequestHookHandler = (request, reply, done) => {
    const granted = reply.raw.socket === null ? undefined : writeBudget.acquire(BEGINNING_BYTES);
    if (granted === undefined) done();
    else granted.then(() => request.raw.socket.destroyed || done()).catch(done);
  };

  const answerWhileUnknown = (reply: FastifyReply, error: BrokerUnavailable) =>
    void refuse(reply.request, reply, 'not_ready', error);
  const options = {
    onRequest: [refuseBody, onRequest],
    config: { ...config, refusesItself: true as const, answerWhileUnknown },
  };
  app.get<{ Querystring: Record<string, unknown> }>('/stream', options, async (request, reply) => {
    const asks = parseSelection(request.query);
    const header = request.headers['last-event-id'];
    const start = parseStart(request.query, header === '' ? undefined : header?.toString(), Date.now());
    const { channels, narrowed } = request.access.readable(asks.channels);
    const selection = { ...asks, channels };

    const slot = await connections.admit(request.ip, request.principal);
    if (typeof slot === 'string') return refuse(request, reply, slot);
    let connection: Connection | undefined;
    try {
      const refusal = await slot.openView(selection);
      if (refusal) return refuse(request, reply, refusal);
      await writeBudget.acquire(BEGINNING_BYTES);
      const socket = await claimSocket(request.raw, reply.raw);
      if (socket === undefined) return reply.hijack();
      // The gateway may have begun to stop in the meantime.
      if (connections.closing) return refuse(request, reply, 'shutdown');
      if (rights?.changedSince(request.rightsMark, request.principal))
        return refuse(request, reply, 'access_changed');
      reply.hijack();
      if (acceptsGzip(request.headers['accept-encoding'])) slot.compress();
      const chunked = isChunked(request);
      socket.cork();
      writeHead(request, reply, slot.compressed !== null);
      // Otherwise the socket would keep the response, and all that was made for the request, as long as the stream lasts:
      // 5 kB for each viewer (RESULTS.md, "memory per idle viewer").
      reply.raw.detachSocket(socket);
      connection = new Connection(socket, slot, services, chunked);
      connections.addConnection(connection);
    } catch (error) {
      if (error instanceof BrokerUnavailable) return refuse(request, reply, 'not_ready', error);
      if (error instanceof ChannelsForbidden) return refuse(request, reply, 'channels_forbidden', error);
      throw error;
    } finally {
      if (!connection) slot.release();
    }
    serve(connection, start, narrowed ? channels : undefined).catch((error) =>
      app.log.error({ err: error }, 'a stream failed'),
    );
    return reply;
  });

  async function serve(
    connection: Connection,
    start: Start,
    channels: readonly string[] | undefined,
  ): Promise<void> {
    const { view } = connection.slot;
    try {
      const isGone = () => connection.closed;
      const beginning = await history.locateStart(start, view.selection, view.flushedTo, isGone);
      await connection.waitUntilCaughtUp(beginning.position);
      if (connection.closed) return;
      const replaying = connection.start(beginning, (count, position) => {
        const resumed = start.from === 'position';
        const hello: Hello = {
          ...{ gateway, resumed, count, keepalive: keepAliveMs, now: Date.now() },
          ...(channels && { channels }),
        };
        return controlFrame('hello', position, hello, retryMs);
      });
      connection.socket.uncork(); // the head and the beginning of the stream go out in one write
      const replay = await replaying;
      if (start.from !== 'position') return;
      if (replay.gaps > 0) connections.totals.resumedWithGap++;
      else connections.totals.resumed++;
    } catch (error) {
      if (!(error instanceof BrokerUnavailable)) app.log.error({ err: error }, 'a stream failed');
      connection.socket.uncork();
      connections.disconnect(connection, 'not_ready');
    }
  }

  /** Answers without a stream: an EventSource gets a single `bye` that asks it to reconnect, all other clients get a problem. */
  function refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    code: RefusalReason,
    cause?: Error,
  ): FastifyReply {
    connections.totals.refused++;
    if (!needsStream(request)) throw refusalOf(code, cause);
    const { socket } = request.raw;
    reply.hijack();
    if (reply.raw.socket !== socket) {
      socket.destroy();
      return reply;
    }
    writeHead(request, reply);
    const bye = connections.closeFrame(code, cause instanceof ChannelsForbidden ? cause.message : undefined);
    const { framed, body } = Chunk.of([bye]);
    socket.write(isChunked(request) ? framed : body);
    if (isChunked(request)) socket.write(LAST_CHUNK);
    socket.destroySoon();
    return reply;
  }
}

/** HTTP/1.0 knows no chunks: there the body ends with the connection. */
function isChunked({ raw }: FastifyRequest): boolean {
  return raw.httpVersion !== '1.0';
}

function writeHead(request: FastifyRequest, reply: FastifyReply, gzip = false): void {
  const { socket } = request.raw;
  const lines = [isChunked(request) ? 'transfer-encoding: chunked' : 'connection: close'];
  if (gzip) lines.push('content-encoding: gzip');
  for (const [name, value] of [...HEAD, ...Object.entries(reply.getHeaders())])
    lines.push(`${name}: ${value}`);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 15_000);
  socket.write(`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\n\r\n`);
}

/** Whether `Accept-Encoding` names gzip, with a weight above 0. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((coding) => /^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(coding));
}
