// Every name that a namespace has in Redis: keys, and channels of PUBLISH. No other TypeScript file spells one. The scripts
// derive the names of keys from the prefix; the head of lua/log.lua says what is under each key of the log.
//
// A channel of the log, such as `logs`, has two names in Redis:
//   {ns}:=logs   announced: only the log's own scripts publish there, so a message there is an entry. No producer's ACL reaches it.
//   logs         plain ({ns}:logs in other namespaces than the default): anybody publishes there, so a message is foreign. Where
//                the log repeats its entries for plain subscribers (`redis-cli SUBSCRIBE logs`), that is an echo: see live/echoes.ts.
//
// In a Redis Cluster each PUBLISH goes to every node, so that the log announces by SPUBLISH, which stays with the nodes of the slot. No
// pattern subscribes to such channels. So there are sixteen, {ns}:#p0 to {ns}:#pf, and each channel of the log has its place on one.

import { createHash } from 'node:crypto';
import { isExact, isReserved } from '../../channels.ts';

const PARTITIONS = '0123456789abcdef';

/** In it, the plain name of a channel is the name of the channel. */
export const DEFAULT_NAMESPACE = 'llm';

export class RedisKeys {
  /** `{ns}:` begins each key. The braces put all keys of a namespace into one hash slot. */
  readonly prefix: string;
  /** The command by which the log announces. */
  readonly announce: 'PUBLISH' | 'SPUBLISH';
  /** What begins the Redis channel on which the log announces the entries of a channel. */
  readonly announcePrefix: string;
  /** What begins the plain name of a channel: nothing in the default namespace, else the same as `prefix`. */
  readonly plainPrefix: string;
  /** The Redis pattern of all plain names. It leaves out what the log publishes; a '*' alone would bring that once more. */
  readonly everyPlain: string;
  readonly #hasEchoes: boolean;

  /** The log: a hash with its token, its head and the server that it is written on, among others. */
  readonly log: string;
  /** The log: a sorted set of all channels with the position of the newest entry of each. */
  readonly newest: string;
  /** The log: the highest position of any channel that was forgotten. */
  readonly forgotten: string;
  /** The log: for channels that were made after that, what `forgotten` was then. */
  readonly reborn: string;

  /** The log: a list of how far it was at which time, where its positions are ahead of the clock. */
  readonly ahead: string;

  /** The channel of news about the lease to adopt. */
  readonly leaseNews: string;
  /** The channel that says that the log has lost entries. */
  readonly lossNews: string;

  /** Run records: a sorted set of owners by the start of their newest run, and the set of the keys of all runs that run. */
  readonly runOwners: string;
  readonly running: string;
  /** The rate limit of runs: what begins the key of each client's count. */
  readonly runLimits: string;

  /** The rules: hashes of what each alert remembers, and of those that fire; the head of the gateway's rules.lua says more. */
  readonly ruleStates: string;
  readonly rulesFiring: string;

  /** People, roles, API keys and sessions: what begins the keys; the head of the gateway's auth.lua says what is under each. */
  readonly auth: string;
  /** The channel that says that somebody's rights have changed. */
  readonly authChanged: string;

  /** With `hasEchoes`, a writer repeats what it announces for plain subscribers. `isSharded`: the log is in a Cluster. */
  constructor(namespace: string, hasEchoes: boolean | undefined = undefined, isSharded = false) {
    const prefix = `{${namespace}}:`;
    this.prefix = prefix;
    this.announce = isSharded ? 'SPUBLISH' : 'PUBLISH';
    this.announcePrefix = isSharded ? `${prefix}#p` : `${prefix}=`;
    const isDefault = namespace === DEFAULT_NAMESPACE;
    this.plainPrefix = isDefault ? '' : prefix;
    // No channel's name begins with one of these: see isChannel.
    this.everyPlain = isDefault ? '[^{]*' : `${prefix}[^=#]*`;
    this.#hasEchoes = hasEchoes ?? (isDefault && !isSharded);
    this.log = `${prefix}log`;
    this.newest = `${prefix}newest`;
    this.forgotten = `${prefix}forgotten`;
    this.reborn = `${prefix}reborn`;
    this.ahead = `${prefix}ahead`;
    this.leaseNews = `${prefix}#lease`;
    this.lossNews = `${prefix}#loss`;
    this.runOwners = `${prefix}run-owners`;
    this.running = `${prefix}running`;
    this.runLimits = `${prefix}limit:runs`;
    this.ruleStates = `${prefix}rules:states`;
    this.rulesFiring = `${prefix}rules:firing`;
    this.auth = `${prefix}auth`;
    this.authChanged = `${prefix}#auth`;
  }

  /** The log: the stream with the entries of a channel. */
  stream(channel: string): string {
    return `${this.prefix}ch:${channel}`;
  }

  get isSharded(): boolean {
    return this.announce === 'SPUBLISH';
  }

  /** In a Cluster: the Redis channels on which channels of this pattern are announced. `batch` of log.lua derives the same. */
  partitions(pattern: string): string[] {
    const all = isExact(pattern) ? createHash('sha1').update(pattern).digest('hex').slice(0, 1) : PARTITIONS;
    return [...all].map((partition) => this.announcePrefix + partition);
  }

  /** Elsewhere: the Redis channel, or pattern, of the announcements of a channel or pattern of the log. */
  announced(pattern: string): string {
    return this.announcePrefix + pattern;
  }

  /** The Redis channel, or pattern, of foreign messages and echoes of a channel or pattern of the log. */
  plain(pattern: string): string {
    return pattern === '*' ? this.everyPlain : this.plainPrefix + pattern;
  }

  /** The channel or pattern of the log for what `plain` has returned. */
  ofPlain(redisChannel: string): string {
    return redisChannel === this.everyPlain ? '*' : redisChannel.slice(this.plainPrefix.length);
  }

  /** The plain name on which entries of a channel are repeated; '' if they are not. Those of reserved channels never are. */
  echo(channel: string): string {
    return this.#hasEchoes && !isReserved(channel) ? this.plain(channel) : '';
  }

  /** The channel on which one process sends itself ticks. */
  tick(instance: string): string {
    return `${this.prefix}#tick:${instance}`;
  }

  /** What begins the key of each count of attempts to sign in. */
  signInLimits(limit: string): string {
    return `${this.prefix}limit:sign-in:${limit}`;
  }

  /** The list of messages that wait for a destination of alerts. */
  rulesOut(destination: string): string {
    return `${this.prefix}rules:out:${destination}`;
  }

  /** The hash with the record of a run. @param key as `ownedKey` makes it. */
  run(key: string): string {
    return `${this.prefix}run:${key}`;
  }

  /** The hash with the record of a conversation, and a sorted set of the keys of its runs by their start. */
  conversation(key: string): string {
    return `${this.prefix}conversation:${key}`;
  }

  conversationRuns(key: string): string {
    return `${this.prefix}conversation-runs:${key}`;
  }

  /** A sorted set of the keys of an owner's conversations by the start of their newest run; with '', of those that belong to nobody. */
  conversationsOf(owner: string): string {
    return owner === '' ? `${this.prefix}conversations` : `${this.prefix}conversations:${owner}`;
  }

  /** A sorted set of the keys of an owner's runs by their start; with '', of the runs that belong to nobody. */
  runsOf(owner: string): string {
    return owner === '' ? `${this.prefix}runs` : `${this.prefix}runs:${owner}`;
  }
}
