import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { type SimulatorProcess, servedBy, startSimulator } from '../../../test-support/simulator.ts';
import { FAULTS } from '../../src/llm/simulator/simulator-faults.ts';
import {
  type RunEvent,
  readRun,
  readRunThrough,
  type ServedGateway,
  startGateway,
  startRun,
  textOf,
} from './run-fleet.ts';

// Each test starts processes and waits until leases run out, which takes minutes on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const gateways: ServedGateway[] = [];
const services: SimulatorProcess[] = [];
afterEach(async () => {
  await Promise.all(
    [...gateways.splice(0), ...services.splice(0)].map(({ process }) => process.stop('SIGKILL')),
  );
});

/** The variables of a gateway whose models take `delay` ms for each token, and send `chunk` tokens at a time. */
async function models(delay: number, chunk: number): Promise<Record<string, string>> {
  const service = await startSimulator('--delay', `${delay}`, '--chunk', `${chunk}`);
  services.push(service);
  // On a busy machine, a hundred runs may wait long for their models.
  const patience = {
    RUN_TIMEOUT_MS: '600000',
    LLM_FIRST_CONTENT_TIMEOUT_MS: '120000',
    LLM_CHUNK_TIMEOUT_MS: '120000',
  };
  return { ...servedBy(service), ...patience };
}

/** Two gateways on one log. */
async function pair(
  env: Record<string, string> = {},
  second: Record<string, string> = {},
): Promise<[ServedGateway, ServedGateway]> {
  const both = { REDIS_URL: redis.url, NAMESPACE: randomNamespace(), LOG_LEVEL: 'info', ...env };
  const started = await Promise.all([startGateway(both), startGateway({ ...both, ...second })]);
  gateways.push(...started);
  return started as [ServedGateway, ServedGateway];
}

const finals = (events: readonly RunEvent[]) => events.filter(({ data }) => data.final);
const ids = (events: readonly RunEvent[]) => events.map(({ id }) => id);

describe('a hundred runs on two gateways', () => {
  it('reach two readers each, complete, in order and once, half of them dropped and resumed elsewhere', async () => {
    const [a, b] = await pair(await models(10, 4));
    const runs = Array.from({ length: 100 }, (_, i) => `run-${i}`);
    await Promise.all(runs.map((id, i) => startRun(i % 2 ? a.url : b.url, id)));
    const readings = await Promise.all(
      runs.map((id, i) => {
        const [near, far] = i % 2 ? [a.url, b.url] : [b.url, a.url];
        return Promise.all([
          readRunThrough([near, far], id),
          readRunThrough([far, near], id, 3 + ((i * 7) % 40)),
        ]);
      }),
    );
    for (const [whole, pieces] of readings) {
      expect(ids(pieces)).toEqual(ids(whole));
      expect(pieces).toEqual(whole);
      expect(new Set(ids(whole)).size).toBe(whole.length);
      expect(finals(whole)).toHaveLength(1);
      expect(whole.at(-1)?.event).toBe('done');
      for (const source of ['llm-1', 'llm-2', 'llm-combine'])
        expect(textOf(whole, source).length).toBeGreaterThan(80);
    }
    expect(readings.flat()).toHaveLength(200);
  });

  it('whose gateway is killed end as lost, once, and the others are untouched', async () => {
    const [a, b] = await pair(await models(100, 1), await models(10, 1));
    const doomed = Array.from({ length: 20 }, (_, i) => `doomed-${i}`);
    const safe = Array.from({ length: 20 }, (_, i) => `safe-${i}`);
    await Promise.all([...doomed.map((id) => startRun(a.url, id)), ...safe.map((id) => startRun(b.url, id))]);
    const reading = [...doomed, ...safe].map((id) => readRunThrough([b.url], id));
    const begun = (events: RunEvent[]) => textOf(events, 'llm-1') !== '';
    await Promise.all(doomed.map((id) => readRun(b.url, id, '', begun)));
    await a.process.stop('SIGKILL');
    const all = await Promise.all(reading);
    for (const events of all.slice(0, 20)) {
      expect(finals(events).map(({ data }) => data.code)).toEqual(['run_lost']);
      expect(textOf(events, 'llm-1')).not.toBe('');
    }
    for (const events of all.slice(20)) expect(finals(events).map(({ event }) => event)).toEqual(['done']);
    const again = await readRun(b.url, 'doomed-0');
    expect(finals(again)).toHaveLength(1);
  });

  it('whose gateway is frozen are lost, and it writes nothing more when it wakes', async () => {
    const [a, b] = await pair(await models(100, 1));
    await startRun(a.url, 'frozen');
    await readRun(b.url, 'frozen', '', (events) => textOf(events, 'llm-1') !== '');
    a.process.kill('SIGSTOP');
    const lost = await readRunThrough([b.url], 'frozen');
    expect(lost.at(-1)?.data).toMatchObject({ code: 'run_lost', final: true });
    a.process.kill('SIGCONT');
    await eventually('the woken gateway has stopped its run', async () => {
      const metrics = await (await fetch(`${a.url}/metrics`)).text();
      return /^llm_streamer_runs_active 0$/m.test(metrics);
    });
    expect(await readRun(b.url, 'frozen')).toEqual(lost);
    const page = await (await fetch(`${b.url}/api/entries?channels=runs:frozen&limit=10000`)).text();
    expect(page.match(/"event":"run\.(?!started)\w+"/g)).toEqual(['"event":"run.lost"']);
  });
});

