// The official OpenTelemetry exporters of Node, unmodified, set up as a program sets them up.

import { ROOT_CONTEXT, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

export type Encoding = 'protobuf' | 'json';

export interface SenderOptions {
  service?: string;
  encoding?: Encoding;
  headers?: Record<string, string>;
  gzip?: boolean;
}

export interface Sender {
  logger: ReturnType<LoggerProvider['getLogger']>;
  tracer: ReturnType<TracerProvider['getTracer']>;
  meter: ReturnType<MeterProvider['getMeter']>;
  /** Sends what is waiting, and resolves when it was answered. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** @param url what OTEL_EXPORTER_OTLP_ENDPOINT would be */
export function openSender(url: string, options: SenderOptions = {}): Sender {
  const { service = 'shop', encoding = 'protobuf', headers = {}, gzip = false } = options;
  const resource = resourceFromAttributes({
    'service.name': service,
    'service.instance.id': 'shop-1',
    'process.command_args': ['node', '--password=hunter2'],
  });
  const Traces = encoding === 'json' ? JsonTraces : ProtobufTraces;
  const Logs = encoding === 'json' ? JsonLogs : ProtobufLogs;
  const to = (signal: string) => ({
    url: `${url}/v1/${signal}`,
    headers,
    ...(gzip && { compression: 'gzip' as never }),
  });
  const traces = new TracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor({ exporter: new Traces(to('traces')) })],
  });
  const logs = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor({ exporter: new Logs(to('logs')) })],
  });
  const exporter = new OTLPMetricExporter(to('metrics'));
  const metrics = new MeterProvider({
    resource,
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
  });
  return {
    logger: logs.getLogger('shop.cart'),
    tracer: traces.getTracer('shop.agent'),
    meter: metrics.getMeter('shop.meter'),
    flush: async () => {
      await logs.forceFlush();
      await traces.forceFlush();
      await metrics.forceFlush();
    },
    close: async () => {
      await Promise.allSettled([logs.shutdown(), traces.shutdown(), metrics.shutdown()]);
    },
  };
}

/** An agent that asks a model and calls a tool, which fails. Gives the id of the trace. */
export function sendAgentRun(tracer: Sender['tracer']): string {
  const inside = (parent: Span) => trace.setSpan(ROOT_CONTEXT, parent);
  const agent = tracer.startSpan('invoke_agent helper', {
    attributes: {
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.name': 'helper',
      'gen_ai.usage.input_tokens': 812,
      'gen_ai.usage.output_tokens': 212,
    },
  });
  const chat = tracer.startSpan(
    'chat gpt-4o',
    {
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai.chat',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.usage.input_tokens': 812,
        'gen_ai.usage.output_tokens': 212,
        'gen_ai.response.finish_reasons': ['stop'],
        'gen_ai.input.messages': '[{"role":"user","content":"a secret wish"}]',
        'http.request.header.authorization': 'Bearer sk-0123456789abcdefghij',
      },
    },
    inside(agent),
  );
  chat.end();
  const tool = tracer.startSpan(
    'execute_tool search',
    { attributes: { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'search' } },
    inside(agent),
  );
  tool.recordException(new RangeError('no such page'));
  tool.setStatus({ code: SpanStatusCode.ERROR, message: 'search failed' });
  tool.end();
  tracer.startSpan('GET /pages', {}, inside(agent)).end();
  agent.end();
  return agent.spanContext().traceId;
}
