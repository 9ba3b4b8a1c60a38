// Routes of chat clients that send the whole conversation with each question: what such a body may be. The client's copy of what was said is
// never believed, since that is in the log; the newest question, or an answer to what a run has asked, is all that is taken from it.

import type { FastifyInstance } from 'fastify';
import { checkShape } from '../shippers/json-shape.ts';
import { checkLength } from './begin-run.ts';
import { HttpError } from './errors.ts';
import { jsonScope } from './json-body.ts';

export const CHAT_BODY_BYTES = 1_048_576;
const SHAPE = { values: 50_000, members: 1_000, depth: 64 };

export function chatScope(app: FastifyInstance, routes: (scope: FastifyInstance) => void): void {
  jsonScope(app, (scope) => {
    const parseJson = scope.getDefaultJsonParser('error', 'error');
    scope.removeContentTypeParser('application/json');
    scope.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
      // A megabyte of names would hold the event loop for a tenth of a second.
      checkShape(text.toString(), SHAPE)
        .then(() => parseJson(request, text.toString(), done))
        .catch(done);
    });
    routes(scope);
  });
}

/** The words of a question. @throws HttpError `invalid_body`, `message_too_long` */
export function wordsOf(texts: readonly string[]): string {
  const words = texts.join('\n');
  if (words.trim() === '') throw invalidMessages('the last question needs a part with text');
  checkLength(words, 'messages');
  return words;
}

export function invalidMessages(rule: string): HttpError {
  return new HttpError('invalid_body', `messages: ${rule}`, { field: 'messages' });
}
