// In a Cluster the log announces by SPUBLISH alone: what comes by a plain PUBLISH is foreign, on whatever name it comes.

import { describe, expect, it } from 'vitest';
import { RedisKeys } from '../../../../src/broker/redis/keys.ts';
import { MessageReader } from '../../../../src/broker/redis/live/message-reader.ts';

describe.each(['llm', 'team'])('in a Cluster, in the namespace %s', (namespace) => {
  const keys = new RedisKeys(namespace, false, true);
  const tick = keys.tick('instance');
  const reader = new MessageReader(keys, tick);
  const [partition = ''] = keys.partitions('logs');
  const announcement = Buffer.from('logs\n{"id":"1-1"}');

  it('an announcement comes by SPUBLISH, with the name of its channel in front', () => {
    expect(reader.readSharded(Buffer.from(partition), announcement, 7)).toEqual({
      kind: 'announced',
      channel: 'logs',
      data: Buffer.from('{"id":"1-1"}'),
      pattern: '',
      reads: 7,
    });
    expect(reader.readSharded(Buffer.from(tick), Buffer.from('t'), 7)?.kind).toBe('tick');
  });

  it.each([partition, tick, `{${namespace}}:=logs`])(
    'a plain PUBLISH on %s is neither entry nor tick',
    (name) => {
      const heard = [null, '*'].map((pattern) => reader.read(Buffer.from(name), announcement, pattern, 7));
      for (const message of heard) expect(['foreign', undefined]).toContain(message?.kind);
    },
  );

  it('a plain PUBLISH on the name of a channel is foreign', () => {
    expect(reader.read(Buffer.from(keys.plain('logs')), announcement, null, 7)).toMatchObject({
      kind: 'foreign',
      channel: 'logs',
    });
  });
});
