import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Prompts, parsePrompts } from '../../src/runs/prompts.ts';

const file = (system: string) =>
  JSON.stringify({
    tasks: [{ name: 'llm-1', system }],
    combiner: { name: 'llm-combine', system: 'Combine.' },
  });

describe('the shipped prompts', () => {
  it('are a creative task, a careful task and a combiner', () => {
    const text = readFileSync(new URL('../../prompts.json', import.meta.url), 'utf8');
    const { tasks, combiner } = parsePrompts(text);
    expect(tasks.map(({ name }) => name)).toEqual(['llm-1', 'llm-2']);
    expect(combiner.name).toBe('llm-combine');
  });
});

describe('a prompts file', () => {
  it('has the same version for the same content, however it is laid out', () => {
    const pretty = JSON.stringify(JSON.parse(file('a')), null, 4);
    expect(parsePrompts(pretty).version).toBe(parsePrompts(file('a')).version);
    expect(parsePrompts(file('b')).version).not.toBe(parsePrompts(file('a')).version);
  });

  const task = { name: 'llm-1', system: 'x' };
  const combiner = { name: 'c', system: 'x' };
  it.each([
    ['no JSON', '{', /not JSON/],
    ['no task', { tasks: [], combiner }, /tasks/],
    ['an unknown key', { tasks: [{ ...task, api_key: 'sk' }], combiner }, /api_key/],
    ['two lanes of one name', { tasks: [task, task], combiner }, /name of its own/],
    ['a task with the name of the combiner', { tasks: [task], combiner: task }, /name of its own/],
    ['a name that is no label', { tasks: [{ ...task, name: 'A b' }], combiner }, /a-z/],
    ['a password in a URL', { tasks: [{ ...task, base_url: 'http://a:b@h/v1' }], combiner }, /key_env/],
    ['a key in place of its name', { tasks: [{ ...task, key_env: 'sk-abc' }], combiner }, /environment/],
  ])('with %s is refused with the place', (_, content, message) => {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    expect(() => parsePrompts(text)).toThrow(message);
  });
});

describe('while it runs', () => {
  let folder: string;
  let path: string;
  let prompts: Prompts | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'prompts-'));
    path = join(folder, 'prompts.json');
    writeFileSync(path, file('first'));
  });
  afterEach(() => {
    prompts?.close();
    rmSync(folder, { recursive: true });
  });
  const systemNow = () => prompts?.current.tasks[0]?.system;

  it('takes up an edit, also one that replaces the file', async () => {
    prompts = new Prompts({ path, pollMs: 10 });
    writeFileSync(path, file('second'));
    await vi.waitFor(() => expect(systemNow()).toBe('second'), 5000);
    writeFileSync(`${path}.new`, file('third'));
    renameSync(`${path}.new`, path);
    await vi.waitFor(() => expect(systemNow()).toBe('third'), 5000);
  });

  it('keeps the last good prompts through a broken edit, says so, and recovers', async () => {
    const broken: string[] = [];
    prompts = new Prompts({ path, pollMs: 10, onBroken: (reason) => broken.push(reason) });
    writeFileSync(path, '{"tasks": [');
    await vi.waitFor(() => expect(broken.at(-1)).toMatch(/not JSON/), 5000);
    expect(systemNow()).toBe('first');
    rmSync(path);
    await vi.waitFor(() => expect(broken.at(-1)).toMatch(/cannot be read/), 5000);
    expect(systemNow()).toBe('first');
    writeFileSync(path, file('mended'));
    await vi.waitFor(() => expect(systemNow()).toBe('mended'), 5000);
  });

  it('refuses an edit that its check refuses', async () => {
    const broken: string[] = [];
    const check = ({ tasks }: { tasks: readonly { system: string }[] }) =>
      tasks[0]?.system === 'keyless' ? 'llm-1 has no key' : undefined;
    prompts = new Prompts({ path, pollMs: 10, check, onBroken: (reason) => broken.push(reason) });
    writeFileSync(path, file('keyless'));
    await vi.waitFor(() => expect(broken).toEqual(['llm-1 has no key']), 5000);
    expect(systemNow()).toBe('first');
  });

  it('does not start with a broken file', () => {
    writeFileSync(path, '[]');
    expect(() => new Prompts({ path })).toThrow();
  });
});
