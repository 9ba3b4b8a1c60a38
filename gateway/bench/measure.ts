// How a stage is measured: at a steady rate, or at the highest rate at which no entry is lost and the 99th percentile stays
// below a quarter of a second.

import { Histogram } from './histogram.ts';
import type { LoadReport } from './load/load-worker.ts';
import { type Cpu, type Stage, wantedOf } from './stage.ts';
import type { Figures } from './table.ts';

export const SUSTAINED_P99_MS = 250;

const CONNECT_BURST = 128;
const QUIET_MS = 150;
const PATIENCE_MS = 15_000;
/** Shares of the closed loop's rate that are tried one after another in an open loop. */
const STEPS = [1, 0.95, 0.9, 0.85, 0.8, 0.65, 0.5, 0.35];
/** How far the publisher may be ahead of the viewers in the closed loop, as time at the measured rate. */
const UNDER_WAY_S = 0.1;
const LEAST_UNDER_WAY = 64;
const CONTROL_MS = 10;
/** A load client that used the first share of a core is mentioned; one that used the second was at its limit. */
const BUSY = 0.8;
const SATURATED = 0.93;

/** Connects the viewers; returns how many kB of the server's memory each of them takes. */
export async function connect(stage: Stage, burst = CONNECT_BURST): Promise<{ kb: number; ms: number }> {
  const { viewers: count, sampled } = stage.cast;
  const before = stage.memory().target;
  const { port, bare = false } = stage.target;
  const { ms } = await stage.load.call('open', {
    port,
    requests: stage.requests(),
    count,
    sampled,
    burst,
    bare,
  });
  return { kb: (stage.memory().target - before) / count / 1_024, ms };
}

/** Publishes two entries on every lane, so that caches and channels exist, and then sets all counts to 0. */
export async function warmUp(stage: Stage): Promise<void> {
  const { lanes } = stage.cast;
  for (let i = 0; i < 2; i++) {
    await stage.publisher.call('send', { count: lanes.length, rate: 0 });
    const entries = expectedOf(stage, lanes.length * (i + 1));
    await stage.load.call('reached', { entries, timeoutMs: PATIENCE_MS });
  }
  await quiet(stage);
  await stage.load.call('begin', undefined);
}

/** How many entries per second the server takes from the publisher. Resolves when all of them have arrived. */
export async function appendRate(stage: Stage, count: number): Promise<number> {
  await stage.load.call('begin', undefined);
  const { ms } = await stage.publisher.call('send', { count, rate: 0 });
  await stage.load.call('reached', { entries: expectedOf(stage, count), timeoutMs: PATIENCE_MS });
  await quiet(stage);
  return (count * 1_000) / ms;
}

/** Open loop: publishes exactly `rate` × `seconds` entries, and reports how they arrived. */
export async function steady(stage: Stage, rate: number, seconds: number): Promise<Figures> {
  const count = Math.max(1, Math.round(rate * seconds));
  await stage.load.call('begin', undefined);
  const before = stage.cpu();
  const began = performance.now();
  const sent = await stage.publisher.call('send', { count, rate });
  const entries = expectedOf(stage, count);
  await stage.load.call('reached', { entries, timeoutMs: PATIENCE_MS });
  const elapsed = (performance.now() - began) / 1_000;
  const cpu = since(before, stage.cpu());
  await quiet(stage); // whatever comes twice comes now
  const report = await stage.load.call('report', undefined);
  const notes = notesOf(report, cpu, elapsed);
  if (sent.lateMs > SUSTAINED_P99_MS) notes.push(`publisher up to ${Math.round(sent.lateMs)} ms late`);
  return { ...figuresOf(report, entries, cpu, elapsed), notes };
}

/** Whether a rate was sustained: no entry is missing, and none came late. */
export function isSustained({ lost = 0, p99 = Number.POSITIVE_INFINITY }: Figures): boolean {
  return lost === 0 && p99 < SUSTAINED_P99_MS;
}

