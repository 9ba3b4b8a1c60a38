// Bounds the memory that bodies take, of all routes together and of each client: from when a request begins to arrive until it is
// answered. A body of a known length takes its place at once, any other one as it comes. Who finds no room may come again.

import { PassThrough, type Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { FairBudget } from '../../fair-budget.ts';
import { sharerOf } from '../../sharer-of.ts';
import { HttpError } from '../errors.ts';

const MAX_ARRIVING_BYTES = 67_108_864;
/** One client may hold half of it, and the largest body of any route fits into that. */
const LARGEST_BODY = MAX_ARRIVING_BYTES / 2;

declare module 'fastify' {
  interface FastifyRequest {
    /** What its body takes now; see `bodyIsUsed`. */
    bodyBytes: number;
    /** To be called by a route that answers for long, and has no use for the body any more. */
    bodyIsUsed(): void;
  }
}

export function arrivingBodies(app: FastifyInstance): void {
  const budget = new FairBudget(MAX_ARRIVING_BYTES);
  const sharer = ({ grantedAccess, ip }: FastifyRequest) => sharerOf(grantedAccess?.principal, ip);

  app.decorateRequest('bodyBytes', 0);
  app.decorateRequest('bodyIsUsed', () => {});
  app.addHook('preParsing', (request, reply, payload, done) => {
    const { headers } = request;
    const declared = Number(headers['content-length'] ?? 0);
    const isKnown = headers['transfer-encoding'] === undefined;
    if (isKnown && declared === 0) return done(null, payload);
    const refuse = (error: HttpError) => {
      payload.resume(); // thrown away as it comes: a connection that ended first would take the answer with it
      done(error);
    };
    if (isKnown && declared > LARGEST_BODY) return refuse(tooLarge());
    const who = sharer(request);
    request.bodyIsUsed = () => {
      budget.give(who, request.bodyBytes);
      request.bodyBytes = 0;
    };
    reply.raw.once('close', request.bodyIsUsed);
    const take = (bytes: number): boolean => {
      if (!budget.fits(who, bytes)) return false;
      budget.take(who, bytes);
      request.bodyBytes += bytes;
      return true;
    };
    if (!isKnown) return done(null, counted(payload, take));
    if (take(declared)) return done(null, payload);
    refuse(tooMuch());
  });
}

/** The same body, until `take` refuses a piece. It is not destroyed then: that would end the connection before the answer. */
function counted(body: Readable, take: (bytes: number) => boolean): Readable {
  const out = new PassThrough();
  const stop = (error: Error) => {
    body.unpipe(out);
    body.off('data', onData);
    body.resume();
    out.destroy(error);
  };
  let size = 0;
  const onData = (chunk: Buffer) => {
    size += chunk.length;
    if (size > LARGEST_BODY) stop(tooLarge());
    else if (!take(chunk.length)) stop(tooMuch());
  };
  // Who reads it may begin later, and then sees that it was destroyed. Without a listener the error would end the process.
  out.on('error', () => {});
  body.on('data', onData);
  body.once('close', () => {
    if (!body.readableEnded) stop(new HttpError('invalid_request', 'the request ended before its body'));
  });
  body.pipe(out);
  return out;
}

/** No repetition helps, so that this is not the answer to a lack of room. */
function tooLarge(): HttpError {
  return new HttpError('body_too_large', `no body may have more than ${LARGEST_BODY} bytes`);
}

function tooMuch(): HttpError {
  return new HttpError('too_much_arriving', 'too many requests are arriving; send the same again');
}
