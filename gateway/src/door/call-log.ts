// Writes one call to the log while it happens. Pieces of an answer are joined for 40 ms. What is written goes to a bounded buffer, so
// that a log which is slow or away delays nothing.

import { type Draft, draft, type EntryFields } from '@llm-streamer/shared/entry.ts';
import type { LlmErrorCode } from '../llm/failure.ts';
import { estimateTokens } from '../runs/conversation.ts';
import { deltaParts } from '../runs/delta-parts.ts';
import type { CallEntries, CallFigures } from './call-entries.ts';
import type { CallInput } from './call-request.ts';
import { Reading, type TextKind } from './reading.ts';

const COALESCE_MS = 40;
/** UTF-16 units of one answer that are shown. The answer itself goes on. */
const MAX_SHOWN = 1_048_576;

/** Takes entries and never waits. */
export interface EntryBuffer {
  enqueue(draft: Draft): void;
}

export class CallLog {
  readonly reading: Reading;
  readonly #entries: CallEntries;
  readonly #buffer: EntryBuffer;
  readonly #entryBytes: number;
  readonly #began = performance.now();
  /** What is written before the first entry is known: the body may be so large that the answer begins earlier. */
  #early: EntryFields[] | undefined = [];
  #given = 0;
  #firstContentMs: number | undefined;
  #said = 0;
  #shown = 0;
  #isCut = false;
  #kind: TextKind = 'text';
  #text = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(entries: CallEntries, buffer: EntryBuffer, entryBytes: number) {
    this.#entries = entries;
    this.#buffer = buffer;
    this.#entryBytes = entryBytes;
    this.reading = new Reading(
      (kind, text) => this.#content(kind, text),
      () => {
        this.#firstContentMs ??= performance.now() - this.#began;
      },
    );
  }

  started(input: CallInput): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#given = Math.ceil(input.bytes / 4);
    this.#write(this.#entries.started(input, this.#given));
    this.#write(early);
  }

  /** @param unread whether a part of the answer could not be read along. */
  finished(unread: boolean, streamed: boolean): void {
    this.#flushAll();
    this.#write(this.#entries.finished(this.#figures(unread, streamed)));
  }

  failed(code: LlmErrorCode, unread = false, status?: number): void {
    this.#flushAll();
    this.#write(this.#entries.failed(code, this.#figures(unread, true), status));
  }

  #content(kind: TextKind, text: string): void {
    this.#firstContentMs ??= performance.now() - this.#began;
    this.#said += estimateTokens(text);
    if (!this.#entries.hasTexts) return;
    const piece = text.slice(0, MAX_SHOWN - this.#shown);
    this.#isCut ||= piece.length < text.length;
    if (piece === '') return;
    if (kind !== this.#kind) this.#flush();
    this.#kind = kind;
    this.#shown += piece.length;
    this.#text += piece;
    this.#timer ??= setTimeout(() => this.#flush(), COALESCE_MS);
  }

  #flushAll(): void {
    this.#flush();
    if (this.#entries.hasTexts) this.#write(this.reading.tools.map((tool) => this.#entries.tool(tool)));
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text;
    this.#text = '';
    for (const part of deltaParts(text, this.#entryBytes))
      this.#write([this.#entries.delta(this.#kind, part)]);
  }

  #write(entries: readonly EntryFields[]): void {
    if (this.#early) this.#early.push(...entries);
    else for (const fields of entries) this.#buffer.enqueue(draft(fields, this.#entryBytes));
  }

  #figures(unread: boolean, streamed: boolean): CallFigures {
    const { usage, finishReasons, responseId, responseModel, tools, serviceCode, serviceMessage } =
      this.reading;
    const called = tools.reduce((sum, tool) => sum + estimateTokens(`${tool.name}${tool.arguments}`), 0);
    return {
      durationMs: performance.now() - this.#began,
      firstContentMs: streamed ? this.#firstContentMs : undefined,
      inputTokens: usage?.input ?? this.#given,
      outputTokens: usage?.output ?? this.#said + called,
      reasoningTokens: usage?.reasoning,
      cachedTokens: usage?.cached,
      estimated: usage === undefined,
      finishReasons,
      responseId,
      responseModel,
      tools: tools.length,
      serviceCode,
      serviceMessage,
      unread: unread || this.#isCut || this.reading.isCut,
    };
  }
}
