// Takes a socket for one stream: from then on the HTTP server reads no further request from it, and anything else that its
// client sends destroys it, unanswered.

import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextRound } from 'node:timers/promises';

/** The newest request that was read from a socket, and the responses on it that are not finished. */
interface Exchange {
  newest: IncomingMessage;
  unfinished: Set<ServerResponse>;
}

const exchanges = new WeakMap<Socket, Exchange>();
const claimed = new WeakSet<Socket>();

// Node publishes every request here before any handler runs: also those that no route and no hook sees, such as one that expects
// something unknown, and also on the second server that Fastify opens for `localhost`, whose events cannot be listened to.
subscribe('http.server.request.start', (message) => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
  const { socket } = request;
  const exchange = exchanges.get(socket);
  if (exchange) {
    exchange.newest = request;
    exchange.unfinished.add(response);
  } else {
    exchanges.set(socket, { newest: request, unfinished: new Set([response]) });
  }
  response.once('close', forget);
});

/** One function for all responses, so that a request costs no closure. A kept-alive socket does not keep its last request. */
function forget(this: ServerResponse): void {
  const { socket } = this.req;
  const exchange = exchanges.get(socket);
  exchange?.unfinished.delete(this);
  if (exchange?.unfinished.size === 0) exchanges.delete(socket);
}

/** Whether a stream or another answer is being written to the socket: a client would read anything else as a part of it. */
export function isAnswering(socket: Socket): boolean {
  if (claimed.has(socket)) return true;
  // A response that waits for those before it has no socket yet.
  for (const response of exchanges.get(socket)?.unfinished ?? [])
    if (response.socket === socket && response.headersSent && !response.writableEnded) return true;
  return false;
}

/**
 * Takes the socket for a stream once all requests before it have been answered. Undefined if the client is gone, or has sent
 * another request after this one: then the socket is destroyed.
 */
export async function claimSocket(
  request: IncomingMessage,
  reply: ServerResponse,
): Promise<Socket | undefined> {
  const { socket } = request;
  const isNewest = () => !socket.destroyed && exchanges.get(socket)?.newest === request;
  if (isNewest() && reply.socket === null)
    await new Promise<unknown>((go) => {
      reply.once('socket', go);
      socket.once('close', go);
    });
  // Node's parser may be in the middle of a packet, and would go on with the requests in the rest of it.
  await nextRound();
  if (!isNewest() || reply.socket !== socket) {
    socket.destroy();
    return undefined;
  }
  claimed.add(socket);
  // Otherwise the request and its response would stay in memory as long as the stream lasts.
  exchanges.delete(socket);
  listenAlone(socket, 'data');
  listenAlone(socket, 'end');
  return socket;
}

/**
 * Lets the socket be destroyed by this event, and nothing else happen by it. The listener is added before the others go: an event
 * that had no listener in between would be deleted from the socket's table, which then takes 1 kB more for each viewer
 * (RESULTS.md, "memory per idle viewer"). A listener for data also makes Node's parser give the socket back.
 */
function listenAlone(socket: Socket, event: 'data' | 'end'): void {
  const others = socket.rawListeners(event) as (() => void)[];
  socket.on(event, destroy);
  for (const other of others) socket.off(event, other);
}

/** One function for all sockets, so that a viewer costs no closure. */
function destroy(this: Socket): void {
  this.destroy();
}
