// REDIS_URL: one server, Sentinels, or nodes of a Cluster.

import { describe, expect, it } from 'vitest';
import { parseRedisUrl, REDIS_URL_FORM, redisUrlComplaint } from '../../../src/broker/redis/address.ts';

describe('a plain URL', () => {
  it.each([
    'redis://localhost',
    'redis://localhost:6379/2',
    'rediss://user:p%40ss@host:6380',
    'redis://[::1]:6379',
  ])('stays as it is: %s', (url) => expect(parseRedisUrl(url)).toBe(url));
});

describe('Sentinels', () => {
  it('have all that is needed to reach them and the servers', () => {
    const url =
      'rediss+sentinel://me:p%40ss@one:1/3?sentinel_master_name=log&addr=two&addr=[::1]:3&sentinel_user=s&sentinel_password=t&sentinel_tls=false';
    expect(parseRedisUrl(url)).toEqual({
      sentinels: [
        { host: 'one', port: 1 },
        { host: 'two', port: 26_379 },
        { host: '::1', port: 3 },
      ],
      master: 'log',
      sentinelUsername: 's',
      sentinelPassword: 't',
      sentinelTls: false,
      tls: true,
      username: 'me',
      password: 'p@ss',
      db: 3,
    });
  });

  it('are spoken to by TLS where the servers are, and to database 0, unless it is said', () => {
    expect(parseRedisUrl('rediss+sentinel://one?sentinel_master_name=m')).toMatchObject({
      sentinelTls: true,
      db: 0,
    });
    expect(parseRedisUrl('redis+sentinel://one?sentinel_master_name=m')).toMatchObject({
      sentinelTls: false,
    });
  });
});

describe('nodes of a Cluster', () => {
  it('are said with the user of all nodes, and each with its port', () => {
    expect(parseRedisUrl('rediss+cluster://u:p%40@one?addr=two:7000&addr=[::1]:7001')).toEqual({
      seeds: [
        { host: 'one', port: 6_379 },
        { host: 'two', port: 7_000 },
        { host: '::1', port: 7_001 },
      ],
      tls: true,
      username: 'u',
      password: 'p@',
    });
  });
});

describe('what is refused is never repeated', () => {
  it.each([
    '',
    'localhost:6379',
    'http://localhost',
    'redis://',
    'redis://localhost/x',
    'redis://localhost?db=1',
    'redis://localhost#x',
    'redis+sentinel://one?sentinel_master_name=m&addr=two/3',
    'redis+sentinel://one?sentinel_master_name=m&addr=u:p@two',
    'redis+sentinel://one/x?sentinel_master_name=m',
    'redis+sentinel://%zz:x@one?sentinel_master_name=m',
    'redis+cluster://',
    'redis+cluster://one?addr=',
    'redis+cluster://one?addr=u:p@two',
  ])('and the form is said: %s', (url) => {
    expect(redisUrlComplaint(url)).toBe(REDIS_URL_FORM);
  });

  it.each([
    ['redis+sentinel://u:secret@one', /^needs sentinel_master_name/],
    ['redis+sentinel://one?sentinel_master_name=', /^needs sentinel_master_name/],
    ['redis+sentinel://one?sentinel_master_name=m&secret=1', /^has a parameter that is none of sentinel_/],
    [
      'redis+sentinel://one?sentinel_master_name=m&sentinel_password=a&secret',
      /^has a parameter that is none of/,
    ],
    [
      'redis+sentinel://one?sentinel_master_name=m&sentinel_tls=secret',
      /^has a sentinel_tls that is neither/,
    ],
    ['redis+cluster://u:secret@one/1', /^names a database, and a Cluster has none$/],
    ['redis+cluster://one?sentinel_master_name=secret', /^has a parameter that is none of addr /],
  ])('and what is wrong is said: %s', (url, complaint) => {
    expect(redisUrlComplaint(url)).toMatch(complaint);
    expect(redisUrlComplaint(url)).not.toContain('secret');
  });
});
