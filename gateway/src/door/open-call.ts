// One call whose answer has begun: passes it on, reads along, and says in the log how it ended.

import type { ServerResponse } from 'node:http';
import { codeOfStatus, type LlmErrorCode } from '../llm/failure.ts';
import { AnswerReader } from './answer-reader.ts';
import type { CallLog } from './call-log.ts';
import { type Dialect, REFUSAL } from './dialects.ts';
import { toClient } from './headers.ts';
import type { CallOutcome } from './metrics.ts';
import { type PassageEnd, passOn } from './passage.ts';
import type { ServiceAnswer } from './service.ts';

export interface CallResult {
  outcome: CallOutcome;
  /** The answer, or a part of it, could not be read along. */
  unread: boolean;
}

export class OpenCall {
  readonly #answer: ServiceAnswer;
  readonly #dialect: Dialect | undefined;
  readonly #log: CallLog | undefined;
  readonly #stallMs: number;
  readonly #onEnded: (result: CallResult) => void;
  readonly #isStream: boolean;

  /** @param log absent where nothing is to be said of the call. */
  constructor(
    answer: ServiceAnswer,
    dialect: Dialect | undefined,
    log: CallLog | undefined,
    stallMs: number,
    onEnded: (result: CallResult) => void,
  ) {
    this.#answer = answer;
    this.#dialect = dialect;
    this.#log = log;
    this.#stallMs = stallMs;
    this.#onEnded = onEnded;
    this.#isStream = /^text\/event-stream\b/i.test(this.#header('content-type'));
  }

  /** Writes the whole answer. Never throws. @param added headers of the gateway. */
  async pass(response: ServerResponse, added: Readonly<Record<string, string>>): Promise<void> {
    const { status, statusText, headers, body } = this.#answer;
    const reader = this.#reader();
    response.sendDate = false; // the service's own, or none
    const passing = passOn(body, response, this.#stallMs, (piece) => reader?.push(piece));
    response.cork();
    try {
      response.writeHead(status, printable(statusText), toClient(headers, added));
      response.flushHeaders();
    } catch {
      body.destroy(); // Node refuses to write this head, so that the answer has broken off
    }
    // What has come with the head goes out in the same packet.
    process.nextTick(() => response.uncork());
    const end = await passing;
    await reader?.end();
    // An answer that breaks off also ends what unpacks it.
    const isUnread = end === 'whole' && status < 400 && reader?.isGivenUp === true;
    this.#onEnded({ outcome: this.#tell(end, isUnread), unread: isUnread });
  }

  /** Of a refusal only the error is read. A redirect holds nothing. */
  #reader(): AnswerReader | undefined {
    const { status } = this.#answer;
    if (this.#dialect === undefined || this.#log === undefined || (status >= 300 && status < 400))
      return undefined;
    const form = { isStream: this.#isStream, packing: this.#header('content-encoding') };
    return new AnswerReader(status >= 400 ? REFUSAL : this.#dialect, this.#log.reading, form);
  }

  #tell(end: PassageEnd, isUnread: boolean): CallOutcome {
    const { status } = this.#answer;
    const failure = this.#failure(end, isUnread);
    if (failure === undefined) this.#log?.finished(isUnread, this.#isStream);
    else this.#log?.failed(failure, isUnread, status >= 300 ? status : undefined);
    if (failure === undefined) return 'finished';
    return failure === 'cancelled' ? 'cancelled' : 'failed';
  }

  #failure(end: PassageEnd, isUnread: boolean): LlmErrorCode | undefined {
    const { status } = this.#answer;
    if (status === 429 && this.#log?.reading.serviceCode === 'insufficient_quota')
      return 'llm_payment_required';
    if (status >= 400) return codeOfStatus(status);
    if (end === 'gone') return 'cancelled';
    if (end === 'broken') return 'llm_interrupted';
    if (this.#log === undefined) return undefined;
    const { failure, isEnded } = this.#log.reading;
    if (failure !== undefined) return failure;
    if (isEnded || isUnread) return undefined;
    return this.#isStream ? 'llm_truncated' : 'llm_invalid_response';
  }

  #header(name: string): string {
    const { headers } = this.#answer;
    const at = headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name);
    return at < 0 ? '' : (headers[at + 1] ?? '');
  }
}

/** Node refuses to write anything else, which a service may have sent. */
function printable(text: string): string {
  return text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '');
}
