import { describe, expect, it } from 'vitest';
import { definitionOf } from '../../src/tools/definition.ts';

const described = (inputSchema: Record<string, unknown>, description = 'Does it.') =>
  definitionOf({ name: 'act', description, inputSchema });

describe('a definition', () => {
  it('is what the server says, as a schema of an object', () => {
    const { description, parameters } = described({ $schema: 'https://json-schema.org/x', required: [] });
    expect(description).toBe('Does it.');
    expect(parameters).toEqual({ type: 'object', properties: {}, required: [] });
  });

  it('has a description that is cut, and no half of a character', () => {
    const { description } = described({}, '😀'.repeat(500_000));
    expect(description).toHaveLength(1_023);
    expect(description.isWellFormed()).toBe(true);
  });

  it('has a digest of all that is said, in whatever order', () => {
    const properties = { a: { type: 'string' } };
    const { digest } = described({ type: 'object', properties });
    expect(digest).toMatch(/^[0-9a-f]{16}$/);
    expect(described({ properties, type: 'object' }).digest).toBe(digest);
    expect(described({ properties, type: 'object' }, 'Does it now.').digest).not.toBe(digest);
    expect(described({ properties: { b: { type: 'string' } }, type: 'object' }).digest).not.toBe(digest);
    const long = 'x'.repeat(2_000);
    expect(described({}, `${long}a`).digest).not.toBe(described({}, `${long}b`).digest);
  });

  it('may refer to its own parts', () => {
    const schema = { properties: { a: { $ref: '#/$defs/a~1b' } }, $defs: { 'a/b': { type: 'string' } } };
    expect(described(schema).parameters.properties).toEqual(schema.properties);
  });

  const nested = (depth: number): object => (depth === 0 ? {} : { items: nested(depth - 1) });
  const doubling = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [
      `d${i}`,
      { anyOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
    ]),
  );
  it.each([
    ['that refers to itself', { $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }, 'refers to itself'],
    ['that refers to its whole', { properties: { a: { $ref: '#' } } }, 'refers to itself'],
    ['that is nested too deep', nested(1_000), 'nested too deep'],
    [
      'that is a multiple of itself',
      { $ref: '#/$defs/d0', $defs: { ...doubling, d20: {} } },
      'refers to itself',
    ],
    ['of another place', { properties: { a: { $ref: 'http://169.254.169.254/x' } } }, 'what is not in it'],
    ['of nowhere', { properties: { a: { $ref: '#/constructor' } } }, 'what is not in it'],
    ['of 20 kB', { description: 'x'.repeat(20_000) }, 'over 16384 bytes'],
    [
      'of 20 kB, before any reference in it is followed,',
      { description: 'x'.repeat(20_000), $ref: '#' },
      'over 16384 bytes',
    ],
    ['nested deeper than JSON can be written', nested(9_000), 'nested too deep'],
    ['of 5,200 parts', { enum: Array.from({ length: 5_200 }, () => ({})) }, 'nested too deep'],
  ])('with a schema %s is refused', (_, schema, reason) => {
    expect(() => described(schema as Record<string, unknown>)).toThrow(reason);
  });
});
