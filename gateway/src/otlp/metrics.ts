// Metrics of models and agents → one entry on `logs:metrics` for each resource of a request, with the newest value of each series. All
// other metrics are counted and not shown: this is a log, and no database of numbers.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import { METRICS } from '@llm-streamer/shared/gen-ai.ts';
import { merged } from './record.ts';
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

/** The metrics of one resource, which come one after another. */
export class Series {
  readonly #origin: Origin;
  readonly #values = new Map<string, unknown>();
  #time: number | undefined;
  shown = 0;
  /** Points of other metrics, and of more series than one entry shows. */
  hidden = 0;

  constructor(origin: Origin) {
    this.#origin = origin;
  }

  add(metric: unknown): void {
    const fields = asRecord(metric);
    const name = asText(fields.name)?.slice(0, MAX_LABEL) ?? '';
    for (const form of FORMS)
      for (const point of asList(asRecord(fields[form]).dataPoints))
        if (SHOWN.test(name)) this.#point(name, asRecord(point));
        else this.hidden++;
  }

  entry(now: number): EntryFields | undefined {
    if (this.shown === 0) return undefined;
    const { service, source, attrs } = this.#origin;
    const values = [...this.#values].map(([name, value]) => `${name}=${value}`).join(' ');
    return {
      time: this.#time ?? now,
      channel: CHANNELS.metrics,
      source,
      level: 'debug',
      msg: bounded(`${service}: ${values}`, 500),
      event: EVENTS.serverMetrics,
      attrs: merged(attrs, [['service', service]], this.#values),
    };
  }

  #point(name: string, point: Record<string, unknown>): void {
    const labels = [...attributes(point.attributes)].map(([key, value]) => `${key}=${String(value)}`);
    const own = Object.hasOwn(OWN, name) ? OWN[name] : undefined;
    const series = own ?? (labels.length > 0 ? `${name}{${bounded(labels.join(), MAX_LABEL)}}` : name);
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
    for (const [key, value] of found) if (value !== undefined) this.#values.set(key, value);
    this.#time = Math.max(this.#time ?? 0, asTime(point.timeUnixNano) ?? 0) || undefined;
    this.shown++;
  }
}
