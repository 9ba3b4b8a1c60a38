// What the page's main thread has computed, by Chromium's trace: a task that is long only because the thread had to wait for a processor,
// which it shares here with the gateway and the publisher, is told apart from one that computes for so long.
import type { CDPSession } from 'playwright-core';

const LONG_US = 50_000;

export interface MainThread {
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
  /** When it began, in µs of the machine's monotonic clock, which is also Node's. */
  ts: number;
  /** Processor time in µs. */
  tdur?: number;
  args?: { name?: string };
}

export async function startTrace(cdp: CDPSession): Promise<void> {
  await cdp.send('Tracing.start', {
    transferMode: 'ReturnAsStream',
    traceConfig: { includedCategories: ['disabled-by-default-devtools.timeline'], excludedCategories: ['*'] },
  });
}

/**
 * Ends the trace that `startTrace` has started on the same session. What began between the two times of `without`, in ms by `performance.now()`,
 * is not counted: garbage that the measure has collected is no work of the page.
 */
export async function endTrace(cdp: CDPSession, without: readonly [number, number]): Promise<MainThread> {
  const complete = new Promise<string>((resolve) =>
    cdp.once('Tracing.tracingComplete', ({ stream }) => resolve(stream ?? '')),
  );
  await cdp.send('Tracing.end');
  const { traceEvents } = JSON.parse(await read(cdp, await complete)) as { traceEvents: TraceEvent[] };
  const isMain = mainThreads(traceEvents);
  const origin = Number(process.hrtime.bigint()) / 1000 - performance.now() * 1000;
  const [from, to] = without.map((ms) => origin + ms * 1000) as [number, number];
  const isLeftOut = ({ ts }: TraceEvent) => ts >= from && ts <= to;
  const times = traceEvents
    .filter((event) => event.name === 'RunTask' && event.ph === 'X' && isMain(event) && !isLeftOut(event))
    .map(({ tdur = 0 }) => tdur);
  return {
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

async function read(cdp: CDPSession, handle: string): Promise<string> {
  let text = '';
  for (;;) {
    const { data, eof, base64Encoded } = await cdp.send('IO.read', { handle });
    text += base64Encoded ? Buffer.from(data, 'base64').toString() : data;
    if (eof) return text;
  }
}