describe('a model service over the network', () => {
  const folder = mkdtempSync(join(tmpdir(), 'runs-e2e-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const withService = async (
    models: Record<string, string>,
    args: string[],
    env: Record<string, string> = {},
  ) => {
    const service = await startSimulator(...args);
    const path = join(folder, `${randomNamespace()}.json`);
    const tasks = Object.entries(models).map(([name, model]) => ({ name, model, system: 'Be careful.' }));
    writeFileSync(path, JSON.stringify({ tasks, combiner: { name: 'llm-combine', system: 'Combine.' } }));
    const [a, b] = await pair({
      ...servedBy(service),
      LLM_KEY: 'the-key',
      PROMPTS_FILE: path,
      ...env,
    });
    const calls = async () => {
      const response = await fetch(new URL('/debug/calls', service.baseUrl));
      return (await response.json()) as { model: string; chunks: number; state: string }[];
    };
    return { a, b, service, calls };
  };

  /** The code that a client gets, and whether a part of the text has come. */
  const CODES: Record<string, string> = {
    'sim-401': 'llm_unauthorized false',
    'sim-429': 'llm_rate_limited false',
    'sim-503': 'llm_unavailable false',
    'sim-hang-headers': 'llm_no_first_content false',
    'sim-hang-body': 'llm_no_first_content false',
    'sim-stall': 'llm_stalled true',
    'sim-die': 'llm_interrupted true',
    'sim-truncate': 'llm_truncated true',
    'sim-error-chunk': 'llm_stream_error true',
    'sim-filter': 'llm_filtered true',
    'sim-tool-call': 'llm_tool_call true',
    'sim-endless-line': 'llm_too_long true',
    'sim-endless-error': 'llm_rejected false',
  };
  const named = (models: readonly string[]) => Object.fromEntries(models.map((model) => [model, model]));

  it('may fail in every way: each failure has its code, and the run goes on with the other answers', async () => {
    const lanes = { 'llm-ok': 'sim-1', ...named(Object.keys(CODES)) };
    const env = { LLM_FIRST_CONTENT_TIMEOUT_MS: '10000', LLM_CHUNK_TIMEOUT_MS: '10000', LLM_RETRIES: '1' };
    const { a, service } = await withService(lanes, ['--delay', '2'], env);
    await startRun(a.url, 'faults', 'my private question');
    const events = await readRunThrough([a.url], 'faults');
    const errors = events.filter(({ event }) => event === 'error').map(({ data }) => data);
    expect(
      Object.fromEntries(errors.map(({ source, code, partial }) => [source, `${code} ${partial}`])),
    ).toEqual(CODES);
    expect(events.at(-1)?.event).toBe('done');
    expect(textOf(events, 'llm-combine')).toContain('llm-ok');
    expect(textOf(events, 'llm-combine')).toContain('gave no answer');
    expect(JSON.stringify(events) + a.process.output).not.toMatch(/simulated-secret|the-key/);
    expect(JSON.stringify(errors) + a.process.output).not.toContain('private');
    await service.process.stop();
  });

  it('may answer in every way: each answer comes out as it is meant', async () => {
    const models = Object.keys(FAULTS).filter((model) => !(model in CODES));
    const { a, service } = await withService(named(models), ['--delay', '2']);
    await startRun(a.url, 'manners');
    const events = await readRunThrough([a.url], 'manners');
    expect(events.filter(({ event }) => event === 'error')).toEqual([]);
    expect(events.filter(({ data }) => data.status === 'Cut').map(({ data }) => data.source)).toEqual([
      'sim-length',
    ]);
    const response = await fetch(`${a.url}/api/runs/manners`);
    const { lanes } = (await response.json()) as {
      lanes: { role: string; text: string; reasoning: string }[];
    };
    for (const { text, reasoning } of lanes.filter(({ role }) => role === 'task')) {
      expect(text).toMatch(/^In short, /);
      expect(reasoning).toMatch(/^The question is about /);
    }
    expect(lanes.at(-1)?.text).not.toContain('The question is about');
    await service.process.stop();
  });

  it('stops generating when the run is cancelled at the other gateway', async () => {
    const { a, b, service, calls } = await withService({ 'llm-1': 'sim-1' }, [
      '--delay',
      '200',
      '--chunk',
      '1',
    ]);
    await startRun(a.url, 'cancelled');
    await readRun(b.url, 'cancelled', '', (events) => textOf(events, 'llm-1') !== '');
    const response = await fetch(`${b.url}/api/runs/cancelled/cancel`, { method: 'POST' });
    expect(response.status).toBe(200);
    await eventually('the service was left', async () =>
      (await calls()).every(({ state }) => state === 'aborted'),
    );
    const [call] = await calls();
    expect(call?.chunks).toBeGreaterThan(0);
    expect((await readRun(a.url, 'cancelled')).at(-1)?.data).toMatchObject({
      code: 'cancelled',
      final: true,
    });
    expect(await calls()).toHaveLength(1);
    await service.process.stop();
  });

  it('is asked nothing where a key is missing: the gateway does not start and says so', async () => {
    const started = startGateway({ USE_LLM_MOCK: 'false', LLM_BASE_URL: 'https://models.example.com/v1' });
    await expect(started).rejects.toThrow(/models\.example\.com asks for a key and LLM_KEY is not set/);
  });
});
