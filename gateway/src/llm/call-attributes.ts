// What entries and spans say of a model call, by OpenTelemetry's names: what was asked of which service, and how the answer was. No texts.

import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import type { LlmErrorCode } from './failure.ts';
import type { LlmFinish, LlmTarget } from './model.ts';

interface Asked {
  target: LlmTarget;
  temperature?: number | undefined;
  maxTokens?: number | undefined;
  operation?: string;
  stream?: boolean;
}

export function requestAttributes(asked: Asked) {
  const { target, temperature, maxTokens, operation = 'chat', stream = true } = asked;
  const { hostname, port, protocol } = new URL(target.baseUrl);
  return {
    [GEN_AI.operation]: operation,
    [GEN_AI.provider]: target.provider,
    [GEN_AI.requestModel]: target.model,
    [GEN_AI.requestStream]: stream,
    ...(temperature !== undefined && { [GEN_AI.requestTemperature]: temperature }),
    ...(maxTokens !== undefined && { [GEN_AI.requestMaxTokens]: maxTokens }),
    [GEN_AI.serverAddress]: hostname,
    [GEN_AI.serverPort]: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  };
}

export function answerAttributes({ reason, usage, responseId, responseModel, firstContentMs }: LlmFinish) {
  return {
    [GEN_AI.finishReasons]: [reason],
    [GEN_AI.timeToFirstChunk]: seconds(firstContentMs),
    ...(usage.reported && {
      [GEN_AI.inputTokens]: usage.inputTokens,
      [GEN_AI.outputTokens]: usage.outputTokens,
    }),
    ...(responseId !== undefined && { [GEN_AI.responseId]: responseId }),
    ...(responseModel !== undefined && { [GEN_AI.responseModel]: responseModel }),
  };
}

/** A call that was cancelled is no error, so its finish reason is not one either. */
export function failureAttributes({
  code,
  httpStatus,
}: {
  code: LlmErrorCode;
  httpStatus?: number | undefined;
}) {
  return {
    [GEN_AI.errorType]: code,
    [GEN_AI.finishReasons]: [code === 'cancelled' ? 'cancelled' : 'error'],
    ...(httpStatus !== undefined && { 'http.response.status_code': httpStatus }),
  };
}

/** To the millisecond. */
export function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
