// Writes to the log in Redis: one call of a script for each batch, which is stored as a whole and in order, or not at all.

import type { Draft } from '../../entry.ts';
import { PublishRefused, tooManyChannels } from '../../errors.ts';
import { checkBatch } from '../batch.ts';
import type { WriterStamp } from '../broker.ts';
import { formatPosition } from '../position.ts';
import { placesFor, type RetentionPolicy, retentionOf } from '../retention.ts';
import { loadScript, noteStored, type RedisClient } from './client.ts';
import { codeOf, messageOf } from './errors.ts';
import type { RedisKeys } from './keys.ts';

const APPEND = loadScript('append', '');

export class RedisAppend {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #retention: RetentionPolicy;

  constructor(client: RedisClient, keys: RedisKeys, retention: RetentionPolicy) {
    this.#client = client;
    this.#keys = keys;
    this.#retention = retention;
  }

  /**
   * With a `lease`, the entries are adopted messages: they are refused if that lease is not held any more, and they have no echo,
   * because plain subscribers have got the messages already.
   */
  async appendBatch(drafts: readonly Draft[], stamp?: WriterStamp, lease = ''): Promise<(string | null)[]> {
    if (drafts.length === 0) return [];
    checkBatch(drafts);
    const args: (string | number)[] = [
      stamp?.writer ?? '',
      stamp?.seq ?? 0,
      lease,
      this.#keys.announcePrefix,
    ];
    const isForeign = lease !== '';
    const echo = isForeign ? noEcho : (channel: string) => this.#keys.echo(channel);
    args.push(...batchArguments(drafts, this.#retention, echo, isForeign));
    try {
      const [position, token] = (await this.#client.runScript(APPEND, this.#keys, args)) as [string, string];
      const first = Number(position);
      if (first > 0) noteStored(this.#client.seen, first + drafts.length - 1, token);
      return drafts.map((_, i) => (first === 0 ? null : formatPosition(first + i)));
    } catch (error) {
      throw toPublishError(error, this.#client, drafts);
    }
  }
}

const noEcho = () => '';

/**
 * A batch as `log.lua` reads it: the number of channels, each with its bounds and the Redis channel of its echoes, then each entry
 * with the index of its channel.
 */
export function batchArguments(
  drafts: readonly Draft[],
  retention: RetentionPolicy,
  echo: (channel: string) => string,
  isForeign = false,
): (string | number)[] {
  const index = new Map<string, number>();
  const channels: (string | number)[] = [];
  const entries: (string | number)[] = [];
  for (const { channel, body } of drafts) {
    let i = index.get(channel);
    if (i === undefined) {
      i = index.size + 1;
      index.set(channel, i);
      const { entries: maxlen, idleMs } = retentionOf(retention, channel);
      channels.push(channel, maxlen, idleMs, echo(channel), placesFor(retention, channel, isForeign));
    }
    entries.push(i, body.slice(1));
  }
  return [index.size, ...channels, ...entries];
}

/** The error that a writer gets for a failed call of a script, which was to store `drafts`. */
export function toPublishError(error: unknown, client: RedisClient, drafts: readonly Draft[] = []): Error {
  if (error instanceof PublishRefused) return error;
  switch (codeOf(error)) {
    case 'OOM':
      return new PublishRefused('log_full', 'the log is full: its memory limit is reached');
    case 'TOOMANYCHANNELS':
      return tooManyChannels(refusedChannels(error, drafts));
    case 'LEASELOST':
      return new PublishRefused(
        'lease_lost',
        'the lease under which these messages were to be stored has ended',
      );
    case 'UNUSABLE':
      return new PublishRefused(
        'channel_unusable',
        'Redis does not let the log write one of these channels; what the gateway writes to stderr says why',
      );
    default:
      return client.unavailable(error);
  }
}

/** The script names channels by their index: `TOOMANYCHANNELS 2,5`. */
function refusedChannels(error: unknown, drafts: readonly Draft[]): string[] {
  const names = [...new Set(drafts.map(({ channel }) => channel))];
  const indexes = /^TOOMANYCHANNELS ([\d,]+)/.exec(messageOf(error))?.[1]?.split(',') ?? [];
  return indexes.flatMap((index) => names[Number(index) - 1] ?? []);
}
