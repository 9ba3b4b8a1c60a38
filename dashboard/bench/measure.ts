// Measures one page under one load: its frames, its heap and its ledger.
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { quantile } from '../src/fleet/ascending.ts';
import { fleetLoad } from './fleet-load.ts';
import { type MainThread, readTrace, trace } from './main-thread.ts';
import { type EntryOf, publishAtOnce, publishSteadily } from './publish.ts';
import { runLoad } from './run-load.ts';

export interface Figures {
  page: 'dashboard' | 'fleet' | 'running' | 'timeline' | 'nothing shown' | 'append a div';
  rate: number;
  seconds: number;
  published: number;
  /** Undefined where the page does not count. */
  received: number | undefined;
  ledger: string;
  frames: number;
  p50: number;
  p95: number;
  p99: number;
  worst: number;
  longTasks: number;
  longTaskMs: number;
  /** Absent for the naive page, which answers too late. */
  mainThread?: MainThread;
  /** MB after a collection, at a third of the time and at the end. */
  heapEarly: number;
  heapLate: number;
  rows: number;
  filterMs?: number;
  filterWorst?: number;
}

const PATIENCE_MS = 15_000;
const MAX_TRACED_SECONDS = 10;
const NO_ANSWER: Recorded = { frames: [], long: [] };
const SIZE = { width: 1440, height: 900 };

export async function measureDashboard(
  browser: Browser,
  url: string,
  rate: number,
  seconds: number,
): Promise<Figures> {
  const page = await browser.newPage({ viewport: SIZE });
  const channel = `bench:${rate}`;
  await page.goto(`${url}/?channels=${channel}&tail=0`);
  await page.getByText('LIVE').waitFor();
  const load = await underLoad(page, url, channel, rate, seconds);
  const counts = await ledgerOf(page, load.published);
  const rows = await page.locator('#log .row').count();
  await recordFrames(page);
  await page.getByRole('combobox', { name: 'Filter' }).fill('/7$/ -nothing level:info+');
  await page.evaluate(() => performance.clearMeasures('rebuild'));
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => performance.getEntriesByName('rebuild').length > 0);
  const filterMs = await page.evaluate(() => performance.getEntriesByName('rebuild')[0]?.duration ?? 0);
  const { worst } = summary(await frames(page));
  return { page: 'dashboard', rate, seconds, ...counts, rows, filterMs, filterWorst: worst, ...load };
}

/** What is shown over the log, open, while 200 sources write. */
export async function measureOver(
  view: 'fleet' | 'running',
  browser: Browser,
  url: string,
  rate: number,
  seconds: number,
): Promise<Figures> {
  const page = await browser.newPage({ viewport: SIZE });
  const channel = `bench:${view}${rate}`;
  await page.goto(`${url}/?channels=${channel}&tail=0&${view}=1`);
  await page.locator(`#${view} .head`).waitFor();
  const load = await underLoad(page, url, channel, rate, seconds, fleetLoad(200, rate));
  const counts = await ledgerOf(page, load.published);
  const rows = await page.locator(`#${view} .row`).count();
  return { page: view, rate, seconds, ...counts, rows, ...load };
}

/** What this machine gives a page that reads the bytes of 200 sources and does nothing with them. */
export async function measureNothing(
  browser: Browser,
  url: string,
  rate: number,
  seconds: number,
): Promise<Figures> {
  const page = await browser.newPage({ viewport: SIZE });
  const channel = `bench:nothing${rate}`;
  await page.goto(`${url}/healthz`);
  await page.evaluate(async (stream) => {
    const { body } = await fetch(stream);
    const reader = body?.getReader();
    const readOn = (): Promise<void> | undefined =>
      reader?.read().then(({ done }) => (done ? undefined : readOn()));
    readOn()?.catch(reportError);
  }, `${url}/stream?channels=${channel}`);
  const load = await underLoad(page, url, channel, rate, seconds, fleetLoad(200, rate));
  return { page: 'nothing shown', rate, seconds, received: undefined, ledger: 'none', rows: 0, ...load };
}

/** The picture of a run that has 5,000 entries and grows. */
export async function measureTimeline(
  browser: Browser,
  url: string,
  rate: number,
  seconds: number,
): Promise<Figures> {
  const page = await browser.newPage({ viewport: SIZE });
  const channel = 'bench:timeline';
  const before = 5_000;
  const load = runLoad('bench-run');
  await publishAtOnce(url, channel, before, load);
  await page.goto(`${url}/?channels=${channel}&tail=0&t=bench-run`);
  await page.locator('#timeline .totals', { hasText: '8 lanes' }).waitFor();
  const figures = await underLoad(page, url, channel, rate, seconds, (n) => load(before + n));
  const counts = await ledgerOf(page, figures.published);
  const rows = await page.locator('#timeline [role="treeitem"]').count();
  return { page: 'timeline', rate, seconds, ...counts, rows, ...figures };
}

