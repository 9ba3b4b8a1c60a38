// Makes the entries of one call. Where its texts may be shown, they are on one channel: the caller's own, or that of all model calls.
// Besides, figures alone are told to all.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI, GEN_AI_SCHEMA, METRICS } from '@llm-streamer/shared/gen-ai.ts';
import { ownedKey, runChannel, runEventsChannel } from '@llm-streamer/shared/ownership.ts';
import { failureAttributes, requestAttributes, seconds } from '../llm/call-attributes.ts';
import { type LlmErrorCode, SENTENCES } from '../llm/failure.ts';
import type { LlmService } from '../llm/target.ts';
import { estimateTokens } from '../runs/conversation.ts';
import { FIGURES } from '../runs/run-entries.ts';
import type { CallInput, CallRequest } from './call-request.ts';
import type { CallContent } from './config.ts';
import type { TextKind, ToolCall } from './reading.ts';

/** The one lane of a call: readers join the pieces of an answer by run and lane. */
const LANE = 'call';
const ESTIMATED = 'estimated';
const TOOL_CALLS = 'tool_calls';
const UNREAD = 'unread';
const PARTIAL = 'partial';
const SERVICE_CODE = 'service_code';
/** What is told to all. */
const TOLD: readonly string[] = [
  ...FIGURES,
  ATTRS.lane,
  METRICS.generationThroughput,
  ESTIMATED,
  TOOL_CALLS,
  UNREAD,
  PARTIAL,
  SERVICE_CODE,
  GEN_AI.cacheReadTokens,
  GEN_AI.reasoningTokens,
];

export interface CallIdentity {
  id: string;
  /** Whose call it is; '' where nobody signs in. */
  owner: string;
  source: string;
  operation: string;
  /** For the log; '' if the call names none. */
  model: string;
  upstream: LlmService;
  content: CallContent;
}

/** What is known of a call when it ends. */
export interface CallFigures {
  durationMs: number;
  /** Undefined if nothing was said, or nothing was streamed. Then nobody knows how fast the model wrote, either. */
  firstContentMs: number | undefined;
  inputTokens: number;
  outputTokens: number;
  reasoningTokens: number | undefined;
  cachedTokens: number | undefined;
  /** The tokens are estimates: the service has reported none. */
  estimated: boolean;
  finishReasons: readonly string[];
  responseId: string | undefined;
  responseModel: string | undefined;
  tools: number;
  /** What the service says of its failure. */
  serviceCode: string | undefined;
  serviceMessage: string | undefined;
  /** A part of the answer could not be read along, or was more than the log shows. */
  unread: boolean;
}

export class CallEntries {
  readonly #call: CallIdentity;
  readonly #request: CallRequest;

  constructor(call: CallIdentity, request: CallRequest) {
    this.#call = call;
    this.#request = request;
  }

  /** Whether texts go to the log at all. */
  get hasTexts(): boolean {
    return this.#call.content !== 'off';
  }

