// The figures of the fleet against figures that are computed here from the export of the same minutes, by the words of
// docs/operations.md and by no code of the page. Three simulated producers write to Redis; the page's gateway is killed in the midst of
// it, so that the page stands still at a second that it names; another gateway exports what the page had got.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../test-support/chromium.ts';
import { type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { eventually, openPage, sees } from './support/page.ts';

/** What the page shows, or what it must show, of one source. */
interface Figures {
  running: number;
  tokensPerSecond: number;
  p50: number;
  p95: number;
  errors: number;
}

interface Entry {
  id: string;
  source: string;
  level: string;
  event?: string;
  run?: string;
  attrs?: Record<string, unknown>;
}

const SOURCES = ['sim-1', 'sim-2', 'sim-3'];
const PATIENCE_MS = 90_000;

let browser: Browser;
let redis: RedisServer;
let env: Record<string, string>;
let exporter: Gateway;
let shown: Gateway;
const producers: RunningProcess[] = [];

beforeAll(async () => {
  [browser, redis] = await Promise.all([launchChromium(), startRedis()]);
  env = { REDIS_URL: redis.url, NAMESPACE: randomNamespace() };
  [exporter, shown] = await Promise.all([startGateway(env), startGateway(env)]);
});
afterAll(async () => {
  await Promise.all(producers.map((producer) => producer.stop('SIGKILL')));
  await Promise.all([browser.close(), exporter.stop(), shown.stop('SIGKILL')]);
  await redis.stop();
});

const cell = (page: Page, source: string, column: string) =>
  page.locator('#fleet .row', { hasText: source }).locator(`[data-column="${column}"]`).innerText();

async function figuresOnPage(page: Page): Promise<Record<string, Record<keyof Figures, string>>> {
  const all: Record<string, Record<keyof Figures, string>> = {};
  for (const source of SOURCES) {
    const columns = ['running', 'tokens', 'ttft', 'errors'];
    const [running = '', tokens = '', first = '', errors = ''] = await Promise.all(
      columns.map((column) => cell(page, source, column)),
    );
    const [p50 = '', p95 = ''] = first.replace(/ s.*$/, '').split(' / ');
    all[source] = { running, tokensPerSecond: tokens, p50, p95, errors };
  }
  return all;
}

/** Whether the text is the value, rounded to the digits that the text has. */
function isRounded(text: string, value: number): boolean {
  if (!/^[\d,]+(\.\d+)?$/.test(text)) return false;
  const half = 0.5 / 10 ** (text.split('.')[1] ?? '').length;
  return Math.abs(Number(text.replaceAll(',', '')) - value) <= half + 1e-9;
}

/** All entries of the channels, in the order of the log. */
async function exported(channels: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let after = '0'; ; ) {
    const response = await fetch(
      `${exporter.url}/api/entries?channels=${channels}&${after === '0' ? 'since=15m' : `after=${after}`}&limit=10000`,
      { headers: { accept: 'application/x-ndjson' } },
    );
    expect(response.status).toBe(200);
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    entries.push(...lines.map((line) => JSON.parse(line) as Entry));
    if (response.headers.get('done') === 'true') return entries;
    after = response.headers.get('next') ?? '';
  }
}

const secondOf = ({ id }: Entry) => Math.floor(Number(id.split('-')[0]) / 1000);
const attribute = (entry: Entry, name: string) => entry.attrs?.[name];
const generationOf = (entry: Entry) => `${entry.run} ${attribute(entry, 'lane') ?? ''}`;

/** The figures of one source in the second `now`, as docs/operations.md defines them. */
function figuresOf(entries: readonly Entry[], now: number): Figures {
  const reports = entries.filter(({ event }) => event === 'server.metrics');
  const reported = (name: string) => {
    const value = attribute(
      reports.findLast((entry) => attribute(entry, name) !== undefined) ?? ({} as Entry),
      name,
    );
    return typeof value === 'number' ? value : undefined;
  };
  const running = new Set<string>();
  for (const entry of entries) {
    if (entry.event === 'generation.started' || entry.event === 'generation.delta')
      running.add(generationOf(entry));
    if (entry.event === 'generation.finished' || entry.event === 'generation.failed')
      running.delete(generationOf(entry));
  }
  const deltas = entries.filter(({ event }) => event === 'generation.delta');
  const begin = Math.max(now - 5, Math.min(...deltas.map(secondOf)));
  const tokens = deltas
    .filter((entry) => secondOf(entry) >= begin && secondOf(entry) < now)
    .reduce((sum, entry) => sum + Number(attribute(entry, 'tokens')), 0);
  const firsts = entries
    .filter(({ event }) => event === 'generation.finished' || event === 'generation.failed')
    .map((entry) => attribute(entry, 'gen_ai.response.time_to_first_chunk'))
    .filter((value) => typeof value === 'number')
    .slice(-256)
    .sort((a, b) => a - b);
  const rank = (percent: number) => firsts[Math.ceil((firsts.length * percent) / 100) - 1] ?? Number.NaN;
  return {
    running: reported('requests_running') ?? running.size,
    tokensPerSecond: reported('generation_tokens_per_s') ?? tokens / (now - begin),
    p50: rank(50),
    p95: rank(95),
    errors: entries.filter(
      (entry) =>
        ['error', 'fatal'].includes(entry.level) && secondOf(entry) > now - 300 && secondOf(entry) <= now,
    ).length,
  };
}

