// What a message of the subscription is, by the Redis channel on which it came: what comes on the log's own channels is true, and what
// comes on a plain name is foreign, whatever it looks like.

import type { RedisKeys } from '../keys.ts';
import { Echoes } from './echoes.ts';

export interface Message {
  /** `copy`: the server is a replica, and has replaced its data by a copy of its primary's. */
  kind: 'announced' | 'foreign' | 'tick' | 'lease' | 'loss' | 'copy';
  /** The channel of the log; '' for ticks, for news about the lease or a loss, and for copies. */
  channel: string;
  data: Buffer;
  /** The channel or pattern of the log whose subscription brought a foreign message. */
  pattern: string;
  /** `Sequencer.historyReads` when the message came. */
  reads: number;
}

/** `append` of log.lua ends an announcement with it if an echo follows. In a Cluster the first one ends the name of the channel. */
const LINE_FEED = 0x0a;
/** By this Redis tells a client that asked for it that all it knows of keys is void. */
const INVALIDATED = '__redis__:invalidate';

function beginsWith(name: Buffer, prefix: Buffer): boolean {
  if (name.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (name[i] !== prefix[i]) return false;
  return true;
}

export class MessageReader {
  readonly #keys: RedisKeys;
  readonly #announcePrefix: Buffer;
  readonly #tickChannel: string;
  readonly #echoes = new Echoes();

  constructor(keys: RedisKeys, tickChannel: string) {
    this.#keys = keys;
    this.#announcePrefix = Buffer.from(keys.announcePrefix, 'latin1');
    this.#tickChannel = tickChannel;
  }

  /** The connection is new. */
  reset(): void {
    this.#echoes.reset();
  }

  /**
   * `pattern` is the Redis pattern that brought the message, or null if that was the channel itself. null for an echo, for what is not
   * of this log, and for a copy that a plain pattern such as `*s` happens to bring.
   */
  read(redisChannel: Buffer, data: Buffer, pattern: string | null, reads: number): Message | null {
    const { announcePrefix, leaseNews, lossNews, plainPrefix, isSharded } = this.#keys;
    if (!isSharded && beginsWith(redisChannel, this.#announcePrefix)) {
      if (pattern !== null && !pattern.startsWith(announcePrefix)) return null;
      return this.#announced(redisChannel.toString('latin1', this.#announcePrefix.length), data, reads);
    }
    const name = redisChannel.toString('latin1');
    if (name === leaseNews) return pattern === null ? own('lease', data, reads) : null;
    if (name === INVALIDATED && pattern === null) return own('copy', data, reads);
    if (!isSharded && name === this.#tickChannel) return pattern === null ? own('tick', data, reads) : null;
    if (!isSharded && name === lossNews) return pattern === null ? own('loss', data, reads) : null;
    if (!name.startsWith(plainPrefix)) return null;
    const channel = this.#keys.ofPlain(name);
    const heardBy = pattern === null ? channel : this.#keys.ofPlain(pattern);
    if (this.#echoes.isEcho(channel, data, heardBy)) return null;
    return { kind: 'foreign', channel, data, pattern: heardBy, reads };
  }

  /** Of a log in a Cluster: nobody but its scripts may use SPUBLISH here. */
  readSharded(redisChannel: Buffer, data: Buffer, reads: number): Message | null {
    if (!beginsWith(redisChannel, this.#announcePrefix)) {
      const name = redisChannel.toString('latin1');
      if (name === this.#keys.lossNews) return own('loss', data, reads);
      return name === this.#tickChannel ? own('tick', data, reads) : null;
    }
    const nameEnds = data.indexOf(LINE_FEED);
    return this.#announced(data.toString('latin1', 0, nameEnds), data.subarray(nameEnds + 1), reads);
  }

  #announced(channel: string, data: Buffer, reads: number): Message {
    const hasEcho = data[data.length - 1] === LINE_FEED;
    const record = hasEcho ? data.subarray(0, -1) : data;
    this.#echoes.onAnnounced(channel, hasEcho ? record : undefined);
    return { kind: 'announced', channel, data: record, pattern: '', reads };
  }
}

function own(kind: 'tick' | 'lease' | 'loss' | 'copy', data: Buffer, reads: number): Message {
  return { kind, channel: '', data, pattern: '', reads };
}