/** Waits until the last entries arrive and the next ping compares the counts. */
async function ledgerOf(page: Page, published: number): Promise<{ received: number; ledger: string }> {
  await page
    .locator('.ledger', { hasText: `/ ${published.toLocaleString('en')} ✓` })
    .waitFor({ timeout: 20_000 })
    .catch(() => undefined);
  const ledger = await page.locator('.ledger').innerText();
  return { received: Number(/\/ ([\d,]+)/.exec(ledger)?.[1]?.replace(/,/g, '')), ledger };
}

/**
 * Measures a page of five lines for comparison: an EventSource and a div per entry, scrolled to the end. It soon
 * answers no request, so it logs its figures all the time; the time for which it hangs at the end counts as one frame.
 */
export async function measureNaive(
  browser: Browser,
  url: string,
  rate: number,
  seconds: number,
): Promise<Figures> {
  const page = await browser.newPage({ viewport: SIZE });
  const channel = `bench:naive${rate}`;
  await page.goto(`${url}/healthz`);
  const logged: Recorded = { frames: [], long: [] };
  let received = 0;
  page.on('console', (message) => {
    const [what, value, rows] = message.text().split(' ');
    if (what === 'long') logged.long.push(Number(value));
    if (what !== 'frame') return;
    logged.frames.push(Number(value));
    received = Number(rows);
  });
  await page.evaluate((stream) => {
    let last = performance.now();
    const frame = (now: number) => {
      console.debug('frame', now - last, document.querySelectorAll('body > div').length);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) console.debug('long', duration);
    }).observe({ entryTypes: ['longtask'] });
    const source = new EventSource(stream);
    source.onmessage = ({ data }) => {
      const line = document.body.appendChild(document.createElement('div'));
      line.textContent = data;
      line.scrollIntoView();
    };
  }, `${url}/stream?channels=${channel}`);
  const cdp = await page.context().newCDPSession(page);
  const early = delay((seconds * 1_000) / 3).then(() => inTime(heap(cdp), Number.NaN));
  const published = await publishSteadily(url, channel, rate, seconds);
  const stuck = seconds * 1_000 - logged.frames.reduce((sum, ms) => sum + ms, 0);
  const recorded = summary({
    frames: stuck > 0 ? [...logged.frames, stuck] : logged.frames,
    long: logged.long,
  });
  // The number of entries shown when the last one was published.
  const rows = received;
  const heaps = { heapEarly: await early, heapLate: await inTime(heap(cdp), Number.NaN) };
  return {
    page: 'append a div',
    rate,
    seconds,
    published,
    received: rows,
    rows,
    ledger: 'none',
    ...recorded,
    ...heaps,
  };
}

type Load = Omit<Figures, 'page' | 'rate' | 'seconds' | 'received' | 'ledger' | 'rows'>;

async function underLoad(
  page: Page,
  url: string,
  channel: string,
  rate: number,
  seconds: number,
  entryOf?: EntryOf,
): Promise<Load> {
  const cdp = await page.context().newCDPSession(page);
  await recordFrames(page);
  const early = delay((seconds * 1_000) / 3).then(() => inTime(heap(cdp), Number.NaN));
  const traced = Math.min(MAX_TRACED_SECONDS, seconds / 3);
  const handle = delay((seconds * 1_000) / 2).then(() => trace(cdp, traced));
  const published = await publishSteadily(url, channel, rate, seconds, entryOf);
  const recorded = summary(await inTime(frames(page), NO_ANSWER));
  const heaps = { heapEarly: await early, heapLate: await inTime(heap(cdp), Number.NaN) };
  return { published, ...recorded, ...heaps, mainThread: await readTrace(cdp, await handle, traced) };
}

async function recordFrames(page: Page): Promise<void> {
  await page.evaluate(() => {
    const record = { frames: [] as number[], long: [] as number[], stop: false };
    Object.assign(globalThis, { record });
    let last = performance.now();
    const frame = (now: number) => {
      record.frames.push(now - last);
      last = now;
      if (!record.stop) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) record.long.push(duration);
    }).observe({ entryTypes: ['longtask'] });
  });
}

interface Recorded {
  frames: number[];
  long: number[];
}

function frames(page: Page): Promise<Recorded> {
  return page.evaluate(() => {
    const { record } = globalThis as unknown as { record: Recorded & { stop: boolean } };
    record.stop = true;
    return { frames: record.frames.slice(1), long: record.long };
  });
}

function summary({ frames: all, long }: Recorded) {
  const sorted = [...all].sort((a, b) => a - b);
  return {
    frames: sorted.length,
    p50: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    worst: sorted.at(-1) ?? Number.NaN,
    longTasks: long.length,
    longTaskMs: long.reduce((sum, ms) => sum + ms, 0),
  };
}

async function heap(cdp: CDPSession): Promise<number> {
  await cdp.send('HeapProfiler.collectGarbage');
  return (await cdp.send('Runtime.getHeapUsage')).usedSize / 1e6;
}

/** Does not wait for a page that is too busy to answer. */
function inTime<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  return Promise.race([answer.catch(() => otherwise), delay(PATIENCE_MS).then(() => otherwise)]);
}
