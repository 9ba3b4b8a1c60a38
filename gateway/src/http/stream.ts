// GET /stream: live entries over SSE. Writes the response head itself and keeps nothing of the request but its socket.

import { BrokerUnavailable, ChannelsForbidden } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import type { History } from '../stream/history/history.ts';
import type { Hub } from '../stream/live/hub.ts';
import type { View } from '../stream/live/view.ts';
import { parseSelection, parseStart, type Start } from '../stream/query/query.ts';
import { Connection } from '../stream/viewer/connection.ts';
import { CLOSE_REASONS, type CloseReason, type Connections } from '../stream/viewer/connections.ts';
import { Chunk, LAST_CHUNK } from '../stream/wire/chunk.ts';
import { controlFrame } from '../stream/wire/frame.ts';
import { claimSocket } from './claim-socket.ts';
import { HttpError } from './errors.ts';
import { refuseBody } from './refuse-body.ts';

export interface StreamServices {
  hub: Hub;
  history: History;
  viewers: Connections;
  /** Names this process in `hello`. */
  gateway: string;
  keepAliveMs: number;
  retryMs: number;
}

const HEAD = [
  ['content-type', 'text/event-stream; charset=utf-8'],
  ['cache-control', 'no-store, no-transform'],
  ['vary', 'accept-encoding'],
  ['x-accel-buffering', 'no'],
] as const;

/** What it costs to begin a stream, as bytes that could be copied in that time. */
const BEGINNING_BYTES = 65_536;

export function streamRoute(app: FastifyInstance, services: StreamServices): void {
  const { hub, history, viewers, gateway, keepAliveMs, retryMs } = services;

  // What a GET would answer, without a stream that nobody may read.
  app.head<{ Querystring: Record<string, unknown> }>('/stream', async (request, reply) => {
    parseSelection(request.query);
    for (const [name, value] of HEAD) reply.header(name, value);
    return reply.send();
  });

  // However many come at once, what is live waits for a few of them only. Not one that is pipelined behind others: it has no
  // answer yet that would hold its client back while it waits.
  const onRequest: onRequestHookHandler = (request, reply, done) => {
    const turn = reply.raw.socket === null ? undefined : history.writeBudget.acquire(BEGINNING_BYTES);
    if (turn === undefined) done();
    else turn.then(() => request.raw.socket.destroyed || done()).catch(done);
  };

  const options = { onRequest: [refuseBody, onRequest], config: { saysGoodbye: true as const } };
  app.get<{ Querystring: Record<string, unknown> }>('/stream', options, async (request, reply) => {
    const selection = parseSelection(request.query);
    const header = request.headers['last-event-id'];
    const start = parseStart(request.query, header === '' ? undefined : header?.toString(), Date.now());

    const refused = await viewers.admit(request.ip);
    if (refused) return refuse(request, reply, refused);
    const full = hub.refusal(selection);
    if (full) {
      viewers.giveBack(request.ip);
      return refuse(request, reply, full);
    }
    let view: View;
    try {
      view = await hub.acquire(selection);
    } catch (error) {
      viewers.giveBack(request.ip);
      if (error instanceof BrokerUnavailable) return refuse(request, reply, 'not_ready', error);
      if (error instanceof ChannelsForbidden) return refuse(request, reply, 'channels_forbidden', error);
      throw error;
    }
    await history.writeBudget.acquire(BEGINNING_BYTES);
    const socket = await claimSocket(request.raw, reply.raw);
    // The gateway may have begun to stop meanwhile.
    if (socket === undefined || viewers.closing) {
      hub.release(view);
      viewers.giveBack(request.ip);
      return socket === undefined ? reply.hijack() : refuse(request, reply, 'shutdown');
    }

    reply.hijack();
    const chunked = request.raw.httpVersion !== '1.0';
    const compressed = acceptsGzip(request.headers['accept-encoding']) ? hub.acquireCompressed(view) : null;
    socket.cork();
    writeHead(request, reply, chunked, compressed !== null);
    // The socket would keep the response, and with it all that was made for the request, as long as the stream lasts.
    reply.raw.detachSocket(socket);
    const connection = new Connection(socket, view, compressed, history, chunked);
    viewers.addConnection(connection, request.ip);
    serve(connection, start).catch((error) => app.log.error({ err: error }, 'a stream failed'));
    return reply;
  });

  async function serve(connection: Connection, start: Start): Promise<void> {
    const { view } = connection;
    try {
      const isGone = () => connection.closed;
      const beginning = await history.locateStart(start, view.selection, view.flushedTo, isGone);
      await connection.waitUntilCaughtUp(beginning.position);
      if (connection.closed) return;
      const replaying = connection.start(beginning, (count, position) => {
        const now = Date.now();
        const resumed = start.from === 'position';
        return controlFrame(
          'hello',
          position,
          { gateway, resumed, count, keepalive: keepAliveMs, now },
          retryMs,
        );
      });
      connection.socket.uncork(); // the head and what the stream begins with, in one write
      const replay = await replaying;
      if (start.from !== 'position') return;
      if (replay.gaps > 0) viewers.totals.resumedWithGap++;
      else viewers.totals.resumed++;
    } catch (error) {
      if (!(error instanceof BrokerUnavailable)) app.log.error({ err: error }, 'a stream failed');
      connection.socket.uncork();
      viewers.disconnect(connection, 'not_ready');
    }
  }

  /** A native EventSource gives up for ever on any status but 200: it is told in the stream to come back. */
  function refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    code: Exclude<CloseReason, 'lifetime'>,
    cause?: Error,
  ): FastifyReply {
    viewers.totals.refused++;
    if (!request.headers.accept?.includes('text/event-stream')) {
      if (cause instanceof ChannelsForbidden) throw cause;
      throw new HttpError(
        code === 'not_ready' ? 'broker_unavailable' : code,
        cause?.message ?? CLOSE_REASONS[code],
      );
    }
    const chunked = request.raw.httpVersion !== '1.0';
    const { socket } = request.raw;
    reply.hijack();
    if (reply.raw.socket !== socket) {
      socket.destroy();
      return reply;
    }
    writeHead(request, reply, chunked);
    const { framed, body } = Chunk.of([
      viewers.closeFrame(code, cause instanceof ChannelsForbidden ? cause.message : undefined),
    ]);
    socket.write(chunked ? framed : body);
    if (chunked) socket.write(LAST_CHUNK);
    socket.destroySoon();
    return reply;
  }
}

function writeHead({ raw }: FastifyRequest, reply: FastifyReply, chunked: boolean, gzip = false): void {
  const lines = [chunked ? 'transfer-encoding: chunked' : 'connection: close'];
  if (gzip) lines.push('content-encoding: gzip');
  for (const [name, value] of [...HEAD, ...Object.entries(reply.getHeaders())])
    lines.push(`${name}: ${value}`);
  raw.socket.setNoDelay(true);
  raw.socket.setKeepAlive(true, 15_000);
  raw.socket.write(`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\n\r\n`);
}

/** Whether `Accept-Encoding` names gzip, with a weight above 0. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((coding) => /^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(coding));
}
