// Errors with a stable code: what a client may see and act on. The message says what is allowed or what to do.

export class CodedError extends Error {
  readonly code: string;
  /** The input's field that is at fault, where there is one. */
  readonly field: string | undefined;

  constructor(code: string, message: string, options: { field?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CodedError';
    this.code = code;
    this.field = options.field;
  }
}

/** The broker cannot be asked now; the same call may succeed later. The outcome of a publish is unknown. */
export class BrokerUnavailable extends CodedError {
  constructor(message: string, cause?: unknown) {
    super('broker_unavailable', message, { cause });
    this.name = 'BrokerUnavailable';
  }
}

/** Redis does not let this process listen to a channel or pattern. */
export class ChannelsForbidden extends CodedError {
  constructor(pattern: string, cause: unknown) {
    super('channels_forbidden', `the gateway's Redis user may not listen to ${pattern}`, { cause });
    this.name = 'ChannelsForbidden';
  }
}

/** The log takes no more (`log_full`), cannot keep one of the channels (`channel_unusable`), has too many channels (`too_many_channels`), or the batch is too large. */
export class PublishRefused extends CodedError {
  constructor(
    code: 'log_full' | 'channel_unusable' | 'too_many_channels' | 'batch_too_large' | 'lease_lost' | 'fenced',
    message: string,
  ) {
    super(code, message);
    this.name = 'PublishRefused';
  }
}
