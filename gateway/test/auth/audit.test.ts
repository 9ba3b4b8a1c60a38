// What floods cannot hide in the audit.
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { beforeEach, expect, it } from 'vitest';
import { AUDIT_EVENTS, Audit } from '../../src/auth/audit.ts';

interface Told {
  channel: string;
  msg: string;
}

let audit: Audit;
let broker: MemoryBroker;
let told: Told[];

beforeEach(async () => {
  broker = new MemoryBroker();
  told = [];
  audit = new Audit(broker, 'gateway-a', createLogger('test', 'silent', true));
});

const onChannel = (channel: string) => told.filter((one) => one.channel === channel).map(({ msg }) => msg);
/** Ends the second, and reads what is in the log. */
async function end(): Promise<void> {
  await audit.close();
  const page = await broker.readPage({ channels: ['audit:*'], after: 0, limit: 10_000 });
  for (const { record } of page.items) if (record) told.push(JSON.parse(record.data.toString()));
}

it('somebody who floods it with events hides none of others, and failed sign-ins none at all', async () => {
  for (let n = 0; n < 1_000; n++) {
    audit.event(AUDIT_EVENTS.tokenMade, { by: 'user:mallory', address: '10.0.0.1' });
    audit.event(AUDIT_EVENTS.loginFailed, { address: '10.0.0.2' });
  }
  audit.event(AUDIT_EVENTS.userChanged, { by: 'user:root', to: 'user:bob', address: '10.0.0.3' });
  audit.event(AUDIT_EVENTS.loginFailed, { address: '10.0.0.4' });
  await end();
  const events = onChannel('audit:auth');
  expect(events).toContain('user.changed by user:root to user:bob from 10.0.0.3');
  expect(events).toContain('950 more events of user:mallory in this second');
  const failures = onChannel('audit:failures');
  expect(failures).toContain('login.failed from 10.0.0.4');
  expect(failures).toContain('995 more failed sign-ins from 10.0.0.2 in this second');
  expect(failures).toHaveLength(7);
});

it('decoys of one address hide refusals to that address only, and each is told with its own address', async () => {
  const probe = { code: 'unauthorized', route: 'DELETE /api/users/:name' };
  for (let n = 0; n < 100; n++)
    audit.refused({ code: 'unauthorized', route: `GET /decoy-${n}`, address: '10.0.0.1' });
  audit.refused({ ...probe, address: '10.0.0.1' });
  for (let n = 0; n < 7; n++) audit.refused({ ...probe, address: '10.0.0.2' });
  audit.refused({ ...probe, address: '10.0.0.3' });
  await end();
  const refusals = onChannel('audit:refusals');
  expect(refusals).toContain('96 other refusals to 10.0.0.1 in this second');
  const probes = told.filter(({ msg }) => msg.includes('DELETE')) as (Told & { attrs: object })[];
  expect(probes.map(({ attrs }) => attrs)).toMatchObject([
    { address: '10.0.0.2', count: 7 },
    { address: '10.0.0.3', count: 1 },
  ]);
});

it('a flood from addresses without end takes a bounded number of entries', async () => {
  for (let n = 0; n < 10_000; n++)
    audit.refused({ code: 'unauthorized', route: 'GET /', address: `10.0.${n >> 8}.${n & 255}` });
  await end();
  const refusals = onChannel('audit:refusals');
  expect(refusals.length).toBeLessThan(60);
  expect(refusals).toContain('9950 other refusals to others in this second');
});
