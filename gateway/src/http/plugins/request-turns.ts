// Requests are answered in turns: so many in each round of the event loop, first come, first served. However many come at
// once, what is live waits for one round at most.

import type { RequestListener } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { Turns } from '../../stream/turns.ts';

/** What it costs to begin an answer, as bytes that could be copied in that time. */
const REQUEST_BYTES = 65_536;

/** The server hands each request over as before, only later where many have come. */
export function requestTurns({ server }: FastifyInstance): void {
  const turns = new Turns();
  const answers = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const answer = () => {
      for (const listener of answers) listener.call(server, request, response);
    };
    const turn = turns.next(REQUEST_BYTES);
    if (turn === undefined) answer();
    else void turn.then(() => response.destroyed || answer());
  });
}