/** The second that the page says its figures are of. */
async function standsAt(page: Page): Promise<number> {
  await sees(page, 'not live: this is how it was at');
  const [, clock = ''] =
    /it was at (\d\d:\d\d:\d\d)/.exec(await page.locator('#fleet .notes').innerText()) ?? [];
  const today = new Date();
  const [hours = 0, minutes = 0, seconds = 0] = clock.split(':').map(Number);
  const at = new Date(
    today.getFullYear(),
    today.getMonth(),
    today.getDate(),
    hours,
    minutes,
    seconds,
  ).getTime();
  // Before midnight, and read after it.
  return Math.floor((at > today.getTime() ? at - 86_400_000 : at) / 1000);
}

describe('the figures of the fleet equal those of the export', () => {
  const COUNTED = 'logs:generation,events:runs,logs:errors';
  const REPORTED = `${COUNTED},logs:metrics,logs`;

  it('where they are counted from generations, and where sources report them', async () => {
    const open = (channels: string) =>
      openPage(browser, `${shown.url}/?channels=${channels}&fleet=1`, { width: 1440 });
    const pages = { [COUNTED]: await open(COUNTED), [REPORTED]: await open(REPORTED) };
    for (const page of Object.values(pages)) {
      await sees(page, 'LIVE');
      await page.keyboard.press('R');
      await page.locator('#running [role="grid"]').waitFor();
      await page.keyboard.press('f');
    }
    for (const source of SOURCES)
      producers.push(
        startProcess(
          ['producer/src/main.ts', 'simulate', '--source', source, '--seed', source, '--rate', '2'],
          {
            env,
          },
        ),
      );
    const failure = { channel: 'logs:errors', source: 'sim-1', level: 'error', msg: 'planted' };
    await exporter.publish(failure, { ...failure, level: 'fatal' }, { ...failure, source: 'sim-2' });
    for (const page of Object.values(pages))
      await eventually(
        'all figures are known',
        async () =>
          (await page.locator('#fleet .row').count()) > SOURCES.length &&
          Object.values(await figuresOnPage(page)).every((texts) =>
            Object.values(texts).every((text) => /\d/.test(text)),
          ),
        PATIENCE_MS,
      );
    shown.process.kill('SIGKILL');
    for (const [channels, page] of Object.entries(pages)) {
      const now = await standsAt(page);
      const kept = Number(
        /([\d,]+) kept/.exec(await page.locator('.kept').innerText())?.[1]?.replaceAll(',', ''),
      );
      const all = (await exported(channels)).slice(0, kept);
      expect(all).toHaveLength(kept);
      const onPage = await figuresOnPage(page);
      const computed = Object.fromEntries(
        SOURCES.map((source) => [
          source,
          figuresOf(
            all.filter((entry) => entry.source === source),
            now,
          ),
        ]),
      );
      const unequal = SOURCES.flatMap((source) =>
        Object.entries(computed[source] ?? {}).flatMap(([name, value]) => {
          const text = onPage[source]?.[name as keyof Figures] ?? '';
          return isRounded(text, value) ? [] : [`${source} ${name}: ${text} on the page, ${value} computed`];
        }),
      );
      expect(unequal).toEqual([]);
      const sum = (name: 'running' | 'errors') =>
        Object.values(computed).reduce((total, figures) => total + figures[name], 0);
      await sees(page, `${sum('running')} running`);
      // The page has less than five minutes.
      await sees(page, new RegExp(`· ${sum('errors')} errors? in \\d+ s ·`));
      if (channels !== COUNTED) continue;
      expect(sum('running')).toBeGreaterThan(0);
      await page.keyboard.press('R');
      await sees(page, `${sum('running')} running ·`);
    }
  }, 300_000);
});
