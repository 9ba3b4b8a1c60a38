// Reads a JSON file of the operator by a schema. A file that is not valid is refused with the place of each mistake, and none of its texts:
// prompts must not get into logs.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { z } from 'zod';

/** An object with these fields and no others: a misspelt field would otherwise be ignored silently. */
export const object = <Shape extends z.ZodRawShape>(shape: Shape, rule: string) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown ${issue.keys.join(', ')}; known are ${Object.keys(shape).join(', ')}`
        : rule,
  });

/** @throws CodedError with this code */
export function parseFile<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
  code: string,
): z.output<Schema> {
  const result = schema.safeParse(parseJson(text, code));
  if (result.success) return result.data;
  throw new CodedError(code, result.error.issues.map(complaintOf).join('; '));
}

function complaintOf({ path, message }: z.core.$ZodIssue): string {
  return `${path.length > 0 ? z.core.toDotPath(path) : 'the file'}: ${message}`;
}

function parseJson(text: string, code: string): unknown {
  if (text.trim() === '') throw new CodedError(code, 'the file is empty');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CodedError(code, `not JSON, near line ${lineOf(error as Error, text)}`);
  }
}

/** The line where the parser stopped. Its own message quotes the file. */
function lineOf({ message }: Error, text: string): string | number {
  const line = /\(line (\d+) /.exec(message)?.[1];
  if (line !== undefined) return line;
  const around = / (?:\.\.\.)?"(.*)"(?:\.\.\.)? is not valid JSON$/s.exec(message)?.[1];
  const until = around === undefined ? text.length : text.indexOf(around) + around.length / 2;
  return text.slice(0, until).split('\n').length;
}
