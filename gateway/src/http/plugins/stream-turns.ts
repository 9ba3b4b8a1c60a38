// Requests for a stream are answered in turns, so many in each round of the event loop, first come, first served: however
// many viewers come back at once, what is live waits for one round at most. Nothing else waits.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { Turns } from '../../stream/turns.ts';

/** What it costs to answer one, as bytes that could be copied in that time. */
const REQUEST_BYTES = 65_536;

/** `path` is that of the stream, without a query. */
export function streamTurns({ server }: FastifyInstance, path: string): void {
  const turns = new Turns();
  const answers = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const answer = () => {
      for (const listener of answers) listener.call(server, request, response);
    };
    const turn = beginsStream(request, response, path) ? turns.next(REQUEST_BYTES) : undefined;
    if (turn === undefined) answer();
    else void turn.then(answer);
  });
}

/**
 * One a connection at most: a response without a socket is pipelined behind others, and with no bytes of its own it would
 * not hold its client back while it waits.
 */
function beginsStream(
  { method, url = '' }: IncomingMessage,
  response: ServerResponse,
  path: string,
): boolean {
  return method === 'GET' && response.socket !== null && (url === path || url.startsWith(`${path}?`));
}
