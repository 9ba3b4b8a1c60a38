// Bounds what a model service sends, before the client library reads it, and brings it into one form: an event stream with the
// chunks of choice 0 that ends at [DONE]. At most MAX_EVENT of a stream or MAX_ERROR_BYTES of an error are in memory.

import { holdsMoreThan, isDeeperThan, MAX_ENTRY_VALUES } from '@llm-streamer/shared/json-values.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { createParser } from 'eventsource-parser';
import { type ChunkReader, SENTINEL } from './chunk-reader.ts';
import { LlmError } from './failure.ts';

/** UTF-16 units of one event, or of an answer that is not streamed. */
const MAX_EVENT = 2 ** 18;
/** Bytes of one answer. It is large because a chunk of some hundred bytes carries a single word. */
const MAX_ANSWER_BYTES = 2 ** 27;
/** Bytes of a refusal that are read. Its text is shown to no client. */
const MAX_ERROR_BYTES = 2 ** 16;
/** UTF-16 units that are parsed at once: even if all of them are empty lines, that takes few milliseconds. */
const UNITS_AT_ONCE = 2 ** 13;
/** The most levels of one event: code that looks at deeper values calls itself for each level, and would overflow the stack. */
const MAX_LEVELS = 64;

/** One slicer for all answers of the process, since they share the event loop. */
const pace = new TimeSlicer();

/** The same response, with a bounded body. */
export async function boundedResponse(response: Response, reader: ChunkReader): Promise<Response> {
  const { body, status, headers } = response;
  if (!body) return response;
  if (!response.ok) return new Response(await beginningOf(body), { status, headers });
  return new Response(streamOf(framesOf(body, reader)), { status, headers });
}

async function beginningOf(body: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    parts.push(part.subarray(0, MAX_ERROR_BYTES - bytes));
    bytes += part.length;
    if (bytes >= MAX_ERROR_BYTES) break; // leaving the loop closes the connection
  }
  return Buffer.concat(parts);
}

/** @throws LlmError `llm_too_long` or `llm_invalid_response` if a bound is passed. */
async function* framesOf(
  body: ReadableStream<Uint8Array>,
  reader: ChunkReader,
): AsyncGenerator<Uint8Array, void, undefined> {
  let events: string[] = [];
  let isTooLong = false;
  const parser = createParser({
    maxBufferSize: MAX_EVENT,
    onEvent: ({ data }) => events.push(data),
    onError: ({ type }) => {
      isTooLong ||= type === 'max-buffer-size-exceeded';
    },
  });
  const decoder = new TextDecoder();
  let bytes = 0;
  // What has come of an answer that may be, or is, one JSON object. No meaningful line of an event stream begins with a brace.
  let start = '';
  let isWhole: boolean | undefined;
  for await (const part of body) {
    bytes += part.length;
    let text = decoder.decode(part, { stream: true });
    if (isWhole === undefined) {
      // Only the new part is searched. If `start` were searched, 256 KiB of blanks that come byte by byte would be read 262,144
      // times.
      const visible = text.search(/\S/);
      if (visible >= 0) isWhole = text[visible] === '{';
    }
    if (isWhole !== false) {
      start += text;
    } else if (start !== '') {
      text = start + text;
      start = '';
    }
    for (let at = 0; isWhole === false && at < text.length; at += UNITS_AT_ONCE) {
      parser.feed(text.slice(at, at + UNITS_AT_ONCE));
      for (const data of events) {
        if (data.trim() === SENTINEL) return;
        yield encoder.encode(frame(reader.chunk(bounded(data))));
        await pace.pauseIfDue();
      }
      events = [];
      if (isTooLong) throw new LlmError('llm_too_long');
      await pace.pauseIfDue(); // comments and empty lines make no events, but take time
    }
    if (start.length > MAX_EVENT || bytes > MAX_ANSWER_BYTES) throw new LlmError('llm_too_long');
  }
  if (isWhole) yield encoder.encode(frame(reader.whole(bounded(start))));
}

/** Looks at the text alone, before it is parsed. An event may hold as many values as an entry: both are parsed by the same loop. */
function bounded(data: string): string {
  if (holdsMoreThan(MAX_ENTRY_VALUES, data) || isDeeperThan(MAX_LEVELS, data))
    throw new LlmError('llm_invalid_response');
  return data;
}

function streamOf(parts: AsyncGenerator<Uint8Array, void, undefined>): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await parts.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await parts.return();
      },
    },
    { highWaterMark: 0 }, // nothing is read ahead
  );
}

const encoder = new TextEncoder();

function frame(data: string): string {
  return `data: ${data.replaceAll('\n', '\ndata: ')}\n\n`;
}
