// Routes that take JSON: no other form is accepted, and what does not fit is refused with the name of the field and its rule.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';

/** A scope whose routes take JSON alone: a form of another page can send text, and no JSON. */
export function jsonScope(app: FastifyInstance, routes: (scope: FastifyInstance) => void): void {
  app.register(async (scope) => {
    scope.removeContentTypeParser('text/plain');
    routes(scope);
  });
}

/**
 * @param example shown to those whose body has no form at all; by default they are told the names of the fields
 * @throws CodedError `invalid_body`, which names the field and what is allowed, and quotes nothing
 */
export function parseBody<T extends z.ZodObject>(schema: T, body: unknown, example?: string): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const fields = Object.keys(schema.shape).join(', ');
  if (body === undefined && example !== undefined)
    throw new CodedError('invalid_body', `the body is missing; send ${example}`);
  const issue = result.error.issues[0];
  const unknown = issue?.code === 'unrecognized_keys';
  const field = unknown ? issue.keys[0]?.slice(0, 100) : issue?.path[0]?.toString();
  const form = example === undefined ? `a JSON object with ${fields}` : `an object like ${example}`;
  if (issue === undefined || field === undefined)
    throw new CodedError('invalid_body', `the body must be ${form}`);
  const rule = unknown ? `unknown field; known are ${fields}` : issue.message;
  throw new CodedError('invalid_body', `${field}: ${rule}`, { field });
}
