// The attacks on sign-in, rights and ownership, each with what happens. The tests that play them begin their names with the number:
// `npx vitest run -t '23: '` plays one. This test holds that every attack is played, and where.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../../../test-support/process.ts';

interface Attack {
  attack: string;
  happens: string;
  /** Test files, from the repository's root; those without a folder are beside this one. */
  in: readonly string[];
}

/** The first one has the number 1. */
const ATTACKS: readonly Attack[] = [
  {
    attack: 'no credential, on every route and method, however the path is written',
    happens: '401 everywhere but for the page, the probes and what is not there',
    in: ['edge.test.ts'],
  }, // 1
  { attack: 'a route without a rule', happens: 'the start stops and names it', in: ['edge.test.ts'] }, // 2
  {
    attack: 'broken, long and several Authorization headers',
    happens: '400 or 401; lower case and Basic are taken',
    in: ['edge.test.ts'],
  }, // 3
  { attack: 'a valid cookie beside an invalid key', happens: '401: the key counts', in: ['edge.test.ts'] }, // 4
  {
    attack: 'a token in the query',
    happens: '401; beside a good key it is an unknown parameter',
    in: ['edge.test.ts'],
  }, // 5
  {
    attack: 'an invalid or expired credential where something is public',
    happens: '401, never anonymous',
    in: ['edge.test.ts'],
  }, // 6
  {
    attack: 'tokens of every broken kind',
    happens: '401 with the same words, on every route; the operator reads why',
    in: ['gateway/test/auth/credentials/jwt.test.ts', 'gateway/test/http/auth/ways.test.ts'],
  }, // 7
  {
    attack: 'an issuer that is away, slow, or flooded with unknown keys',
    happens: '503 and not 401; one fetch in 30 s',
    in: [
      'gateway/test/auth/credentials/issuer-keys.test.ts',
      'gateway/test/auth/credentials/jwt.test.ts',
      'gateway/test/http/auth/ways.test.ts',
    ],
  }, // 8
  {
    attack: 'a grant logs* that is used for log, runs:x, audit:x',
    happens: 'logs and logs:x alone',
    in: ['reading.test.ts'],
  }, // 9
  {
    attack: 'a grant * that is used for runs:*, r*, *s:*',
    happens: 'reserved channels need a grant of their own',
    in: ['reading.test.ts'],
  }, // 10
  {
    attack: 'a hundred patterns of many stars',
    happens: 'answered or refused, in bounded work',
    in: ['reading.test.ts'],
  }, // 11
  {
    attack: 'random grants, queries, resumes and publishes on two gateways',
    happens: 'nobody gets an entry that none of his grants matches',
    in: ['fuzz.test.ts'],
  }, // 12
  {
    attack: 'two roles with one query',
    happens: 'equal rights share a view, others do not',
    in: ['reading.test.ts'],
  }, // 13
  {
    attack: 'the Last-Event-ID of a wider session',
    happens: 'replays what the narrower one may read',
    in: ['reading.test.ts'],
  }, // 14
  {
    attack: 'gaps of channels that may not be read',
    happens: 'they are named to nobody who may not',
    in: ['gateway/test/http/ownership.test.ts', 'reading.test.ts'],
  }, // 15
  {
    attack: "another's message_id: read, watched, stopped, listed, filtered by",
    happens: '404 as if absent; both may use the same id',
    in: ['gateway/test/http/ownership.test.ts'],
  }, // 16
  {
    attack: "another's conversation_id",
    happens: 'reaches nothing, in either direction',
    in: ['gateway/test/http/ownership.test.ts'],
  }, // 17
  {
    attack: 'a batch with one forbidden entry, in every form',
    happens: 'nothing is written, and its place is named',
    in: ['writing.test.ts'],
  }, // 18
  {
    attack: "a forged source; another's Publisher-Id with a high number",
    happens: '403; numbers are counted for each principal',
    in: ['writing.test.ts'],
  }, // 19
  {
    attack: "publishing to the gateway's own channels, by HTTP and by PUBLISH",
    happens: '422; a plain PUBLISH makes no entry there, and {ns}:#auth ends nobody',
    in: ['redis-producer.test.ts', 'writing.test.ts'],
  }, // 20
  {
    attack: 'five open streams on two gateways, two workers each, after the end of rights',
    happens: 'all end, each with its code; those of others stay',
    in: ['revocation.test.ts', 'workers.test.ts'],
  }, // 21
  {
    attack: 'the same where the message of it is lost',
    happens: 'the same: the revision is compared once a second',
    in: ['revocation.test.ts', 'workers.test.ts'],
  }, // 22
  {
    attack: 'the same while Redis is paused, or killed',
    happens: 'nothing is delivered before rights were looked at; others read on',
    in: ['revocation.test.ts', 'workers.test.ts'],
  }, // 23
  {
    attack: 'an entry, or a stream, in the moment of the revocation',
    happens: 'not delivered, and the stream ends',
    in: ['gateway/test/auth/credentials/principal-cache.test.ts', 'revocation.test.ts', 'workers.test.ts'],
  }, // 24
  {
    attack: 'a session that expires in the middle of streams',
    happens: 'bye expired, also lagging and of a run',
    in: ['revocation.test.ts'],
  }, // 25
  {
    attack: 'the run of somebody whose rights end',
    happens: 'its streams end, and it goes on',
    in: ['revocation.test.ts'],
  }, // 26
  {
    attack: 'a store of people that is away',
    happens: 'who is known goes on; who is not gets 503 or bye not_ready, never 401',
    in: [
      'edge.test.ts',
      'gateway/test/auth/credentials/principal-cache.test.ts',
      'gateway/test/auth/store/redis-auth-store.test.ts',
      'revocation.test.ts',
    ],
  }, // 27
  {
    attack: 'a Redis restored from before a revocation',
    happens: 'no session comes back to life',
    in: ['gateway/test/auth/store/redis-auth-store.test.ts', 'revocation.test.ts'],
  }, // 28
  {
    attack: 'a flood of logins',
    happens: 'one hash at a time, by turns of networks and clients; the crowd gets 429; streams go on',
    in: [
      'browser.test.ts',
      'gateway/test/auth/sign-in/fair-turns.test.ts',
      'gateway/test/auth/sign-in/passwords.test.ts',
    ],
  }, // 29
  {
    attack: 'telling unknown, wrong and disabled apart',
    happens: 'one hash and the same words for each',
    in: ['browser.test.ts'],
  }, // 30
  {
    attack: 'locking somebody out by wrong passwords',
    happens: "the attacker's address waits; the good password works from another",
    in: ['browser.test.ts', 'gateway/test/auth/throttle.test.ts'],
  }, // 31
  {
    attack: 'other addresses of an IPv6 network; a spoofed X-Forwarded-For',
    happens: 'one address; ignored where no proxy is trusted',
    in: ['browser.test.ts', 'gateway/test/auth/throttle.test.ts'],
  }, // 32
  {
    attack: 'headers of a proxy from anybody else, twice, misspelt, without groups',
    happens: '401, and no role without a group',
    in: ['gateway/test/auth/credentials/proxy-headers.test.ts', 'gateway/test/http/auth/ways.test.ts'],
  }, // 33
  {
    attack: 'changes from pages of other ports, schemes and sites',
    happens: '403 csrf, 415 for text',
    in: ['browser.test.ts'],
  }, // 34
  { attack: 'credentials for other sites by CORS', happens: 'never allowed', in: ['browser.test.ts'] }, // 35
  {
    attack: 'a cookie planted before the login',
    happens: 'replaced; the old one is dead, also after a new password',
    in: ['browser.test.ts'],
  }, // 36
  {
    attack: 'the next person in the same browser, with a second tab open',
    happens: 'no line of the first in any tab',
    in: ['dashboard/test/e2e/sign-in.test.ts'],
  }, // 37
  {
    attack: 'two gateways on two ports of one host',
    happens: 'both stay signed in',
    in: ['browser.test.ts'],
  }, // 38
  {
    attack: 'a role in the body of a sign-up; a key wider than its maker',
    happens: '400; never more than he may',
    in: ['browser.test.ts', 'gateway/test/auth/credentials/credentials.test.ts'],
  }, // 39
  {
    attack: 'looking for a secret in output, metrics, audit, answers, files and ps',
    happens: 'none is found',
    in: ['secrets.test.ts', 'writing.test.ts'],
  }, // 40
  {
    attack: 'AUTH_FILE readable by others, broken, half-written, replaced; prototype names',
    happens: 'refused at the start, or the last good content stays; nobody has such a name',
    in: ['browser.test.ts', 'gateway/test/auth/store/file-auth-store.test.ts'],
  }, // 41
  {
    attack: 'names in other case, with Unicode, too long, with dots',
    happens: 'no names',
    in: ['gateway/test/auth/cli/cli.test.ts', 'gateway/test/auth/names.test.ts'],
  }, // 42
  {
    attack: 'HOST=0.0.0.0 or a proxy, with AUTH unset',
    happens: 'the start stops with one line that says both ways out',
    in: ['gateway/test/auth/config.test.ts'],
  }, // 43
  {
    attack: 'made-up keys without end',
    happens: 'no look-up for a wrong checksum, bounded memory, 429 for the address',
    in: [
      'browser.test.ts',
      'gateway/test/auth/credentials/credentials.test.ts',
      'gateway/test/auth/credentials/principal-cache.test.ts',
      'gateway/test/http/auth/sign-in.test.ts',
    ],
  }, // 44
  {
    attack: 'OIDC: answers used twice, of others, of other issuers, without a group',
    happens: 'nobody comes in; the operator reads why',
    in: ['gateway/test/http/auth/oidc-composed.test.ts', 'gateway/test/http/auth/oidc.test.ts'],
  }, // 45
  {
    attack: "hiding and doubling others' entries with PUBLISH alone",
    happens: 'each real entry comes once, in order, with nothing missing',
    in: ['gateway/test/e2e/redis-users.test.ts', 'shared/test/broker/redis/forging.test.ts'],
  }, // 46
  { attack: 'DNS rebinding with a cookie', happens: '403 host_forbidden', in: ['edge.test.ts'] }, // 47
  { attack: 'a hundred half-open logins', happens: 'hold up nobody', in: ['browser.test.ts'] }, // 48
  {
    attack: 'a body that is held back until the rights of its sender have ended',
    happens: '401 or 403, and nothing is done',
    in: ['held.test.ts'],
  }, // 49
  {
    attack: 'requests that wait for room behind an answer that nobody takes, until rights have ended',
    happens: '401',
    in: ['held.test.ts'],
  }, // 50
];

const HERE = 'gateway/test/auth/attacks/';

/** The files whose tests have the number in their names. */
function played(): string[][] {
  const found = ATTACKS.map(() => new Set<string>());
  for (const path of globSync('*/test/**/*.test.ts', { cwd: ROOT })) {
    if (path.startsWith('gateway/test/rules/')) continue; // quotes lines that begin with numbers, which a command prints
    const text = path === `${HERE}table.test.ts` ? '' : readFileSync(join(ROOT, path), 'utf8');
    for (const [, number] of text.matchAll(/['"`](\d{1,2}): [a-zA-Z{%*]/g))
      found[Number(number) - 1]?.add(path.replace(HERE, ''));
  }
  return found.map((files) => [...files].sort());
}

it('every attack of the list is played, in the tests that the table names', () => {
  expect(ATTACKS).toHaveLength(50);
  expect(played()).toEqual(ATTACKS.map((attack) => attack.in));
  expect(ATTACKS.filter((attack) => attack.in.length === 0)).toEqual([]);
});