/** The highest sustained rate: found in a closed loop, and then confirmed in an open one, which does not wait for viewers. */
export async function sustained(stage: Stage, seconds: number): Promise<Figures> {
  const found = await followed(stage, seconds);
  let figures: Figures = {};
  for (const share of STEPS) {
    figures = await steady(stage, found * share, seconds);
    if (isSustained(figures)) return figures;
  }
  const { rate: _, ...rest } = figures;
  return {
    ...rest,
    notes: [...(rest.notes ?? []), `not sustained at ${Math.round(found * 0.35)} entries/s`],
  };
}

/** Closed loop: the publisher is never ahead of the viewers by more than a tenth of a second. Returns entries per second. */
async function followed(stage: Stage, seconds: number): Promise<number> {
  await stage.load.call('begin', undefined);
  const began = performance.now();
  const following = stage.publisher.call('follow', undefined);
  const settle = began + (seconds * 1_000) / 2;
  let window = LEAST_UNDER_WAY;
  let last = { at: began, entries: 0 };
  let start: typeof last | undefined;
  let now = last;
  while (now.at - began < seconds * 1_500) {
    await stage.publisher.call('credit', { entries: Math.floor(now.entries) + window });
    await new Promise((resolve) => setTimeout(resolve, CONTROL_MS));
    now = { entries: await stage.load.call('progress', undefined), at: performance.now() };
    if (now.at >= settle) start ??= now;
    if (now.at - last.at < UNDER_WAY_S * 1_000) continue;
    const rate = ((now.entries - last.entries) * 1_000) / (now.at - last.at);
    window = Math.max(LEAST_UNDER_WAY, Math.round(rate * UNDER_WAY_S), Math.floor(window / 2));
    last = now;
  }
  await stage.publisher.call('stop', undefined);
  const { entries } = await following;
  await stage.load.call('reached', { entries: expectedOf(stage, entries), timeoutMs: PATIENCE_MS });
  await quiet(stage);
  start ??= { at: began, entries: 0 };
  return Math.max(1, ((now.entries - start.entries) * 1_000) / (now.at - start.at));
}

export function expectedOf({ cast }: Stage, entries: number): number {
  return (entries * cast.viewers) / wantedOf(cast).length;
}

export async function quiet(stage: Stage): Promise<void> {
  await stage.load.call('settled', { quietMs: QUIET_MS, timeoutMs: PATIENCE_MS });
}

export function since(before: Cpu, after: Cpu): Cpu {
  return {
    target: after.target - before.target,
    redis: after.redis - before.redis,
    load: after.load - before.load,
  };
}

export function figuresOf(report: LoadReport, expected: number, cpu: Cpu, seconds: number): Figures {
  const { deliveries, sampled, wireBytes, latencies, chunks, bodyBytes, viewers } = report;
  const millions = deliveries / 1e6;
  const histogram = new Histogram(latencies);
  const perViewer = deliveries / viewers;
  return {
    rate: deliveries / seconds,
    p50: histogram.percentile(0.5),
    p99: histogram.percentile(0.99),
    cpu: cpu.target / millions,
    redisCpu: cpu.redis / millions,
    loadCpu: cpu.load / millions,
    bytes: wireBytes / deliveries,
    lost: Math.max(0, Math.round(expected - deliveries)),
    repeated: sampled.repeated + Math.max(0, Math.round(deliveries - expected)),
    more: { entriesPerWrite: perViewer / chunks, frame: bodyBytes / perViewer, gzip: report.gzip ? 1 : 0 },
  };
}

export function notesOf(report: LoadReport, cpu: Cpu, seconds: number): string[] {
  const notes: string[] = [];
  const load = cpu.load / seconds;
  if (load > SATURATED) notes.push('the load client was the bottleneck (a whole core)');
  else if (load > BUSY) notes.push('the load client used over 80 % of a core');
  if (report.closed > 0) notes.push(`${report.closed} viewers were disconnected`);
  if (report.sampled.gaps > 0)
    notes.push(`${report.sampled.gaps} gaps reported to ${report.sampled.viewers} viewers`);
  return notes;
}
