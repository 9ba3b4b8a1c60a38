// Reads what a server answers to one request: the one message that is the answer, bounded in bytes, in values and in parts. The MCP client
// checks each value of whatever comes, so that 256 KiB of empty events, or of `{}` in the place of texts, would hold the event loop for a
// second; and it would heed requests that a server makes meanwhile, which nobody here has asked for.

import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { createParser } from 'eventsource-parser';
import { excessOf } from '../shippers/json-shape.ts';
import { networkFailure, ToolFailure } from './tool-failure.ts';

/** Of one answer, unpacked. A result of 20 MB would hold the event loop for the better part of a second. */
const MAX_ANSWER_BYTES = 262_144;
const SHAPE = { values: 10_000, members: 1_000, depth: 64 };
/** Parts of a result. What is no part is described at length by the client: a thousand take 20 ms. */
const MAX_PARTS = 1_000;
/** A shorter secret may be a word that answers need. */
const HIDDEN_LENGTH = 12;
/** UTF-16 units of events that are parsed at once. */
const UNITS_AT_ONCE = 8_192;

/** One slicer for all answers of the process, since they share the event loop. */
const pace = new TimeSlicer();

/**
 * The same response, as JSON that the client may read at once.
 * @param id of the request; undefined for a notification, whose answer says nothing
 * @param secret with which it was asked. Some servers repeat it when they complain of it, and then whoever asked the agent would read it.
 * @throws ToolFailure
 */
export async function serverAnswer(response: Response, id: unknown, secret = ''): Promise<Response> {
  const { body, status, headers } = response;
  if (body === null) return response;
  const type = headers.get('content-type') ?? '';
  const isJson = type.includes('application/json');
  const isStream = response.ok && !isJson && type.includes('text/event-stream');
  if (id === undefined || !(isJson || isStream)) {
    body.cancel().catch(() => undefined);
    return new Response(null, { status, headers }); // the client says what is wrong with it
  }
  const hidden = secret.length < HIDDEN_LENGTH ? undefined : inJson(secret);
  // Measured after the secret is cut out, as the client reads it: cutting out a quote may turn text into JSON.
  const redactAndMeasure = async (said: string) => {
    const text = hidden ? said.replace(hidden, '[secret]') : said;
    if ((await excessOf(text, SHAPE)) !== undefined) throw new ToolFailure('tool_too_large');
    return text;
  };
  const text = isStream
    ? await answerAmong(eventsOf(body), id, redactAndMeasure)
    : await redactAndMeasure(await wholeOf(body));
  check(text);
  await pace.pauseIfDue();
  const session = headers.get('mcp-session-id');
  return new Response(text, {
    status,
    headers: { 'content-type': 'application/json', ...(session && { 'mcp-session-id': session }) },
  });
}

/** A text in JSON, where each unit may be escaped: some write `/` as `\/`, others `+` as `\u002b`. */
function inJson(text: string): RegExp {
  const units = Array.from({ length: text.length }, (_, i) => {
    const hex = text.charCodeAt(i).toString(16).padStart(4, '0');
    return `(?:\\\\?\\u${hex}|\\\\u(?i:${hex}))`;
  });
  return new RegExp(units.join(''), 'g');
}

/** @throws ToolFailure if it has too many parts, or is several messages at once, which nobody has asked for */
function check(text: string): void {
  const message = parsed(text);
  if (Array.isArray(message)) throw new ToolFailure('tool_failed', { reason: 'it answers with a batch' });
  const { content } = objectOf(objectOf(message).result);
  if (Array.isArray(content) && content.length > MAX_PARTS) throw new ToolFailure('tool_too_large');
}

/** The message that answers the request. What else a server sends, before it or instead, is passed over. */
async function answerAmong(
  events: AsyncGenerator<string>,
  id: unknown,
  measured: (event: string) => Promise<string>,
): Promise<string> {
  for await (const event of events) {
    const text = await measured(event);
    const message = objectOf(parsed(text));
    if (message.id === id && !('method' in message)) return text;
  }
  throw new ToolFailure('tool_unreachable', { reason: 'it ended a stream without its answer' });
}

async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  let events: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => events.push(data) });
  for await (const text of textsOf(body))
    for (let at = 0; at < text.length; at += UNITS_AT_ONCE) {
      parser.feed(text.slice(at, at + UNITS_AT_ONCE));
      for (const data of events) {
        await pace.pauseIfDue();
        yield data;
      }
      events = [];
      await pace.pauseIfDue(); // comments and empty lines make no events, but take time
    }
}

async function wholeOf(body: ReadableStream<Uint8Array>): Promise<string> {
  const texts: string[] = [];
  for await (const text of textsOf(body)) texts.push(text);
  return texts.join('');
}

/** Ends the connection when it is left early. */
async function* textsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let bytes = 0;
  try {
    for await (const part of body) {
      bytes += part.byteLength;
      if (bytes > MAX_ANSWER_BYTES) throw new ToolFailure('tool_too_large');
      yield decoder.decode(part, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    throw error instanceof ToolFailure ? error : networkFailure(error);
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** What is no JSON is left to the client, which says so. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
