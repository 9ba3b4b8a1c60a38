// What the page's main thread computes, by Chromium's trace: a task that is long only because the thread had to wait for a processor,
// which it shares here with the gateway and the publisher, is told apart from one that computes for so long.
import { setTimeout as delay } from 'node:timers/promises';
import type { CDPSession } from 'playwright-core';

const LONG_US = 50_000;

export interface MainThread {
  /** How long it was traced. */
  seconds: number;
  /** Tasks with more than 50 ms of processor time. */
  longTasks: number;
  /** The most processor time that one task has taken, in ms. */
  longestMs: number;
  /** Processor time of all tasks, in ms. */
  totalMs: number;
}

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Processor time in µs. */
  tdur?: number;
  args?: { name?: string };
}

/** Traces for some seconds: more no longer fit into one text. What is traced is read later, by `readTrace`, since that is work, too. */
export async function trace(cdp: CDPSession, seconds: number): Promise<string> {
  await cdp.send('Tracing.start', {
    transferMode: 'ReturnAsStream',
    traceConfig: { includedCategories: ['disabled-by-default-devtools.timeline'], excludedCategories: ['*'] },
  });
  await delay(seconds * 1_000);
  const complete = new Promise<string>((resolve) =>
    cdp.once('Tracing.tracingComplete', ({ stream }) => resolve(stream ?? '')),
  );
  await cdp.send('Tracing.end');
  return complete;
}

/** `handle` is what `trace` gave for so many seconds. */
export async function readTrace(cdp: CDPSession, handle: string, seconds: number): Promise<MainThread> {
  const { traceEvents } = JSON.parse(await textOf(cdp, handle)) as { traceEvents: TraceEvent[] };
  const isMain = mainThreads(traceEvents);
  const times = traceEvents
    .filter((event) => event.name === 'RunTask' && event.ph === 'X' && isMain(event))
    .map(({ tdur = 0 }) => tdur);
  return {
    seconds,
    longTasks: times.filter((time) => time > LONG_US).length,
    longestMs: times.reduce((longest, time) => Math.max(longest, time), 0) / 1000,
    totalMs: times.reduce((sum, time) => sum + time, 0) / 1000,
  };
}

/** The main threads of renderers: the trace of a page holds one that works, and at most idle ones beside it. */
function mainThreads(events: readonly TraceEvent[]): (event: TraceEvent) => boolean {
  const names = events.filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain');
  const threads = new Set(names.map(({ pid, tid }) => `${pid} ${tid}`));
  return ({ pid, tid }) => threads.has(`${pid} ${tid}`);
}

async function textOf(cdp: CDPSession, handle: string): Promise<string> {
  const pieces: string[] = [];
  for (;;) {
    const { data, eof, base64Encoded } = await cdp.send('IO.read', { handle, size: 4 * 1024 * 1024 });
    pieces.push(base64Encoded ? Buffer.from(data, 'base64').toString() : data);
    if (eof) return pieces.join('');
  }
}
