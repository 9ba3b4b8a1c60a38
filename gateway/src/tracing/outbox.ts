// The spans that wait to be sent, or are on their way: a bounded number, each of which is counted as sent, lost or dropped in the end. To
// add one never waits. What cannot be delivered is said by the name of the fault, never in the words of who answered.

import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';

/** About 2 kB each without texts, and up to 34 kB with `LOG_CONTENT`: 4 MB, or 70 MB. */
const MAX_SPANS = 2_048;
/** Traces appear about as soon as their spans end. The SDK's own pause of 5 s saves requests that a gateway's few spans do not need. */
const PAUSE_MS = 1_000;

export interface OutboxObserver {
  /** `sent` to the receiver, `lost` because it could not be reached or refused them, or `dropped` because too many waited. */
  onSpans(outcome: 'sent' | 'lost' | 'dropped', count: number): void;
  /** @param fault a status or a code of Node, such as `503` or `ECONNREFUSED` */
  onUndelivered(fault: string): void;
  /** The receiver has taken a request, but not all spans in it. @param said what it says of that; it may say anything. */
  onPartlyTaken(said: string): void;
}

export class Outbox implements SpanProcessor {
  readonly #batches: BatchSpanProcessor;
  readonly #exporter: SpanExporter;
  readonly #observer: OutboxObserver;
  #size = 0;

  constructor(exporter: SpanExporter, observer: OutboxObserver) {
    this.#exporter = exporter;
    this.#observer = observer;
    this.#batches = new BatchSpanProcessor({
      exporter: {
        export: (spans, done) => this.#export(spans, done),
        shutdown: () => exporter.shutdown(),
      },
      maxQueueSize: MAX_SPANS,
      scheduledDelayMillis: PAUSE_MS,
    });
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#size >= MAX_SPANS) {
      this.#observer.onSpans('dropped', 1);
      return;
    }
    this.#size++;
    this.#batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown();
  }

  #export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      this.#size -= spans.length;
      const isSent = result.code === ExportResultCode.SUCCESS;
      this.#observer.onSpans(isSent ? 'sent' : 'lost', spans.length);
      if (!isSent) this.#observer.onUndelivered(faultOf(result.error));
      done(result);
    });
  }
}

/** The exporter's errors have the status of the answer as their code, those of Node a name. A message may quote anything. */
function faultOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  if (typeof code === 'number') return `status ${code}`;
  return typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'no usable answer';
}