  started(input: CallInput, tokens: number): EntryFields[] {
    const { model, operation } = this.#call;
    const entry = this.#entry(EVENTS.generationStarted, `${operation}: sending to ${nameOf(model)}`, {
      ...this.#about(),
      [ATTRS.tokens]: tokens,
    });
    const content =
      input.value === undefined
        ? { content_bytes: input.bytes }
        : {
            'gen_ai.input.messages': input.value,
            ...(input.earlier > 0 && { earlier_messages: input.earlier }),
          };
    return this.#copies(entry, content);
  }

  delta(kind: TextKind, text: string): EntryFields {
    const attrs = {
      [ATTRS.lane]: LANE,
      [ATTRS.tokens]: Math.max(1, estimateTokens(text)),
      ...(kind === 'reasoning' && { kind }),
    };
    return { ...this.#entry(EVENTS.generationDelta, text, attrs), channel: this.#channel(), level: 'debug' };
  }

  tool({ id, name, arguments: given }: ToolCall): EntryFields {
    const attrs = {
      [ATTRS.lane]: LANE,
      [GEN_AI.tool]: name,
      [GEN_AI.toolCallId]: id,
      'gen_ai.tool.call.arguments': given,
    };
    const entry = this.#entry(EVENTS.toolCalled, `the model calls ${name === '' ? 'a tool' : name}`, attrs);
    return { ...entry, channel: this.#channel() };
  }

  finished(figures: CallFigures): EntryFields[] {
    const { finishReasons, outputTokens, durationMs, estimated, unread } = figures;
    const took = `${(durationMs / 1000).toFixed(1)} s`;
    const isCut = finishReasons.includes('length');
    const rate = rateOf(figures);
    const ending = isCut ? 'was cut off at its limit of tokens' : 'finished';
    const size =
      this.#call.operation === 'embeddings'
        ? ` after ${took}`
        : `: ${estimated ? 'about ' : ''}${outputTokens} tokens in ${took}${rate === undefined ? '' : ` (${rate} tok/s)`}`;
    const entry = this.#entry(EVENTS.generationFinished, `${nameOf(this.#call.model)} ${ending}${size}`, {
      ...this.#about(),
      ...attrsOf(figures),
      [GEN_AI.finishReasons]: finishReasons,
      ...(unread && { [UNREAD]: true }),
    });
    return this.#copies({ ...entry, level: isCut ? 'warn' : 'info' });
  }

  /** @param status of the service's answer, if it refused. */
  failed(code: LlmErrorCode, figures: CallFigures, status: number | undefined): EntryFields[] {
    const { serviceCode, serviceMessage } = figures;
    const entry = this.#entry(EVENTS.generationFailed, SENTENCES[code], {
      ...this.#about(),
      ...(figures.outputTokens > 0 ? attrsOf(figures) : { [ATTRS.duration]: seconds(figures.durationMs) }),
      ...failureAttributes({ code, httpStatus: status }),
      ...(serviceCode !== undefined && { [SERVICE_CODE]: serviceCode }),
      [PARTIAL]: figures.outputTokens > 0,
      ...(figures.unread && { [UNREAD]: true }),
    });
    const words = serviceMessage === undefined ? {} : { service_message: serviceMessage };
    return this.#copies({ ...entry, level: code === 'cancelled' ? 'info' : 'error' }, words);
  }

  /**
   * The entry where its texts may be read, and figures for all. The owner is told on the channel of his runs, because what is told to
   * all does not name the run of somebody.
   * @param content stands only where texts may be read.
   */
  #copies(entry: EntryFields, content: Readonly<Record<string, unknown>> = {}): EntryFields[] {
    const { owner, content: shown } = this.#call;
    const whole = { ...entry, channel: this.#channel(), attrs: { ...entry.attrs, ...content } };
    if (shown === 'shared') return [whole];
    const { run, attrs = {}, ...told } = entry;
    const figures = Object.fromEntries(Object.entries(attrs).filter(([name]) => TOLD.includes(name)));
    const copy: EntryFields = { ...told, channel: CHANNELS.generation, attrs: figures };
    if (owner === '' && run !== undefined) copy.run = run;
    if (shown === 'off') return [copy];
    return owner === '' ? [whole, copy] : [whole, { ...entry, channel: runEventsChannel(owner) }, copy];
  }

  /** Where the texts are. */
  #channel(): string {
    const { owner, id, content } = this.#call;
    return content === 'shared' ? CHANNELS.generation : runChannel(ownedKey(owner, id));
  }

  #entry(event: string, msg: string, attrs: Record<string, unknown>): EntryFields {
    const { id, source } = this.#call;
    return {
      time: Date.now(),
      channel: CHANNELS.generation,
      source,
      level: 'info',
      msg,
      event,
      run: id,
      attrs,
    };
  }

  #about(): Record<string, unknown> {
    const { operation, model, upstream } = this.#call;
    const { temperature, maxTokens, streams: stream } = this.#request;
    const target = { ...upstream, model };
    return {
      [ATTRS.schema]: GEN_AI_SCHEMA,
      [ATTRS.lane]: LANE,
      ...requestAttributes({ target, temperature, maxTokens, operation, stream }),
    };
  }
}

function attrsOf(figures: CallFigures): Record<string, unknown> {
  const { firstContentMs, reasoningTokens, cachedTokens, responseId, responseModel, tools } = figures;
  const rate = rateOf(figures);
  return {
    [GEN_AI.inputTokens]: figures.inputTokens,
    [GEN_AI.outputTokens]: figures.outputTokens,
    ...(figures.estimated && { [ESTIMATED]: true }),
    ...(reasoningTokens !== undefined && { [GEN_AI.reasoningTokens]: reasoningTokens }),
    ...(cachedTokens !== undefined && { [GEN_AI.cacheReadTokens]: cachedTokens }),
    ...(firstContentMs !== undefined && { [GEN_AI.timeToFirstChunk]: seconds(firstContentMs) }),
    ...(responseId !== undefined && { [GEN_AI.responseId]: responseId }),
    ...(responseModel !== undefined && { [GEN_AI.responseModel]: responseModel }),
    ...(tools > 0 && { [TOOL_CALLS]: tools }),
    [ATTRS.duration]: seconds(figures.durationMs),
    ...(rate !== undefined && { [METRICS.generationThroughput]: rate }),
  };
}

function rateOf({ outputTokens, durationMs, firstContentMs }: CallFigures): number | undefined {
  if (firstContentMs === undefined) return undefined;
  return Math.round(outputTokens / Math.max(durationMs / 1000, 0.001));
}

function nameOf(model: string): string {
  return model === '' ? 'the model' : model;
}
