import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Prompts, parsePrompts } from '../../src/runs/prompts.ts';
import { PATIENCE_MS } from '../llm/collect.ts';

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

  it('has the same version whatever models cost', () => {
    const prices = { currency: 'EUR', models: [{ model: 'm*', input: 0.1, output: 2 }] };
    const priced = parsePrompts(JSON.stringify({ ...JSON.parse(file('a')), prices }));
    expect(priced.version).toBe(parsePrompts(file('a')).version);
    expect(priced.prices).toEqual(prices);
  });

  const task = { name: 'llm-1', system: 'x' };
  const combiner = { name: 'c', system: 'x' };
  it.each([
    ['no JSON', '{\n "tasks": [}', 'not JSON, near line 2'],
    ['half of it', '{"tasks": [\n', 'not JSON, near line 2'],
    ['nothing', '', 'the file is empty'],
    ['a list', [], 'the file: must be an object with tasks and combiner'],
    ['no task', { tasks: [], combiner }, 'tasks: must be a list of 1 to 16 tasks'],
    ['no combiner', { tasks: [task] }, 'combiner: must be an object with name and system'],
    [
      'an empty prompt',
      { tasks: [task], combiner: { ...combiner, system: '' } },
      'combiner.system: must be a text',
    ],
    [
      'a typo',
      { tasks: [{ ...task, modle: 'x' }], combiner },
      'tasks[0]: unknown modle; known are name, system',
    ],
    [
      'a price below 0',
      {
        tasks: [task],
        combiner,
        prices: { currency: 'USD', models: [{ model: 'm', input: -1, output: 0 }] },
      },
      'prices.models[0].input: must be a number from 0',
    ],
    [
      'two prices of one model',
      {
        tasks: [task],
        combiner,
        prices: { currency: 'USD', models: Array(2).fill({ model: 'm', input: 1, output: 1 }) },
      },
      'every model needs a name of its own',
    ],
    [
      'a currency that is none',
      { tasks: [task], combiner, prices: { currency: 'dollars', models: [] } },
      'prices.currency: must be the three letters',
    ],
    ['a typo on top', { tasks: [task], combiner, x: 1 }, 'the file: unknown x; known are tasks, combiner'],
    [
      'two lanes of one name',
      { tasks: [task, task], combiner },
      'every task and the combiner needs a name of its own',
    ],
    ['a task with the name of the combiner', { tasks: [task], combiner: task }, 'needs a name of its own'],
    [
      'a name that is no label',
      { tasks: [{ ...task, name: 'A b' }], combiner },
      'tasks[0].name: must be 1 to 40 of',
    ],
    ['a user in a URL', { tasks: [{ ...task, base_url: 'http://a:b@h/v1' }], combiner }, 'use key_env'],
    ['a password in a URL', { tasks: [{ ...task, base_url: 'http://:b@h/v1' }], combiner }, 'use key_env'],
    ['a URL that is none', { tasks: [{ ...task, base_url: 'h/v1' }], combiner }, 'must look like https://'],
    [
      'a key in place of its name',
      { tasks: [{ ...task, key_env: 'sk-abc' }], combiner },
      'environment variable',
    ],
    [
      'much heat',
      { tasks: [{ ...task, temperature: 9 }], combiner },
      'tasks[0].temperature: must be a number from 0 to 2',
    ],
    ['no tokens', { tasks: [{ ...task, max_tokens: 0 }], combiner }, 'must be a whole number from 1 to'],
  ])('with %s is refused in one line with the place and what is allowed', (_, content, message) => {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    expect(() => parsePrompts(text)).toThrow(message);
    expect(() => parsePrompts(text)).not.toThrow(/\n|✖|expected/i);
  });

  it.each([
    '{"tasks":[{"name":"llm-1","system":secret prompt}]}',
    '{"tasks":[{"name":"llm-1","system":"secret prompt"} "secret prompt"]}',
    'secret prompt',
  ])('that is broken is not quoted: %s', (text) => {
    expect(() => parsePrompts(text)).toThrow('not JSON, near line 1');
    expect(() => parsePrompts(text)).not.toThrow(/secr|prompt/);
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
    await vi.waitFor(() => expect(systemNow()).toBe('second'), PATIENCE_MS);
    writeFileSync(`${path}.new`, file('third'));
    renameSync(`${path}.new`, path);
    await vi.waitFor(() => expect(systemNow()).toBe('third'), PATIENCE_MS);
  });

  it('keeps the last good prompts through a broken edit, says so, and recovers', async () => {
    const broken: string[] = [];
    prompts = new Prompts({ path, pollMs: 10, onBroken: (reason) => broken.push(reason) });
    writeFileSync(path, '{"tasks": [');
    await vi.waitFor(() => expect(broken.at(-1)).toMatch(/not JSON/), PATIENCE_MS);
    expect(systemNow()).toBe('first');
    rmSync(path);
    await vi.waitFor(() => expect(broken.at(-1)).toMatch(/cannot be read/), PATIENCE_MS);
    expect(systemNow()).toBe('first');
    writeFileSync(path, file('mended'));
    await vi.waitFor(() => expect(systemNow()).toBe('mended'), PATIENCE_MS);
  });

  it('refuses an edit that its check refuses', async () => {
    const broken: string[] = [];
    const check = ({ tasks }: { tasks: readonly { system: string }[] }) =>
      tasks[0]?.system === 'keyless' ? 'llm-1 has no key' : undefined;
    prompts = new Prompts({ path, pollMs: 10, check, onBroken: (reason) => broken.push(reason) });
    writeFileSync(path, file('keyless'));
    await vi.waitFor(() => expect(broken).toEqual(['llm-1 has no key']), PATIENCE_MS);
    expect(systemNow()).toBe('first');
  });

  it('does not start with a broken file', () => {
    writeFileSync(path, '[]');
    expect(() => new Prompts({ path })).toThrow();
  });
});
