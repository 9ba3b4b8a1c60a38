// Warns an operator whose proxy is not among the addresses of TRUST_PROXY: all its clients then count as one address, so that one of
// them can use up the limits of all. At most one line a minute, since anybody can send the header.

import type { Logger } from '@llm-streamer/shared/logger.ts';
import type { FastifyInstance } from 'fastify';
import { LineLimiter } from '../../line-limiter.ts';

const EVERY_MS = 60_000;

export function unnamedProxy(app: FastifyInstance, logger: Logger): void {
  const lines = new LineLimiter(EVERY_MS);
  app.addHook('onRequest', (request, _reply, done) => {
    const isUnnamed = request.headers['x-forwarded-for'] !== undefined && !isThroughTrusted(request.ips);
    if (isUnnamed && lines.take() > 0)
      logger.warn(
        { peer: request.socket.remoteAddress },
        'a request with X-Forwarded-For came from an address that TRUST_PROXY does not name; if it is your proxy, name it, or all its clients count as one',
      );
    done();
  });
}

/** Fastify gives the addresses from the peer on, as far as each one is trusted to name the next. */
function isThroughTrusted(addresses: readonly string[] | undefined): boolean {
  return addresses !== undefined && addresses.length > 1;
}
