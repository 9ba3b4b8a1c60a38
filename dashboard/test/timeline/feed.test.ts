// What the picture of a run reads, over a real HTTP server that has a log of its own.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { RunFeed } from '../../src/timeline/feed.ts';
import { MAX_ENTRIES, type Picture } from '../../src/timeline/model.ts';

const START = 1_800_000_000_000;
/** A name that no run of a gateway has, so that it is read from the channels that are shown. */
const RUN = 'night run';
let server: Server | undefined;
let feed: RunFeed | undefined;
let pages = 0;
afterEach(() => {
  feed?.stop();
  server?.close();
  server?.closeAllConnections();
  vi.unstubAllGlobals();
});

/** Serves the run's deltas, the newest first, in pages of so many; each page has `next`, until none is left. */
async function serve(total: number, perPage: number, isEndless = false): Promise<void> {
  pages = 0;
  server = createServer((request, response) => {
    pages++;
    const end = Number(new URL(request.url ?? '', 'http://localhost').searchParams.get('before') ?? total);
    const first = Math.max(0, end - perPage);
    const entries = Array.from({ length: Math.max(0, end - first) }, (_, i) => ({
      id: `${START + first + i}-0`,
      time: START + first + i,
      channel: 'logs',
      source: 'gpu-1',
      level: 'info',
      msg: 'x',
      run: RUN,
      event: 'generation.delta',
      attrs: { lane: 'a' },
    }));
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ entries, gaps: [], next: String(first), done: !isEndless && first === 0 }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  vi.stubGlobal('document', { baseURI: `http://127.0.0.1:${port}/` });
}

async function read(): Promise<{ picture: Picture; notes: string[]; entries: number }> {
  const whole = await new Promise<RunFeed>((resolve) => {
    const reading = new RunFeed({
      key: RUN,
      reader: '',
      channels: ['logs'],
      onChange: () => !reading.isReading && resolve(reading),
    });
    feed = reading;
  });
  const picture = whole.model.picture(START + 1_000_000_000);
  return { picture, notes: whole.notes(picture, true), entries: whole.model.entries };
}

it('a run of more than ten pages is read as far as it fits, and its missing beginning is said', async () => {
  await serve(12_345, 1_000);
  const { entries, notes } = await read();
  expect(entries).toBe(12_345);
  expect(notes).toEqual(['its beginning was not logged, or is no longer kept']);
});

it('reading stops where no more fits, and says that more may be left out than it knows', async () => {
  await serve(MAX_ENTRIES + 10_000, 1_000);
  const { entries, notes } = await read();
  expect(entries).toBe(MAX_ENTRIES);
  expect(notes).toEqual([expect.stringMatching(/^at least [\d,]+ entries left out: only 20,000 fit$/)]);
  expect(pages).toBe(21);
});

it('ten searches that find little are the last', async () => {
  await serve(5, 1, true);
  expect((await read()).notes).toEqual(['its beginning was not found in the newest million entries']);
  expect(pages).toBe(10);
});

it('a run that goes on while the page is not live says so', async () => {
  await serve(1, 1_000);
  const { picture } = await read();
  const running = { ...picture, isRunning: true };
  expect(feed?.notes(running, false)).toContain('not live');
  expect(feed?.notes(running, true)).not.toContain('not live');
  expect(feed?.notes({ ...picture, isRunning: false }, false)).not.toContain('not live');
});
