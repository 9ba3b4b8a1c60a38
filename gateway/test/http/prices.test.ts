// The prices of the prompts file over HTTP.

import { expect, it } from 'vitest';
import { openGateway } from '../../../test-support/gateway.ts';
import { openAuthGateway } from './auth-gateway.ts';
import { promptsFile } from './door-gateway.ts';

const prices = { currency: 'EUR', models: [{ model: 'gpt-*', input: 1.5, output: 6 }] };

it('the prices of the prompts file are told to who is signed in', async () => {
  const file = promptsFile([], prices);
  const gateway = await openAuthGateway({ PROMPTS_FILE: file.path });
  try {
    expect((await fetch(`${gateway.url}/api/prices`)).status).toBe(401);
    const root = await gateway.signedIn('root');
    expect((await root.ask('/api/prices')).body).toEqual(prices);
  } finally {
    await gateway.close();
    file.remove();
  }
});

it('a file without prices has none', async () => {
  const gateway = await openGateway();
  const response = await fetch(`${gateway.url}/api/prices`);
  expect(await response.json()).toEqual({ currency: 'USD', models: [] });
  await gateway.close();
});
