// The tracing of one gateway: nothing where no endpoint is set, and then OpenTelemetry's SDK is not loaded either. To deliver spans delays
// no run, and what could not be delivered is counted and said.

import { Counter, type Registry } from 'prom-client';
import { masked } from '../otlp/private-keys.ts';
import { type TracingVariables, tracesUrl } from './config.ts';
import type { OtelTracer } from './otel-tracer.ts';
import type { Span, SpanStart, TraceHeaders, Tracer } from './span.ts';

/** How long a gateway that stops waits for the receiver to take the last spans. */
const FLUSH_MS = 1_000;
/** UTF-16 units of what a receiver says. */
const MAX_SAID = 300;

export interface TracingOptions {
  config: TracingVariables;
  /** The label of this gateway. */
  instance: string;
  registry: Registry;
  /** Says what became of spans that could not be delivered. @param key what counts as one fault */
  tell: (key: string, text: string) => void;
}

export class Tracing implements Tracer {
  readonly #options: TracingOptions;
  readonly #url: string | undefined;
  readonly #spans: Counter;
  #tracer: OtelTracer | undefined;

  /** @throws CodedError `invalid_config` if spans shall be sent in another protocol */
  constructor(options: TracingOptions) {
    this.#options = options;
    this.#url = tracesUrl(options.config);
    this.#spans = new Counter({
      name: 'llm_streamer_spans_total',
      help: "Spans of the gateway's own runs, where it sends them by OpenTelemetry.",
      labelNames: ['outcome'],
      registers: [options.registry],
    });
  }

  /** Whether there is somewhere to send spans to. */
  get isOn(): boolean {
    return this.#url !== undefined;
  }

  async open(): Promise<void> {
    const { config, instance, tell } = this.#options;
    if (this.#url === undefined) return;
    const { OtelTracer } = await import('./otel-tracer.ts');
    this.#tracer = new OtelTracer({
      url: this.#url,
      headers: config.OTEL_EXPORTER_OTLP_HEADERS,
      service: config.OTEL_SERVICE_NAME,
      instance,
      observer: {
        onSpans: (outcome, count) => {
          this.#spans.inc({ outcome }, count);
          if (outcome === 'dropped') tell('spans dropped', 'too many spans of this gateway wait to be sent');
        },
        onUndelivered: (fault) =>
          tell(`spans ${fault}`, `spans of this gateway could not be delivered: ${fault}`),
        onPartlyTaken: (said) =>
          tell(
            'spans partial',
            `not all spans of this gateway were taken: ${masked(said.slice(0, MAX_SAID))}`,
          ),
      },
    });
  }

  start(start: SpanStart, parent?: TraceHeaders): Span | undefined {
    return this.#tracer?.start(start, parent);
  }

  async close(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, FLUSH_MS);
    await Promise.race([this.#tracer?.close().catch(() => undefined), late.promise]);
    clearTimeout(timer);
  }
}
