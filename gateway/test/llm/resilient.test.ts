import { describe, expect, it, vi } from 'vitest';
import { ProviderModel } from '../../src/llm/provider.ts';
import { ResilientModel } from '../../src/llm/resilient.ts';
import { Simulator } from '../../src/llm/simulator/simulator.ts';
import { ask, collect, PATIENCE_MS, timeoutsFor } from './collect.ts';

const once = { retries: 1, breakAfter: 100, pauseMs: 60_000 };

/** A service that fails its first calls with `faults`, one for each call, and then answers. */
function flaky(...faults: string[]) {
  const simulator = new Simulator({ chunkTokens: 4, tokenMs: 0 });
  const calls: string[] = [];
  const provider = new ProviderModel(timeoutsFor(...faults), async (input, init) => {
    const request = new Request(input, init);
    const body = (await request.json()) as { model: string };
    const model = faults.shift() ?? body.model;
    calls.push(model);
    return simulator.respond(
      new Request(request.url, {
        method: 'POST',
        body: JSON.stringify({ ...body, model }),
        signal: request.signal,
      }),
    );
  });
  return { provider, calls };
}

describe('a resilient model', () => {
  it.each(['sim-503', 'sim-429'])('answers after one %s as if there had been no failure', async (fault) => {
    const { provider, calls } = flaky(fault);
    const notices: unknown[] = [];
    const model = new ResilientModel(provider, once, (notice) => notices.push(notice));
    const { text, finish } = await collect(model, ask({}));
    expect(text).toMatch(/^In short/);
    expect(finish?.reason).toBe('stop');
    expect(calls).toEqual([fault, 'sim-1']);
    expect(notices).toMatchObject([{ kind: 'retry' }]);
  });

  it('waits as long as Retry-After asks', async () => {
    const { provider } = flaky('sim-429');
    const notices: unknown[] = [];
    await collect(new ResilientModel(provider, once, (notice) => notices.push(notice)), ask({}));
    expect(notices).toMatchObject([{ kind: 'retry', delayMs: 1000 }]);
  });

  it('does not wait when Retry-After asks for minutes', async () => {
    const provider = new ProviderModel(timeoutsFor(), async () =>
      Response.json({ error: { message: 'later' } }, { status: 429, headers: { 'retry-after': '120' } }),
    );
    const { error } = await collect(new ResilientModel(provider, once), ask({}));
    expect(error).toMatchObject({ code: 'llm_rate_limited', retryAfterMs: 120_000 });
  });

  it.each(['sim-401', 'sim-hang-headers'])('tries once only on %s', async (fault) => {
    const { provider, calls } = flaky(fault);
    const { error } = await collect(new ResilientModel(provider, once), ask({}));
    expect(error).toBeDefined();
    expect(calls).toEqual([fault]);
  });

  it.each(['sim-die', 'sim-stall', 'sim-truncate', 'sim-error-chunk'])(
    'never repeats an answer that has begun: %s',
    async (fault) => {
      const { provider, calls } = flaky(fault);
      const { text, error } = await collect(new ResilientModel(provider, { ...once, retries: 3 }), ask({}));
      expect(text).not.toBe('');
      expect(error).toBeDefined();
      expect(calls).toEqual([fault]);
    },
  );

  it('closes the upstream for a reader who leaves at the first event', async () => {
    const simulator = new Simulator({ chunkTokens: 1, tokenMs: 2 });
    const model = new ResilientModel(new ProviderModel(timeoutsFor(), simulator.fetch), once);
    for await (const _ of model.stream(ask({}), new AbortController().signal)) break;
    await vi.waitFor(() => expect(simulator.calls[0]?.state).toBe('aborted'), PATIENCE_MS);
  });

  it('is cancelled at once in the pause before another attempt', async () => {
    let calls = 0;
    const provider = new ProviderModel(timeoutsFor(), async () => {
      calls++;
      return Response.json({ error: { message: 'busy' } }, { status: 503, headers: { 'retry-after': '10' } });
    });
    const stop = new AbortController();
    const model = new ResilientModel(provider, once, () => stop.abort());
    const { error } = await collect(model, ask({}), stop.signal);
    expect(error?.code).toBe('cancelled');
    expect(calls).toBe(1);
  });
});

describe('its breaker', () => {
  const off = { retries: 0, breakAfter: 2, pauseMs: 60_000 };

  it('opens after failures in a row, and then calls no service', async () => {
    const { provider, calls } = flaky('sim-503', 'sim-503');
    const model = new ResilientModel(provider, off);
    await collect(model, ask({}));
    await collect(model, ask({}));
    const { error } = await collect(model, ask({}));
    expect(error?.code).toBe('llm_circuit_open');
    expect(calls).toHaveLength(2);
  });

  it('of one model leaves the others alone', async () => {
    const { provider } = flaky('sim-503', 'sim-503');
    const model = new ResilientModel(provider, off);
    await collect(model, ask({ model: 'bad' }));
    await collect(model, ask({ model: 'bad' }));
    expect((await collect(model, ask({ model: 'good' }))).error).toBeUndefined();
    expect((await collect(model, ask({ model: 'bad' }))).error?.code).toBe('llm_circuit_open');
  });

  it('is not opened by wrong keys or a limited rate', async () => {
    const { provider, calls } = flaky('sim-401', 'sim-429', 'sim-401', 'sim-429');
    const model = new ResilientModel(provider, off);
    for (let i = 0; i < 4; i++) await collect(model, ask({}));
    expect((await collect(model, ask({}))).error).toBeUndefined();
    expect(calls).toHaveLength(5);
  });

  it('lets one call through after its pause, and closes when that succeeds', async () => {
    const { provider } = flaky('sim-503', 'sim-503');
    const kinds: string[] = [];
    const model = new ResilientModel(provider, { ...off, pauseMs: 20 }, ({ kind }) => kinds.push(kind));
    await collect(model, ask({}));
    await collect(model, ask({}));
    await vi.waitFor(async () => expect((await collect(model, ask({}))).error).toBeUndefined(), PATIENCE_MS);
    expect(kinds).toEqual(['open', 'closed']);
  });
});
