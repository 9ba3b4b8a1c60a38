// Metrics of models and agents → one entry on `logs:metrics` for each resource of a request, with the newest value of each series. All
// other metrics are counted and not shown: this is a log, and no database of numbers.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import { METRICS } from '@llm-streamer/shared/gen-ai.ts';
import { type Mapped, merged } from './record.ts';
import type { Origin } from './resource.ts';
import { asList, asNumber, asRecord, asText, asTime, attributes, bounded } from './values.ts';

const SHOWN =
  /^(?:gen_ai|llm|vllm|sglang|claude_code|codex|gemini_cli|mcp|openai|ollama|traceloop|langfuse)[.:_]/;
const FORMS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'];
const MAX_SERIES = 200;
const MAX_LABEL = 100;

/** What model servers call the numbers that an entry `server.metrics` has. */
const OWN: Readonly<Record<string, string>> = {
  'vllm:num_requests_running': METRICS.running,
  'vllm:num_requests_waiting': METRICS.waiting,
  'vllm:gpu_cache_usage_perc': METRICS.kvCacheUsage,
  'vllm:kv_cache_usage_perc': METRICS.kvCacheUsage,
  'vllm:num_preemptions_total': METRICS.preemptions,
  'vllm:num_preemptions': METRICS.preemptions,
  'vllm:avg_prompt_throughput_toks_per_s': METRICS.promptThroughput,
  'vllm:avg_generation_throughput_toks_per_s': METRICS.generationThroughput,
};

/** Of several engines or models of one server the entry has the sum, but of this the highest. */
const HIGHEST = METRICS.kvCacheUsage;

export interface Point {
  /** Of the metric. */
  name: string;
  point: unknown;
}

export function* pointsOf(metric: unknown): Generator<Point> {
  const fields = asRecord(metric);
  const name = asText(fields.name)?.slice(0, MAX_LABEL) ?? '';
  for (const form of FORMS)
    for (const point of asList(asRecord(fields[form]).dataPoints)) yield { name, point };
}

/** The metrics of one resource, which come one after another. */
export class Series {
  readonly #origin: Origin;
  /** The newest value of each series, and the name under which it is shown: that of the series, or one that it shares with others. */
  readonly #values = new Map<string, { name: string; value: number }>();
  #time: number | undefined;
  shown = 0;
  /** Points of other metrics, and of more series than one entry shows. */
  hidden = 0;

  constructor(origin: Origin) {
    this.#origin = origin;
  }

  add({ name, point }: Point): void {
    if (SHOWN.test(name)) this.#point(name, asRecord(point));
    else this.hidden++;
  }

  /** Undefined where nothing is shown. */
  mapped(now: number): Mapped | undefined {
    if (this.shown === 0) return undefined;
    const { service, source, attrs } = this.#origin;
    const numbers = this.#numbers();
    const values = [...numbers].map(([name, value]) => `${name}=${value}`).join(' ');
    const entry: EntryFields = {
      time: this.#time ?? now,
      channel: CHANNELS.metrics,
      source,
      level: 'debug',
      msg: bounded(`${service}: ${values}`, 500),
      event: EVENTS.serverMetrics,
      attrs: merged(attrs, [['service', service]], numbers),
    };
    return { entries: [entry], timed: this.#time !== undefined };
  }

  #numbers(): Map<string, number> {
    const numbers = new Map<string, number>();
    for (const { name, value } of this.#values.values()) {
      const before = numbers.get(name) ?? 0;
      numbers.set(name, name === HIGHEST ? Math.max(before, value) : before + value);
    }
    return numbers;
  }

  #point(name: string, point: Record<string, unknown>): void {
    const labels = [...attributes(point.attributes)].map(([key, value]) => `${key}=${labelOf(value)}`).join();
    const own = Object.hasOwn(OWN, name) ? OWN[name] : undefined;
    const shown = own ?? name;
    const series = labels === '' ? shown : `${shown}{${own ? labels : bounded(labels, MAX_LABEL)}}`;
    const number = asNumber(point.asDouble) ?? asNumber(point.asInt);
    const found: [string, number | undefined][] =
      number === undefined
        ? [
            [`${series}.count`, asNumber(point.count)],
            [`${series}.sum`, asNumber(point.sum)],
          ]
        : [[series, number]];
    if (this.#values.size >= MAX_SERIES && !this.#values.has(found[0]?.[0] ?? '')) {
      this.hidden++;
      return;
    }
    for (const [key, value] of found)
      if (value !== undefined) this.#values.set(key, { name: own ?? key, value });
    this.#time = Math.max(this.#time ?? 0, asTime(point.timeUnixNano) ?? 0) || undefined;
    this.shown++;
  }
}

/** An object can have a `toString` of its own that is no function. */
function labelOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
