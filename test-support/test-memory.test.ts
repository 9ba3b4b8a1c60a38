// Test runs are remembered only if they passed, and only while no file has changed.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyOf, TestMemory } from './test-memory.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'test-memory-'));
  mkdirSync(join(root, 'src'));
  mkdirSync(join(root, 'node_modules'));
  writeFileSync(join(root, 'src', 'a.ts'), 'one');
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the key of a tree', () => {
  it('stays while only what tools make has changed', () => {
    const before = keyOf(root, 'v1');
    writeFileSync(join(root, 'node_modules', 'x.js'), 'x');
    writeFileSync(join(root, 'redis.log'), 'x');
    expect(keyOf(root, 'v1')).toBe(before);
  });

  it.each<[string, () => void]>([
    ['a file changes', () => writeFileSync(join(root, 'src', 'a.ts'), 'two')],
    ['a file comes', () => writeFileSync(join(root, 'src', 'b.ts'), '')],
    ['a file goes', () => rmSync(join(root, 'src', 'a.ts'))],
    ['a file is renamed', () => renameSync(join(root, 'src', 'a.ts'), join(root, 'src', 'b.ts'))],
  ])('differs when %s', (_, change) => {
    const before = keyOf(root, 'v1');
    change();
    expect(keyOf(root, 'v1')).not.toBe(before);
  });

  it('differs with the programs that the tests run against', () => {
    expect(keyOf(root, 'v1')).not.toBe(keyOf(root, 'v2'));
  });
});

describe('the memory', () => {
  const store = () => join(root, 'cache', 'passed.json');

  it('adds up over runs on the same tree', () => {
    new TestMemory(store(), 'k').learn({ 'a.test.ts': 3 }, []);
    new TestMemory(store(), 'k').learn({ 'b.test.ts': 1 }, []);
    expect(new TestMemory(store(), 'k').passed).toEqual({ 'a.test.ts': 3, 'b.test.ts': 1 });
  });

  it('forgets what has failed since', () => {
    new TestMemory(store(), 'k').learn({ 'a.test.ts': 3 }, []);
    new TestMemory(store(), 'k').learn({}, ['a.test.ts']);
    expect(new TestMemory(store(), 'k').passed).toEqual({});
  });

  it('knows nothing of another tree, nor of a store that is broken', () => {
    new TestMemory(store(), 'k').learn({ 'a.test.ts': 3 }, []);
    expect(new TestMemory(store(), 'other').passed).toEqual({});
    writeFileSync(store(), '{"key":');
    expect(new TestMemory(store(), 'k').passed).toEqual({});
  });
});
