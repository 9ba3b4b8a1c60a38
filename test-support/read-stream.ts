// Reads /stream without any code of the product: with fetch and an independent SSE parser.
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { Entry } from '../shared/src/entry.ts';

/** Reads entries until `enough` says that they suffice; rejects if the stream ends, or `timeoutMs` is over, before that. */
export async function readStream(
  url: string,
  enough: (entries: readonly Entry[]) => boolean,
  timeoutMs = 30_000,
): Promise<Entry[]> {
  const done = new AbortController();
  const response = await fetch(url, {
    signal: AbortSignal.any([done.signal, AbortSignal.timeout(timeoutMs)]),
  });
  const entries: Entry[] = [];
  const events = response.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  for await (const { event, data } of events ?? []) {
    if (event !== undefined) continue; // a control frame
    entries.push(JSON.parse(data));
    if (!enough(entries)) continue;
    done.abort();
    return entries;
  }
  throw new Error(`${url} ended after ${entries.length} entries`);
}

/** The sources of simulated producers among the entries. */
export function producersOf(entries: readonly Entry[]): Set<string> {
  return new Set(entries.map(({ source }) => source).filter((source) => source.startsWith('producer-')));
}
