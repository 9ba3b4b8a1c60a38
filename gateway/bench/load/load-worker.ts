// The load: many viewers in a process of its own. Only some are sampled, which means that every entry is read. Another viewer has
// every entry if it has as many bytes as a sampled viewer of the same lane, since all of them are sent the same.

import { Histogram } from '../histogram.ts';
import { serve } from '../worker.ts';
import { BenchViewer } from './viewer.ts';

export interface OpenLoad {
  port: number;
  /** A request for each lane; viewer i sends request i modulo their number. */
  requests: readonly string[];
  count: number;
  /** How many of the viewers read every entry; all of them if there are several lanes. */
  sampled: number;
  /** How many viewers connect at a time; with `count` all connect at once. */
  burst: number;
  bytesPerSecond?: number;
  /** The server speaks no HTTP: everything that comes is content. */
  bare?: boolean;
}

export interface LoadReport {
  viewers: number;
  closed: number;
  /** Entries that arrived, over all viewers. */
  deliveries: number;
  wireBytes: number;
  /** How often the server wrote to one viewer, estimated by the number of chunks. */
  chunks: number;
  bodyBytes: number;
  latencies: Float64Array;
  /** Figures of the sampled viewers. */
  sampled: {
    viewers: number;
    entries: number;
    lost: number;
    repeated: number;
    gaps: number;
    missed: number;
    unknown: number;
  };
  gzip: boolean;
}

const POLL_MS = 2;
const latencies = new Histogram();
const viewers: BenchViewer[] = [];
const scanned: BenchViewer[] = [];
/** Viewers of different lanes cannot be compared by their bytes. */
let allScanned = false;

const methods = {
  /** Resolves when every viewer has received the head of its response. */
  async open({ port, requests, count, sampled, burst, bytesPerSecond, bare = false }: OpenLoad) {
    const began = performance.now();
    allScanned = sampled >= count;
    const every = Math.max(1, Math.floor(count / Math.max(1, sampled)));
    const openOneByOne = async () => {
      while (viewers.length < count) {
        const i = viewers.length;
        const viewer = new BenchViewer({
          port,
          request: requests[i % requests.length] as string,
          bare,
          ...(sampled > 0 && i % every === 0 && { latencies }),
          ...(bytesPerSecond !== undefined && { bytesPerSecond }),
        });
        viewers.push(viewer);
        if (viewer.scanner) scanned.push(viewer);
        await viewer.opened;
      }
    };
    await Promise.all(Array.from({ length: Math.min(burst, count) }, openOneByOne));
    return { ms: performance.now() - began };
  },

  /** Sets all counts to 0. */
  begin() {
    latencies.clear();
    for (const viewer of viewers) viewer.begin();
  },

  /** Entries per viewer so far, on average. */
  progress() {
    return viewers.length === 0 ? 0 : deliveries() / viewers.length;
  },

  /** Resolves when `entries` have arrived, over all viewers, or when the time is up; gives the time it took. */
  async reached({ entries, timeoutMs }: { entries: number; timeoutMs: number }) {
    const began = performance.now();
    while (deliveries() < entries && performance.now() - began < timeoutMs)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    return { done: deliveries() >= entries, ms: performance.now() - began };
  },

  /** Resolves when nothing has arrived for `quietMs`. */
  async settled({ quietMs, timeoutMs }: { quietMs: number; timeoutMs: number }) {
    const end = performance.now() + timeoutMs;
    for (let last = -1, since = 0; performance.now() < end; ) {
      const bytes = sum(({ wireBytes }) => wireBytes);
      if (bytes !== last) since = performance.now();
      else if (performance.now() - since >= quietMs) return true;
      last = bytes;
      await new Promise((resolve) => setTimeout(resolve, quietMs / 5));
    }
    return false;
  },

  report(): LoadReport {
    const of = (pick: (scanner: NonNullable<BenchViewer['scanner']>) => number) =>
      scanned.reduce((total, { scanner }) => total + (scanner ? pick(scanner) : 0), 0);
    const first = viewers[0];
    return {
      viewers: viewers.length,
      closed: viewers.filter(({ closed }) => closed).length,
      deliveries: deliveries(),
      wireBytes: sum(({ wireBytes }) => wireBytes),
      chunks: first?.chunks ?? 0,
      bodyBytes: first?.bodyBytes ?? 0,
      latencies: latencies.counts,
      sampled: {
        viewers: scanned.length,
        entries: of(({ entries }) => entries),
        lost: of(({ lost }) => lost),
        repeated: of(({ repeated }) => repeated),
        gaps: of(({ gaps }) => gaps),
        missed: of(({ missed }) => missed),
        unknown: of(({ unknown }) => unknown),
      },
      gzip: /^content-encoding: *gzip/im.test(first?.body.head ?? ''),
    };
  },

  close() {
    for (const viewer of viewers) viewer.close();
    viewers.length = 0;
    scanned.length = 0;
    latencies.clear();
  },
};

export type LoadMethods = typeof methods;
serve(methods);

function deliveries(): number {
  const entries = scanned.reduce((total, { scanner }) => total + (scanner?.entries ?? 0), 0);
  if (allScanned || entries === 0) return entries;
  const perEntry = scanned.reduce((total, { bodyBytes }) => total + bodyBytes, 0) / entries;
  return Math.round(sum(({ bodyBytes }) => bodyBytes) / perEntry);
}

function sum(pick: (viewer: BenchViewer) => number): number {
  let total = 0;
  for (const viewer of viewers) total += pick(viewer);
  return total;
}
