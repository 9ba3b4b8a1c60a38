// The span whose work is being done, so that lines of the process's own log can name it. Outside of `within` it costs nothing.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Span } from './span.ts';

const active = new AsyncLocalStorage<Span>();

/** Does `work`, all that it awaits included, as the work of this span. */
export function within<Result>(span: Span | undefined, work: () => Result): Result {
  return span === undefined ? work() : active.run(span, work);
}

/**
 * What a line of the log says of the span in which it was written, by the names that OpenTelemetry gives them in JSON lines. A timer that
 * was set within a span, such as that of a publisher, may outlive it; what it writes then is not of that span.
 */
export function idsOfLine(): { trace_id?: string; span_id?: string } {
  const span = active.getStore();
  return span === undefined || span.isEnded ? {} : { trace_id: span.traceId, span_id: span.spanId };
}
