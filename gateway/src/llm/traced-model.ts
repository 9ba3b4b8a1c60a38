// Each call of a model as a span: what was asked and how the answer was, and W3C headers, by which the service can go on with the trace.
// Composed only where spans are sent. Texts stand in a span only where the request allows it.

import type { Span } from '../tracing/span.ts';
import { answerAttributes, failureAttributes, requestAttributes } from './call-attributes.ts';
import { LlmError } from './failure.ts';
import type { LlmEvent, LlmFinish, LlmMessage, LlmModel, LlmRequest, LlmToolCall } from './model.ts';

/** UTF-16 units of texts in one attribute. Of a longer conversation the newest messages are kept. */
const MAX_TEXT = 8_000;

export class TracedModel implements LlmModel {
  readonly #inner: LlmModel;

  constructor(inner: LlmModel) {
    this.#inner = inner;
  }

  async *stream(request: LlmRequest, signal: AbortSignal): AsyncGenerator<LlmEvent, void, undefined> {
    const { trace, messages } = request;
    const span = trace?.parent.child({
      name: `chat ${request.target.model}`,
      kind: 'client',
      attributes: {
        ...requestAttributes(request),
        ...(trace?.texts && { 'gen_ai.input.messages': inParts(messages) }),
      },
    });
    let said = '';
    const calls: LlmToolCall[] = [];
    let finish: LlmFinish | undefined;
    let error: LlmError | undefined;
    try {
      for await (const event of this.#inner.stream({ ...request, ...headersOf(span) }, signal)) {
        if (event.type === 'finish') finish = event;
        else if (event.type === 'retract') said = '';
        else if (event.type === 'tool-call') calls.push(event.call);
        else if (event.type === 'text' && trace?.texts && said.length <= MAX_TEXT) said += event.text;
        yield event;
      }
    } catch (caught) {
      error = caught instanceof LlmError ? caught : new LlmError('llm_invalid_response');
      throw caught;
    } finally {
      // A reader that has stopped reading does not want the call any more.
      const end = error ?? (finish ? undefined : new LlmError('cancelled'));
      span?.end({
        attributes: {
          ...(finish && answerAttributes(finish)),
          ...(end && failureAttributes(end)),
          ...((said !== '' || (trace?.texts && calls.length > 0)) && {
            'gen_ai.output.messages': inParts([{ role: 'assistant', content: said, calls }]),
          }),
        },
        ...(end && end.code !== 'cancelled' && { error: end.code }),
      });
    }
  }
}

function headersOf(span: Span | undefined): Pick<LlmRequest, 'headers'> {
  return span === undefined ? {} : { headers: { ...span.headers() } };
}

/** Messages in the form of OpenTelemetry's conventions. */
function inParts(messages: readonly LlmMessage[]): string {
  let left = MAX_TEXT;
  const kept: object[] = [];
  for (const message of messages.toReversed()) {
    if (left <= 0) break;
    const { role, content } = message;
    const text = content.length > left ? `${content.slice(0, left)}…` : content;
    left -= content.length;
    if (role === 'tool') {
      kept.unshift({ role, parts: [{ type: 'tool_call_response', id: message.call.id, response: text }] });
      continue;
    }
    const parts: object[] = text === '' ? [] : [{ type: 'text', content: text }];
    for (const { id, name, args } of (role === 'assistant' && message.calls) || []) {
      const given = JSON.stringify(args);
      left -= given.length;
      parts.push({ type: 'tool_call', id, name, ...(left >= 0 && { arguments: args }) });
    }
    kept.unshift({ role, parts });
  }
  return JSON.stringify(kept);
}
