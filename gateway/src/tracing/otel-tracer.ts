// The port to tracing, kept with OpenTelemetry's SDK. Loaded only where there is somewhere to send spans to.

import {
  type DiagLogger,
  DiagLogLevel,
  defaultTextMapGetter,
  defaultTextMapSetter,
  diag,
  ROOT_CONTEXT,
  type Span as SdkSpan,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { parseKeyPairsIntoRecord, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { Outbox, type OutboxObserver } from './outbox.ts';
import type { Span, SpanAttributes, SpanEnd, SpanStart, TraceHeaders, Tracer } from './span.ts';

const SCOPE = 'llm-streamer.gateway';
const KINDS = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT };

type SdkTracer = ReturnType<TracerProvider['getTracer']>;

/** Reads and writes `traceparent` and `tracestate`. Baggage is not passed on: it could hold anything, and nobody has asked for it. */
const w3c = new W3CTraceContextPropagator();

export interface OtelTracerOptions {
  /** The whole address for spans. */
  url: string;
  /** As OTEL_EXPORTER_OTLP_HEADERS writes them. */
  headers?: string | undefined;
  service: string;
  /** The label of this gateway. */
  instance: string;
  observer: OutboxObserver;
}

export class OtelTracer implements Tracer {
  readonly #provider: TracerProvider;
  readonly #tracer: SdkTracer;

  /** Compression, timeout and certificates come from variables that the exporter reads, further attributes from OTEL_RESOURCE_ATTRIBUTES. */
  constructor({ url, headers, service, instance, observer }: OtelTracerOptions) {
    diag.setLogger(partialAnswers(observer), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
    const resource = resourceFromAttributes({ 'service.instance.id': instance })
      .merge(detectResources({ detectors: [envDetector] }))
      .merge(resourceFromAttributes({ 'service.name': service }));
    const exporter = new OTLPTraceExporter({ url, headers: parseKeyPairsIntoRecord(headers) });
    this.#provider = new TracerProvider({
      resource,
      spanProcessors: [new Outbox(exporter, observer)],
    });
    this.#tracer = this.#provider.getTracer(SCOPE);
  }

  start(start: SpanStart, parent: TraceHeaders = {}): Span {
    return OtelSpan.start(this.#tracer, start, w3c.extract(ROOT_CONTEXT, parent, defaultTextMapGetter));
  }

  /** Sends what waits. */
  async close(): Promise<void> {
    await this.#provider.shutdown();
  }
}

class OtelSpan implements Span {
  readonly #tracer: SdkTracer;
  readonly #span: SdkSpan;
  #isEnded = false;

  private constructor(tracer: SdkTracer, span: SdkSpan) {
    this.#tracer = tracer;
    this.#span = span;
  }

  static start(tracer: SdkTracer, start: SpanStart, parent: typeof ROOT_CONTEXT): OtelSpan {
    const { name, kind, attributes } = start;
    return new OtelSpan(
      tracer,
      tracer.startSpan(name, { kind: KINDS[kind], attributes: valuesOf(attributes) }, parent),
    );
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get spanId(): string {
    return this.#span.spanContext().spanId;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  child(start: SpanStart): Span {
    return OtelSpan.start(this.#tracer, start, trace.setSpan(ROOT_CONTEXT, this.#span));
  }

  headers(): TraceHeaders {
    const headers: TraceHeaders = {};
    w3c.inject(trace.setSpan(ROOT_CONTEXT, this.#span), headers, defaultTextMapSetter);
    return headers;
  }

  end({ attributes = {}, error }: SpanEnd = {}): void {
    this.#span.setAttributes(valuesOf(attributes));
    if (error !== undefined) {
      this.#span.setAttribute('error.type', error);
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#span.end();
    this.#isEnded = true;
  }
}

/** That a receiver has taken a part is told to the SDK's own log alone. What else stands there, the outbox counts. */
function partialAnswers(observer: OutboxObserver): DiagLogger {
  const ignore = () => undefined;
  return {
    verbose: ignore,
    debug: ignore,
    info: ignore,
    warn: (what, said) => {
      if (what.startsWith('Received Partial Success') && typeof said === 'string')
        observer.onPartlyTaken(said);
    },
    error: ignore,
  };
}

/** The SDK takes lists that may be changed, and no `undefined`. */
function valuesOf(attributes: SpanAttributes): Record<string, string | number | boolean | string[]> {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'object' ? [...value] : value]],
    ),
  );
}
