// Connections are limited in all and for each address; the address is the one that a trusted proxy names.
import { afterEach, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';

let gateway: TestGateway;
afterEach(() => gateway.close());

const from = (address: string) => gateway.view('', { headers: { 'x-forwarded-for': address } });

it('the address is the one that a trusted proxy names', async () => {
  gateway = await openGateway({ MAX_CONNECTIONS_PER_ADDRESS: '1', AUTH: 'off', TRUST_PROXY: 'loopback' });
  expect((await from('192.0.2.1')).status).toBe(200);
  expect((await from('192.0.2.2')).status).toBe(200);
  expect((await from('192.0.2.1')).status).toBe(503);
});

it('a network of IPv6 is one address', async () => {
  gateway = await openGateway({ MAX_CONNECTIONS_PER_ADDRESS: '1', AUTH: 'off', TRUST_PROXY: 'loopback' });
  expect((await from('2001:db8:0:1::1')).status).toBe(200);
  expect((await from('2001:db8:0:1::2')).status).toBe(503);
  expect((await from('2001:db8:0:2::1')).status).toBe(200);
});

it('the address is that of the peer if no proxy is trusted', async () => {
  gateway = await openGateway({ MAX_CONNECTIONS_PER_ADDRESS: '1' });
  expect((await from('192.0.2.1')).status).toBe(200);
  expect((await from('192.0.2.2')).status).toBe(503);
});

it('after a crowd has come and gone there is room for the next one', async () => {
  gateway = await openGateway({ MAX_CONNECTIONS: '10' });
  for (let round = 0; round < 3; round++) {
    const crowd = await Promise.all(Array.from({ length: 30 }, () => gateway.view()));
    const served = crowd.filter(({ status }) => status === 200);
    expect(served).toHaveLength(10);
    for (const viewer of crowd) viewer.vanish();
    await eventually('nobody', async () => (await gateway.health()).connections === 0);
  }
  expect(await gateway.health()).toMatchObject({ connected: 30, refused: 60, views: 0 });
});
