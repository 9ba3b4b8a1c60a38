// Bounds what a model service sends, before the client library reads it, and brings it into one form: an event stream with the
// chunks of choice 0 that ends at [DONE]. At most MAX_EVENT of a stream or MAX_ERROR_BYTES of an error are in memory.

import { setImmediate as nextRound } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { type ChunkReader, SENTINEL } from './chunk-reader.ts';
import { LlmError } from './failure.ts';

/** UTF-16 units of one event, or of an answer that is not streamed. */
const MAX_EVENT = 2 ** 18;
/** Bytes of one answer. It is large because a chunk of some hundred bytes carries a single word. */
const MAX_ANSWER_BYTES = 2 ** 27;
/** Bytes of a refusal that are read. Its text is shown to no client. */
const MAX_ERROR_BYTES = 2 ** 16;
/** UTF-16 units that are passed on in one round of the event loop; then other work gets its chance. */
const UNITS_PER_ROUND = 2 ** 15;
/** Added to the length of each event, because a small event costs almost as much as a large one. */
const UNITS_PER_EVENT = 2 ** 9;

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

/** @throws LlmError `llm_too_long` if the answer exceeds a bound. */
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
  let units = 0;
  let start = '';
  let isWhole: boolean | undefined;
  for await (const part of body) {
    bytes += part.length;
    const text = decoder.decode(part, { stream: true });
    if (isWhole !== false) {
      start += text;
      // An answer that is not streamed is one JSON object. No meaningful line of an event stream begins with a brace.
      isWhole = /^\s*$/.test(start) ? undefined : /^\s*\{/.test(start);
    }
    if (isWhole === false) {
      parser.feed(start || text);
      start = '';
    }
    let frames = '';
    for (const data of events) {
      const isEnd = data.trim() === SENTINEL;
      if (!isEnd) frames += frame(reader.chunk(data));
      units += data.length + UNITS_PER_EVENT;
      if (units < UNITS_PER_ROUND && !isEnd) continue;
      yield encoder.encode(frames);
      if (isEnd) return;
      frames = '';
      units = 0;
      await nextRound();
    }
    if (frames !== '') yield encoder.encode(frames);
    events = [];
    if (isTooLong || start.length > MAX_EVENT || bytes > MAX_ANSWER_BYTES) throw new LlmError('llm_too_long');
  }
  if (isWhole) yield encoder.encode(frame(reader.whole(start)));
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
