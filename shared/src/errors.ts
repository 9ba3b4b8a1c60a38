// Errors with a stable code, on which a client may depend. The message may be shown to a client: it says what is allowed or
// what to do, and holds no secret.

export class CodedError extends Error {
  readonly code: string;
  /** The field of the input that is wrong, if it is one field. */
  readonly field: string | undefined;

  constructor(code: string, message: string, options: { field?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CodedError';
    this.code = code;
    this.field = options.field;
  }
}

/**
 * The log cannot be reached now; the same call may succeed later. A publish that fails like this may have been written or not.
 */
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

/**
 * The log does not take a batch: Redis is full (`log_full`), a channel's key cannot be used (`channel_unusable`), the log has
 * too many channels (`too_many_channels`), or the batch is too large (`batch_too_large`). `lease_lost`: another gateway adopts
 * these messages now. `fenced`: the run has ended already.
 */
export class PublishRefused extends CodedError {
  /** For `too_many_channels`: those for which there is no place. Without their entries the batch would be taken. */
  readonly channels: readonly string[];

  constructor(
    code: 'log_full' | 'channel_unusable' | 'too_many_channels' | 'batch_too_large' | 'lease_lost' | 'fenced',
    message: string,
    channels: readonly string[] = [],
  ) {
    super(code, message);
    this.name = 'PublishRefused';
    this.channels = channels;
  }
}

export function tooManyChannels(channels: readonly string[]): PublishRefused {
  return new PublishRefused('too_many_channels', 'the log holds its limit of channels', channels);
}
