// What a server says of a tool, bounded: models pay for each of its words with every request, and services refuse a whole request for one
// schema that they cannot read.

import { createHash } from 'node:crypto';
import { CodedError } from '@llm-streamer/shared/errors.ts';

const MAX_DESCRIPTION = 1_024;
const MAX_SCHEMA_BYTES = 16_384;
/** Steps from the top of a schema to its innermost part, references among them: one that refers to itself has no end. */
const MAX_DEPTH = 24;
/** Parts of a schema, each counted as often as something refers to it. */
const MAX_PARTS = 5_000;

export interface Definition {
  description: string;
  /** JSON Schema of an object. */
  parameters: Readonly<Record<string, unknown>>;
  /** Sixteen hex digits of its name, description and schema: with another description it is another tool. */
  digest: string;
}

interface Described {
  name: string;
  description?: string | undefined;
  inputSchema: Readonly<Record<string, unknown>>;
}

/** @throws CodedError that says why models cannot be given this tool, in words of ours. */
export function definitionOf({ name, description = '', inputSchema }: Described): Definition {
  const complaint = schemaComplaint(inputSchema);
  if (complaint !== undefined) throw new CodedError('unusable_tool', complaint);
  const { $schema: _, ...schema } = inputSchema;
  const text = JSON.stringify(sorted([name, description, inputSchema]));
  return {
    description: shortened(description.toWellFormed()),
    parameters: { ...schema, type: 'object', properties: schema.properties ?? {} },
    digest: createHash('sha256').update(text).digest('hex').slice(0, 16),
  };
}

function shortened(text: string): string {
  if (text.length <= MAX_DESCRIPTION) return text;
  return `${text.slice(0, MAX_DESCRIPTION - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

function schemaComplaint(schema: Readonly<Record<string, unknown>>): string | undefined {
  // First: what follows takes a time that grows with the length of each reference, as often as it is met.
  if (isLong(schema)) return `its schema is over ${MAX_SCHEMA_BYTES} bytes, or is nested too deep`;
  const targets = new Map<string, unknown>();
  let parts = 0;
  const walk = (part: unknown, depth: number): string | undefined => {
    if (typeof part !== 'object' || part === null) return undefined;
    if (depth > MAX_DEPTH || ++parts > MAX_PARTS) return 'its schema refers to itself, or is nested too deep';
    const { $ref } = part as { $ref?: unknown };
    if (typeof $ref === 'string') {
      if (!targets.has($ref)) targets.set($ref, targetOf($ref, schema));
      const target = targets.get($ref);
      if (target === undefined) return 'its schema refers to what is not in it';
      const complaint = walk(target, depth + 1);
      if (complaint !== undefined) return complaint;
    }
    for (const value of Object.values(part)) {
      const complaint = walk(value, depth + 1);
      if (complaint !== undefined) return complaint;
    }
    return undefined;
  };
  return walk(schema, 0);
}

function isLong(schema: unknown): boolean {
  try {
    return Buffer.byteLength(JSON.stringify(schema)) > MAX_SCHEMA_BYTES;
  } catch {
    return true; // nested deeper than JSON can be written
  }
}

/** The part that a JSON Pointer of the same document names. Nothing is fetched from elsewhere. */
function targetOf(reference: string, schema: unknown): unknown {
  if (reference === '#') return schema;
  if (!reference.startsWith('#/')) return undefined;
  let at: unknown = schema;
  for (const step of reference.slice(2).split('/')) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

/** The same value with the keys of its objects in order: a server that writes them in another order has not changed its tool. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, each]) => [key, sorted(each)]);
}
