// A socket belongs to one stream: once that begins, the HTTP server reads no further request from it, and whatever else
// its client sends destroys it, unanswered.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextRound } from 'node:timers/promises';

/** What Node keeps on a socket: its parser, with the latest request that it has read, and the response whose turn it is. */
type HttpSocket = Socket & {
  parser?: { incoming: IncomingMessage | null } | null;
  _httpMessage?: ServerResponse | null;
};

const claimed = new WeakSet<Socket>();

/** Whether a stream or another answer goes on on the socket: whatever else is written now would be read as part of it. */
export function isAnswering(socket: HttpSocket): boolean {
  const answer = socket._httpMessage;
  return claimed.has(socket) || (answer?.headersSent === true && !answer.writableEnded);
}

/**
 * Takes the socket for a stream when all requests before it have been answered. Undefined where the client has gone, or
 * has sent another request behind this one: such a socket is destroyed.
 */
export async function claimSocket(
  request: IncomingMessage,
  reply: ServerResponse,
): Promise<Socket | undefined> {
  const socket: HttpSocket = request.socket;
  const isLast = () => !socket.destroyed && socket.parser?.incoming === request;
  if (isLast() && reply.socket === null)
    await new Promise<unknown>((go) => {
      reply.once('socket', go);
      socket.once('close', go);
    });
  // Here the parser may be in the middle of a packet, and would go on with the requests in the rest of it.
  await nextRound();
  if (!isLast() || reply.socket !== socket) {
    socket.destroy();
    return undefined;
  }
  claimed.add(socket);
  socket.removeAllListeners('data');
  socket.removeAllListeners('end');
  // Listening for data also makes the parser give the socket back.
  socket.on('data', destroy);
  socket.on('end', destroy);
  return socket;
}

/** One function for all sockets, so that a viewer costs no closure. */
function destroy(this: Socket): void {
  this.destroy();
}
