// Every name that a namespace has in Redis: keys, and channels of PUBLISH. No other TypeScript file spells one. The scripts
// derive the same names from the prefix; the head of lua/log.lua says what is under each key of the log.

/** Its entries are announced on Redis channels of the same names, so that `redis-cli SUBSCRIBE logs` hears them. */
export const DEFAULT_NAMESPACE = 'llm';

export class RedisKeys {
  /** `{ns}:` begins each key. The braces put all keys of a namespace into one hash slot. */
  readonly prefix: string;
  /** What begins the Redis channel of a log channel: nothing in the default namespace, else the same as `prefix`. */
  readonly wirePrefix: string;

  /** The log: a sorted set of all channels with the position of the newest entry of each. */
  readonly last: string;
  /** The log: the highest position of any channel that was forgotten. */
  readonly forgotten: string;
  /** The log: for channels that were made after that, what `forgotten` was then. */
  readonly reborn: string;

  /** The channel of adopted entries and of news about the lease. A '#' is in no channel's name, so no wildcard hears it. */
  readonly adopted: string;

  /** Run records: a sorted set of owners by the start of their newest run, and the set of the keys of all runs that run. */
  readonly runOwners: string;
  readonly running: string;
  /** The rate limit of runs: what begins the key of each client's count. */
  readonly runLimits: string;

  /** People, roles, API keys and sessions: what begins the keys; the head of the gateway's auth.lua says what is under each. */
  readonly auth: string;
  /** The channel that says that somebody's rights have changed. */
  readonly authChanged: string;

  constructor(namespace: string) {
    const prefix = `{${namespace}}:`;
    this.prefix = prefix;
    this.wirePrefix = namespace === DEFAULT_NAMESPACE ? '' : prefix;
    this.last = `${prefix}last`;
    this.forgotten = `${prefix}forgotten`;
    this.reborn = `${prefix}reborn`;
    this.adopted = `${prefix}#adopted`;
    this.runOwners = `${prefix}run-owners`;
    this.running = `${prefix}running`;
    this.runLimits = `${prefix}limit:runs`;
    this.auth = `${prefix}auth`;
    this.authChanged = `${prefix}#auth`;
  }

  /** The log: the stream with the entries of a channel. */
  stream(channel: string): string {
    return `${this.prefix}ch:${channel}`;
  }

  /** The channel on which one process sends itself ticks. */
  tick(instance: string): string {
    return `${this.prefix}#tick:${instance}`;
  }

  /** The hash with the record of a run. @param key as `ownedKey` makes it. */
  run(key: string): string {
    return `${this.prefix}run:${key}`;
  }

  /** A sorted set of the keys of an owner's runs by their start; with '', of the runs that belong to nobody. */
  runsOf(owner: string): string {
    return owner === '' ? `${this.prefix}runs` : `${this.prefix}runs:${owner}`;
  }

  /** What begins the key of each count of attempts to sign in. */
  signInLimits(bucket: string): string {
    return `${this.prefix}limit:sign-in:${bucket}`;
  }
}
