// Measures the page at fixed loads, with a real gateway and browser: entries at a steady rate; the same from 200 sources with the fleet open, or what
// runs; a run's picture that grows. For comparison, a page that reads the same bytes and shows nothing, and one that appends a div for each.
// `npm run bench -w dashboard [-- --seconds 60]`; build the page first (npm start and npm test do).
import { parseArgs } from 'node:util';
import { launchChromium } from '../../test-support/chromium.ts';
import { startProcess } from '../../test-support/process.ts';
import {
  type Figures,
  measureDashboard,
  measureNaive,
  measureNothing,
  measureOver,
  measureTimeline,
} from './measure.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });
const seconds = Number(values.seconds);

const gateway = startProcess(['gateway/src/main.ts'], {
  env: { PORT: '0', SSE_KEEPALIVE_MS: '1000', LOG_LEVEL: 'info' },
});
const url = (await gateway.saw(/http:\/\/[\d.:]+/)).trim();
const results: Figures[] = [];
try {
  // The naive pages come last: a page that hangs must not cost the others time.
  const measures = [
    measureDashboard,
    measureNothing,
    measureOver.bind(undefined, 'fleet'),
    measureOver.bind(undefined, 'running'),
    measureTimeline,
    measureNaive,
  ];
  for (const measure of measures) {
    for (const rate of measure === measureTimeline ? [500] : [10_000, 1_000]) {
      // Each page has a browser of its own, so that garbage of one page does not slow the next.
      const browser = await launchChromium({ args: ['--enable-precise-memory-info'] });
      const figures = await measure(browser, url, rate, seconds);
      await Promise.race([browser.close(), new Promise((resolve) => setTimeout(resolve, 10_000))]);
      results.push(figures);
      console.log(`${figures.page} at ${rate}/s: done`);
    }
  }
} finally {
  await gateway.stop();
}
print(results);
// A page that is too busy to close would keep the process running.
process.exit(
  results.some(
    ({ page, received, published }) =>
      page !== 'append a div' && received !== undefined && received !== published,
  )
    ? 1
    : 0,
);

/** NaN where the page did not answer. */
function figure(value: number, digits: number): string {
  return Number.isNaN(value) ? 'no answer' : value.toFixed(digits);
}

function count(value: number): string {
  return Number.isNaN(value) ? 'no answer' : value.toLocaleString('en');
}

function print(all: readonly Figures[]): void {
  const rows: [string, (figures: Figures) => string][] = [
    ['entries/s asked', (f) => f.rate.toLocaleString('en')],
    ['entries/s published', (f) => Math.round(f.published / f.seconds).toLocaleString('en')],
    ['published', (f) => f.published.toLocaleString('en')],
    ['received', (f) => (f.received === undefined ? '–' : count(f.received))],
    ['ledger', (f) => f.ledger],
    ['frames/s', (f) => (f.frames / f.seconds).toFixed(1)],
    ['frame p50 ms', (f) => figure(f.p50, 1)],
    ['frame p95 ms', (f) => figure(f.p95, 1)],
    ['frame p99 ms', (f) => figure(f.p99, 1)],
    ['worst frame ms', (f) => figure(f.worst, 0)],
    ['long tasks (> 50 ms)', (f) => `${f.longTasks} (${f.longTaskMs.toFixed(0)} ms)`],
    ['of ten seconds, by processor time', (f) => f.mainThread?.longTasks.toString() ?? '–'],
    ['longest task, ms of processor', (f) => f.mainThread?.longestMs.toFixed(0) ?? '–'],
    [
      'main thread, ms of processor a second',
      (f) => (f.mainThread ? (f.mainThread.totalMs / f.mainThread.seconds).toFixed(0) : '–'),
    ],
    ['heap at 1/3, MB', (f) => figure(f.heapEarly, 1)],
    ['heap at the end, MB', (f) => figure(f.heapLate, 1)],
    ['rows in the document', (f) => count(f.rows)],
    ['filter 100,000, ms', (f) => (f.filterMs === undefined ? '–' : f.filterMs.toFixed(0))],
    ['… worst frame meanwhile', (f) => (f.filterWorst === undefined ? '–' : f.filterWorst.toFixed(0))],
  ];
  const cells = [
    ['', ...all.map((f) => f.page)],
    ...rows.map(([name, format]) => [name, ...all.map(format)]),
  ];
  const widths =
    cells[0]?.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0))) ?? [];
  console.log();
  for (const row of cells) {
    console.log(
      row
        .map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0)))
        .join('  '),
    );
  }
}
