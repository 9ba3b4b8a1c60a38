// Reads what the four kinds of calls answer, in pieces or as a whole. A field that is missing or of another type is passed over: the
// client judges the answer, and the log shows what can be read of it.

import { keyOf, type Reading } from './reading.ts';

type Json = Readonly<Record<string, unknown>>;

export interface Dialect {
  /** `gen_ai.operation.name` */
  readonly operation: string;
  /** Whether an answer that is not streamed holds texts. Otherwise it may be long, and only its end is looked at. */
  readonly hasText: boolean;
  /** A piece of a stream. */
  chunk(reading: Reading, value: Json): void;
  /** An answer that is not streamed. */
  whole(reading: Reading, value: Json): void;
}

/** `/chat/completions` and `/completions`, whose pieces and whole answers are alike. */
const chat: Dialect = {
  operation: 'chat',
  hasText: true,
  chunk(reading, value) {
    readFailure(reading, value);
    readHead(reading, value);
    for (const choice of objects(value.choices)) {
      // Others are variants of the same answer.
      if ((choice.index ?? 0) !== 0) continue;
      readMessage(reading, object(choice.delta ?? choice.message));
      reading.text('text', choice.text);
      if (typeof choice.finish_reason === 'string') reading.ended(choice.finish_reason);
    }
  },
  whole(reading, value) {
    chat.chunk(reading, value);
    reading.isEnded = true;
  },
};

const completion: Dialect = { ...chat, operation: 'text_completion' };

const responses: Dialect = {
  operation: 'chat',
  hasText: true,
  chunk(reading, value) {
    const key = keyOf(value.item_id ?? value.output_index);
    switch (value.type) {
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        return reading.text('text', value.delta);
      case 'response.reasoning_text.delta':
      case 'response.reasoning_summary_text.delta':
        return reading.text('reasoning', value.delta);
      case 'response.output_item.added':
        return readItem(reading, object(value.item), value.output_index);
      case 'response.function_call_arguments.delta':
        return reading.tool(key, { arguments: value.delta });
      case 'response.function_call_arguments.done':
        return reading.toolArguments(key, value.arguments);
      case 'response.created':
        return readHead(reading, object(value.response));
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        return readEnd(reading, object(value.response));
      case 'error':
        return reading.failed({ code: value.code, message: value.message });
      default:
        readFailure(reading, value);
    }
  },
  whole(reading, value) {
    for (const [index, item] of objects(value.output).entries()) {
      readItem(reading, item, index);
      for (const part of objects(item.content)) reading.text('text', part.text ?? part.refusal);
      for (const part of objects(item.summary)) reading.text('reasoning', part.text);
    }
    readEnd(reading, value);
  },
};

const embeddings: Dialect = {
  operation: 'embeddings',
  hasText: false,
  chunk: (reading, value) => embeddings.whole(reading, value),
  whole(reading, value) {
    readFailure(reading, value);
    readHead(reading, value);
    reading.isEnded = true;
  },
};

export const DIALECTS = { chat, completion, responses, embeddings } as const;

/** The body of an answer whose status says that the call was refused. */
export const REFUSAL: Dialect = {
  operation: '',
  hasText: true,
  chunk: (reading, value) => reading.failed(value.error ?? value),
  whole: (reading, value) => reading.failed(value.error ?? value),
};

function readMessage(reading: Reading, message: Json): void {
  reading.text('reasoning', message.reasoning_content ?? message.reasoning);
  reading.text('text', message.content ?? message.refusal);
  for (const [position, call] of objects(message.tool_calls).entries()) {
    const { name, arguments: given } = object(call.function);
    reading.tool(keyOf(call.index ?? position), { id: call.id, name, arguments: given });
  }
}

function readItem(reading: Reading, item: Json, index: unknown): void {
  if (typeof item.type !== 'string' || !item.type.endsWith('_call')) return;
  reading.tool(keyOf(item.id ?? index), {
    id: item.call_id ?? item.id,
    name: item.name ?? item.type,
    arguments: item.arguments,
  });
}

function readHead(reading: Reading, value: Json): void {
  reading.identity(value.id, value.model);
  const usage = object(value.usage);
  reading.tokens(
    usage.prompt_tokens ?? usage.input_tokens,
    usage.completion_tokens ?? usage.output_tokens,
    object(usage.completion_tokens_details ?? usage.output_tokens_details).reasoning_tokens,
    object(usage.prompt_tokens_details ?? usage.input_tokens_details).cached_tokens,
  );
}

function readEnd(reading: Reading, response: Json): void {
  readHead(reading, response);
  if (response.status === 'failed' || response.status === 'cancelled') reading.failed(response.error);
  const { reason } = object(response.incomplete_details);
  if (reason !== undefined) reading.ended(reason === 'max_output_tokens' ? 'length' : reason);
  else reading.ended(reading.tools.length > 0 ? 'tool_calls' : 'stop');
}

function readFailure(reading: Reading, value: Json): void {
  if (typeof value.error === 'object' && value.error !== null) reading.failed(value.error);
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function objects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}
