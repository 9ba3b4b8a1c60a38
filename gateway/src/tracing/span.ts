// The port to tracing: a piece of the gateway's own work, as OpenTelemetry tells of it. It names no library, so that none is loaded where
// nothing is traced. There no span exists, and those who work with one write `span?.`.

export type SpanAttributes = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

export interface SpanStart {
  name: string;
  /** `client`: the work is done by another service. */
  kind: 'internal' | 'client';
  attributes: SpanAttributes;
}

/** The context of a trace as HTTP carries it, by W3C's rules. */
export interface TraceHeaders {
  traceparent?: string;
  tracestate?: string;
}

export interface SpanEnd {
  attributes?: SpanAttributes;
  /** What went wrong, as a code. Absent for work that succeeded, or that somebody did not want any more. */
  error?: string;
}

/** No method throws. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly isEnded: boolean;
  child(start: SpanStart): Span;
  /** A request with these headers goes on with the trace, below this span. */
  headers(): TraceHeaders;
  /** Only the first end counts. */
  end(end?: SpanEnd): void;
}

export interface Tracer {
  /**
   * A span of the trace that `parent` names, or of a new trace if it names none. Where `parent` says that it is not recorded, nothing
   * of its trace is sent. Undefined where nothing is traced.
   */
  start(start: SpanStart, parent?: TraceHeaders): Span | undefined;
}
