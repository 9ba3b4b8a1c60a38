// The story is deterministic and adds up: what a person who runs an inference server would check first.

import { isChannel } from '@llm-streamer/shared/channels.ts';
import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI, METRICS } from '@llm-streamer/shared/gen-ai.ts';
import { describe, expect, it } from 'vitest';
import { BACKENDS } from '../../src/simulate/backends.ts';
import { MessageTemplate } from '../../src/simulate/messages.ts';
import { type Scene, Story, type StoryOptions } from '../../src/simulate/story.ts';

const MINUTE = 60_000;
/** A message in which a value is missing. */
const UNFINISHED = /undefined|NaN|Infinity|\[object/;

function scenesOf(options: Partial<StoryOptions> = {}): Scene[] {
  return [...new Story({ seed: '1', source: 'a', rate: 0.5, durationMs: 5 * MINUTE, ...options })];
}

function number(scene: Scene, name: string): number {
  const value = scene.entry.attrs?.[name];
  expect(value, name).toBeTypeOf('number');
  return value as number;
}

function events(scenes: readonly Scene[], name: string): Scene[] {
  return scenes.filter(({ entry }) => entry.event === name);
}

/** A run and a lane name one generation. */
function generationOf({ entry }: Scene): string {
  return `${entry.run}/${entry.attrs?.[ATTRS.lane] ?? ''}`;
}

const ENDS: (string | undefined)[] = [EVENTS.generationFinished, EVENTS.generationFailed];
// Quiet, usual and far too busy; the last one overflows queues and caches.
const STORIES = [
  { seed: '1', rate: 0.3 },
  { seed: '15', rate: 0.7 },
  { seed: '3', rate: 2 },
  { seed: '4', rate: 5 },
  { seed: '5', rate: 20 },
].map((options) => ({ ...options, scenes: scenesOf(options) }));

describe('Story', () => {
  it('is the same for the same seed and source', () => {
    expect(scenesOf()).toEqual(scenesOf());
  });

  it('differs for another seed, and for another source', () => {
    const texts = (options: Partial<StoryOptions>) => scenesOf(options).map(({ entry }) => entry.msg);
    expect(texts({ seed: '2' })).not.toEqual(texts({}));
    expect(texts({ source: 'b' })).not.toEqual(texts({}));
  });

  it('lasts as long as it was asked to, however quiet', () => {
    for (const durationMs of [2_000, MINUTE, 5 * MINUTE])
      for (const rate of [0.001, 0.5, 5]) expect(scenesOf({ durationMs, rate }).at(-1)?.at).toBe(durationMs);
  });

  it('is the beginning of the longer story of the same seed', () => {
    const short = scenesOf({ durationMs: MINUTE });
    const shutdown = short.findIndex(({ entry }) => entry.msg === 'Shutting down');
    expect(shutdown).toBeGreaterThan(20);
    expect(scenesOf().slice(0, shutdown)).toEqual(short.slice(0, shutdown));
  });

  it.each(STORIES)('moves forward in time on valid channels at rate $rate', ({ scenes }) => {
    let now = 0;
    const wrong = scenes.filter(({ at, entry }) => {
      const isBack = at < now;
      now = at;
      return isBack || !isChannel(entry.channel) || entry.source !== 'a' || UNFINISHED.test(entry.msg);
    });
    expect(wrong).toEqual([]);
    expect(now).toBeLessThanOrEqual(5 * MINUTE);
  });

  it.each(STORIES)('ends every generation it starts exactly once at rate $rate', ({ scenes }) => {
    const open = new Map<string, number>();
    let started = 0;
    for (const scene of scenes) {
      const { event } = scene.entry;
      const generation = generationOf(scene);
      if (event === EVENTS.generationStarted) {
        expect(open.has(generation), `${generation} starts while it runs`).toBe(false);
        open.set(generation, 0);
        started++;
      } else if (event === EVENTS.generationDelta) {
        const tokens = open.get(generation);
        if (tokens === undefined) expect.fail(`${generation} streams while it does not run`);
        open.set(generation, tokens + Number(scene.entry.attrs?.[ATTRS.tokens]));
      } else if (ENDS.includes(event)) {
        const tokens = open.get(generation);
        if (tokens === undefined) {
          expect(scene.entry.msg, 'never started').toContain('not started');
          continue;
        }
        expect(tokens, 'the deltas add up to the usage').toBe(number(scene, GEN_AI.outputTokens));
        open.delete(generation);
      }
    }
    expect(started).toBeGreaterThan(20);
    expect([...open.keys()]).toEqual([]);
  });

  it.each(STORIES)(
    'ends every agent run exactly once, its totals those of its lanes, at rate $rate',
    ({ scenes }) => {
      const runs = new Map<string, { inputTokens: number; outputTokens: number }>();
      let ended = 0;
      for (const scene of scenes) {
        const { event, run = '', attrs } = scene.entry;
        const totals = runs.get(run);
        if (event === EVENTS.runStarted) {
          expect(totals).toBeUndefined();
          runs.set(run, { inputTokens: 0, outputTokens: 0 });
        } else if (totals && ENDS.includes(event)) {
          totals.inputTokens += Number(attrs?.[GEN_AI.inputTokens] ?? 0);
          totals.outputTokens += Number(attrs?.[GEN_AI.outputTokens] ?? 0);
        } else if (event === EVENTS.runFinished || event === EVENTS.runFailed) {
          if (attrs?.[GEN_AI.errorType] !== 'server_shutdown') {
            expect(number(scene, GEN_AI.inputTokens)).toBe(totals?.inputTokens);
            expect(number(scene, GEN_AI.outputTokens)).toBe(totals?.outputTokens);
          }
          expect(runs.delete(run), 'ends once').toBe(true);
          ended++;
        }
      }
      expect(ended).toBeGreaterThan(3);
      expect(runs.size).toBe(0);
    },
  );

  it.each(STORIES)('fans out into lanes and joins them at rate $rate', ({ scenes }) => {
    const planned = events(scenes, EVENTS.agentPlanned);
    expect(planned.length).toBeGreaterThan(3);
    for (const joined of events(scenes, EVENTS.agentJoined)) {
      const ofRun = scenes.filter(({ entry }) => entry.run === joined.entry.run);
      const lanes = new Set(
        events(ofRun, EVENTS.generationFinished).map(({ entry }) => entry.attrs?.[ATTRS.lane] as string),
      );
      lanes.delete('llm-plan');
      lanes.delete('llm-combine');
      expect(lanes.size).toBe(number(joined, 'lanes_done'));
      expect(events(ofRun, EVENTS.toolCalled)).toHaveLength(events(ofRun, EVENTS.toolReturned).length);
    }
  });

  it.each(STORIES)('never runs more than the machine allows at rate $rate', ({ scenes, seed, rate }) => {
    const title = new Story({ seed, source: 'a', rate }).title;
    const backend = BACKENDS.find(({ model }) => title.startsWith(model));
    const metrics = events(scenes, EVENTS.serverMetrics);
    expect(metrics.length).toBeGreaterThan(4 * 60);
    for (const scene of metrics) {
      expect(number(scene, METRICS.running)).toBeLessThanOrEqual(backend?.maxRunning ?? 0);
      expect(number(scene, METRICS.kvCacheUsage)).toBeLessThanOrEqual(1);
      expect(number(scene, METRICS.prefixCacheHitRate)).toBeLessThanOrEqual(1);
      expect(number(scene, METRICS.waiting)).toBeGreaterThanOrEqual(0);
    }
  });

  it.each(STORIES)('reports as much generated as was streamed at rate $rate', ({ scenes }) => {
    const sum = (of: Scene[], name: string) =>
      of.reduce((total, { entry }) => total + Number(entry.attrs?.[name]), 0);
    const reported = sum(events(scenes, EVENTS.serverMetrics), METRICS.generationThroughput);
    const streamed = sum(events(scenes, EVENTS.generationDelta), ATTRS.tokens);
    // The last second, and the second in which an engine died, are never reported.
    expect(reported).toBeLessThanOrEqual(streamed);
    expect(reported).toBeGreaterThan(streamed * 0.95);
  });

  it.each(STORIES)('gives a first token before the end and a plausible speed at rate $rate', ({ scenes }) => {
    for (const scene of events(scenes, EVENTS.generationFinished)) {
      const duration = number(scene, ATTRS.duration);
      expect(number(scene, GEN_AI.timeToFirstChunk)).toBeLessThanOrEqual(duration);
      expect(number(scene, 'tokens_per_s')).toBeLessThan(90);
      expect(scene.entry.attrs?.[GEN_AI.finishReasons]).toEqual([expect.stringMatching(/^(stop|length)$/)]);
    }
  });

  it('lets requests arrive at the asked rate, as a Poisson process does', () => {
    const scenes = scenesOf({ rate: 2, durationMs: 40 * MINUTE });
    const arrivals = scenes
      .filter(({ entry }) => entry.event === EVENTS.runStarted || isFirstOfRequest(entry))
      .map(({ at }) => at);
    const gaps = arrivals.slice(1).map((at, i) => at - (arrivals[i] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    expect(mean).toBeGreaterThan(470);
    expect(mean).toBeLessThan(530);
    expect(deviation / mean, 'as wide as it is long: exponential').toBeGreaterThan(0.93);
    expect(deviation / mean).toBeLessThan(1.07);
  });

  it('knows every fault of such a server', () => {
    const scenes = STORIES.flatMap((story) => story.scenes);
    const faults = new Set(scenes.map(({ entry }) => entry.attrs?.[GEN_AI.errorType]));
    for (const fault of [
      'client_disconnected',
      'context_length_exceeded',
      'out_of_memory',
      'rate_limit_exceeded',
      'service_unavailable',
      'server_shutdown',
      'timeout',
    ])
      expect(faults, fault).toContain(fault);
    for (const words of [/CUDA out of memory/, /PreemptionMode\.RECOMPUTE/, /retrying .* \(attempt 2 of 4\)/])
      expect(
        scenes.some(({ entry }) => words.test(entry.msg)),
        String(words),
      ).toBe(true);
    const channels = new Set(scenes.map(({ entry }) => entry.channel));
    const { gateway: _, alerts: __, ...written } = CHANNELS; // the gateway writes these itself
    expect([...channels].sort()).toEqual(Object.values(written).sort());
  });

  it('comes back after it ran out of memory', () => {
    const scenes = scenesOf({ durationMs: 60 * MINUTE });
    const crash = scenes.findIndex(({ entry }) => entry.msg.includes('CUDA out of memory'));
    expect(crash).toBeGreaterThan(0);
    const after = scenes.slice(crash);
    expect(after.some(({ entry }) => entry.msg === 'Application startup complete.')).toBe(true);
    expect(events(after, EVENTS.generationFinished).length).toBeGreaterThan(10);
  });

  it('ends with its shutdown when it is asked to end', () => {
    const story = new Story({ seed: '1', source: 'a', rate: 1 });
    const scenes: Scene[] = [];
    for (const scene of story) {
      scenes.push(scene);
      if (scenes.length === 200) story.end();
    }
    expect(scenes.length).toBeLessThan(260);
    expect(scenes.at(-1)?.entry.msg).toBe('Finished server process [1]');
  });

  it("writes a person's own messages with the numbers of its generations", () => {
    const messages = [
      new MessageTemplate('warn logs:own {model} {source} {run} {tokens} {tok_s} {latency_ms} {context}'),
    ];
    const scenes = scenesOf({ messages });
    const own = scenes.filter(({ entry }) => entry.channel === 'logs:own');
    expect(own.length).toBeGreaterThan(20);
    for (const { entry } of own) {
      expect(entry.msg).toMatch(/^\S+\/\S+ a chatcmpl-[0-9a-f]{12} \d+ \d+ \d+ \d+$/);
      const finished = events(scenes, EVENTS.generationFinished).find(
        (scene) => scene.entry.run === entry.run,
      );
      expect(entry.msg.split(' ')[3]).toBe(String(finished?.entry.attrs?.[GEN_AI.outputTokens]));
    }
  });
});

const seen = new Set<string>();

/** Whether this entry is the first one of a request: it was queued, or refused. */
function isFirstOfRequest({ run = '', event, channel }: Scene['entry']): boolean {
  const isQueuedOrRefused =
    event === EVENTS.requestQueued || (channel === CHANNELS.errors && event === undefined);
  if (!isQueuedOrRefused || !run.startsWith('chatcmpl-') || seen.has(run)) return false;
  seen.add(run);
  return true;
}
