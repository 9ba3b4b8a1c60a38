// The table of all error codes of HTTP answers: the status of each, and a sentence that says what it means. docs/errors.md is made
// from it, and a code that is not in it does not compile.

import { CodedError } from '@llm-streamer/shared/errors.ts';

export const ERRORS = {
  invalid_query: {
    status: 400,
    sentence: 'A parameter of the query is unknown or has a wrong value; `field` names it.',
  },
  invalid_body: { status: 400, sentence: 'The body is missing, empty, or has a wrong field.' },
  invalid_json: { status: 400, sentence: 'The body, or a line of it, is not JSON.' },
  invalid_otlp: {
    status: 400,
    sentence: 'The body is not the protobuf or JSON of an OTLP request, or is not packed as its header says.',
  },
  invalid_header: { status: 400, sentence: 'A header has a wrong value; `field` names it.' },
  invalid_url: { status: 400, sentence: 'The path is too long, or not well encoded.' },
  invalid_request: { status: 400, sentence: 'The request cannot be understood.' },
  malformed_request: { status: 400, sentence: 'What came over the connection is not HTTP.' },
  login_failed: {
    status: 401,
    sentence: 'The name or the password is wrong, or this person may not sign in.',
  },
  unauthorized: {
    status: 401,
    sentence:
      'There is no credential, or it is not valid any more: sign in, or send a key. The answer never says what is wrong with it.',
  },
  forbidden: { status: 403, sentence: 'The one who asks lacks a right that this needs.' },
  channel_forbidden: {
    status: 403,
    sentence:
      'The one who asks may not read, or not write to, a channel that the request names; or nothing of its patterns may be read. Whether a channel exists does not matter.',
  },
  host_forbidden: {
    status: 403,
    sentence: 'The gateway is not known by this name; add the name to `ALLOWED_HOSTS`.',
  },
  origin_forbidden: {
    status: 403,
    sentence: "A page of another site may not do this; add the site's origin to `CORS_ORIGINS`.",
  },
  csrf: {
    status: 403,
    sentence: "A change that a session's cookie allows must come from the gateway's own page.",
  },
  channels_forbidden: {
    status: 403,
    sentence: 'The Redis user of the gateway may not subscribe to one of these channels.',
  },
  not_found: { status: 404, sentence: 'There is nothing at this path.' },
  run_not_found: { status: 404, sentence: 'There is no run with this id, or it is no longer kept.' },
  conversation_not_found: {
    status: 404,
    sentence: 'There is no conversation with this id, or it is no longer kept.',
  },
  method_not_allowed: {
    status: 405,
    sentence: 'The path exists, but not for this method; the header `Allow` names those that it answers.',
  },
  request_timeout: { status: 408, sentence: 'The request took too long to arrive.' },
  message_id_reused: {
    status: 409,
    sentence:
      'The `message_id` (the id of the question or of the run, in other protocols) was used for another question: message, conversation, agent or `replaces` differ. Use a new one.',
  },
  conversation_running: { status: 409, sentence: 'A run of the conversation goes on, so it is not deleted.' },
  approval_not_found: { status: 404, sentence: 'No call of this run has asked for consent under this id.' },
  agent_not_found: { status: 404, sentence: 'There is no agent of this name; `GET /api/agents` lists all.' },
  approval_decided: {
    status: 409,
    sentence: 'Somebody has decided about this call before, or the run has ended.',
  },
  name_taken: { status: 409, sentence: 'There is a person or a role of this name already.' },
  role_in_use: { status: 409, sentence: 'Somebody has the role; give all of them another one first.' },
  too_many_keys: { status: 409, sentence: 'There may be no more keys; revoke one first.' },
  body_too_large: {
    status: 413,
    sentence:
      'The body is over the limit of its path: 16 MiB for what writes entries (for OpenTelemetry `OTLP_BODY_BYTES`), 32 MiB for a call of an OpenAI client, 1 MiB for all else.',
  },
  batch_too_large: { status: 413, sentence: 'The request holds more entries than one request may.' },
  message_too_long: { status: 413, sentence: 'The `message` of a run is too long.' },
  expectation_failed: { status: 417, sentence: 'The header `Expect` may ask for `100-continue` only.' },
  unsupported_media_type: {
    status: 415,
    sentence: 'The body has a type that this path does not take; the answer names those that it takes.',
  },
  unsupported_encoding: {
    status: 415,
    sentence: 'The body is compressed in a way that this path does not take.',
  },
  invalid_entry: { status: 422, sentence: 'An entry has a wrong field; `field` names it.' },
  channel_reserved: {
    status: 422,
    sentence:
      "Over HTTP nobody may write to this channel: those of runs, conversations and the audit, and with `AUTH` also `logs:gateway` and `events:alerts`, are the gateway's own.",
  },
  too_many_channels: { status: 422, sentence: 'The log holds as many channels as `MAX_CHANNELS` allows.' },
  rate_limited: {
    status: 429,
    sentence:
      'This address, or this person, has started too many runs, or destinations of alerts were tested a moment ago; try again after `Retry-After` seconds.',
  },
  too_many_attempts: {
    status: 429,
    sentence:
      'Too many attempts to sign in, or with invalid credentials; try again after `Retry-After` seconds.',
  },
  run_failed: {
    status: 502,
    sentence: 'The run that was waited for has ended without an answer; `run_code` says why.',
  },
  call_loop: {
    status: 508,
    sentence: 'A call of an OpenAI client has come through too many gateways: an upstream leads back here.',
  },
  service_unreachable: {
    status: 502,
    sentence: 'The model service of a call could not be reached, or answered with something that is no HTTP.',
  },
  too_many_calls: {
    status: 503,
    sentence:
      'As many calls of OpenAI clients go on as the gateway takes at a time, of one client or of all; try again.',
  },
  headers_too_large: { status: 431, sentence: 'The path and the headers are over the limit of 64 kB.' },
  internal: { status: 500, sentence: "Something went wrong; the gateway's own log says what." },
  broker_unavailable: {
    status: 503,
    sentence: 'The log, or what is needed to judge the request, cannot be reached; try again.',
  },
  log_full: { status: 503, sentence: 'Redis has reached its memory limit and takes no more entries.' },
  channel_unusable: {
    status: 503,
    sentence:
      'Redis cannot keep this channel: its key holds the value of another program, or a right is missing.',
  },
  invalid_rules: {
    status: 503,
    sentence: 'The rules file is not valid now, so its destinations are not known; mend it first.',
  },
  provider_unavailable: {
    status: 503,
    sentence: 'The identity provider cannot be reached, or is not well; try again.',
  },
  too_much_arriving: {
    status: 503,
    sentence: 'More is arriving, from you or from all, than there is memory for; send the same again.',
  },
  over_limit: { status: 503, sentence: 'The gateway has as many streams as `MAX_CONNECTIONS` allows.' },
  over_address_limit: {
    status: 503,
    sentence: 'Your address has as many streams as `MAX_CONNECTIONS_PER_ADDRESS` allows.',
  },
  primary_unavailable: {
    status: 503,
    sentence: 'The primary process of several workers does not answer; try again.',
  },
  too_many_answers: {
    status: 503,
    sentence: 'The gateway is making as many large answers as its memory allows; try again.',
  },
  too_many_waits: {
    status: 503,
    sentence: 'As many calls of MCP clients wait for entries as may, of this one or in all; try again.',
  },
  too_many_runs: {
    status: 503,
    sentence: 'The gateway has as many runs as `MAX_RUNS` allows, in all or of this client; try again.',
  },
  too_many_views: {
    status: 503,
    sentence: 'The gateway has as many distinct queries as `MAX_VIEWS` allows.',
  },
  too_many_patterns: {
    status: 503,
    sentence: 'The distinct patterns of all viewers together would cost too much; ask for fewer.',
  },
  access_changed: {
    status: 503,
    sentence: 'Your rights have changed while the request was served; ask again.',
  },
  shutdown: { status: 503, sentence: 'The gateway is stopping; try again.' },
} as const satisfies Record<string, { status: number; sentence: string }>;

export type ErrorCode = keyof typeof ERRORS;

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

interface HttpErrorOptions {
  /** The parameter, header or field that is at fault. */
  field?: string | undefined;
  headers?: Readonly<Record<string, string>>;
  /** What the answer says beside the problem. */
  more?: object;
}

/** An error that a client gets. `detail` says what is wrong with this request, and what is allowed. */
export class HttpError extends CodedError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly more: object | undefined;

  constructor(code: ErrorCode, detail: string, { field, headers = {}, more }: HttpErrorOptions = {}) {
    super(code, detail, field === undefined ? {} : { field });
    this.status = ERRORS[code].status;
    this.headers = headers;
    this.more = more;
  }
}
