// The agent that comes with the gateway, with the example's own servers: no key, no port, no token.

import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { frames, serve } from '../http/run-gateway.ts';
import type { AgentFrame } from './agent-gateway.ts';

async function asked(userMessage: string) {
  const { url, broker } = await serve();
  const response = await fetch(`${url}/agents/chat-stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userMessage, message_id: 'm1' }),
  });
  return { url, broker, response };
}
const calls = (all: readonly AgentFrame[]) =>
  all.filter(({ json }) => json.status === 'tool').map(({ json }) => [json.tool, json.arguments]);
const text = (all: readonly AgentFrame[]) => all.map(({ json }) => json.chunk ?? '').join('');

describe('the example answers', () => {
  it.each([
    [
      'Show me 3-bedroom homes in Portland under $900,000',
      [['listings__findListings', { city: 'Portland', minBedrooms: 3, maxPrice: 900_000 }]],
      /7 results/,
    ],
    ['Get analytics for listing L001', [['analytics__getListingMetrics', { listingIds: ['L001'] }]], /L001/],
    [
      'Give me a market analysis for Seattle, WA',
      [['analytics__getMarketAnalysis', { area: 'Seattle, WA' }]],
      /Seattle/,
    ],
    [
      'Generate a performance report for L001, L002 and L003',
      [['analytics__generatePerformanceReport', { listingIds: ['L001', 'L002', 'L003'] }]],
      /L003/,
    ],
    [
      'Generate a performance report for all homes in Kirkland',
      [
        ['listings__findListings', { city: 'Kirkland' }],
        ['analytics__generatePerformanceReport', { listingIds: [expect.stringMatching(/^L\d{3}$/)] }],
      ],
      /performance report” gave/,
    ],
  ])('%s', async (question, made, said) => {
    const all = (await frames((await asked(question)).response)) as unknown as AgentFrame[];
    expect(calls(all)).toEqual(made);
    expect(text(all)).toMatch(said);
    expect(all.at(-1)?.event).toBe('done');
  });

  it('and sends a report only after consent', async () => {
    const { url, response } = await asked('Send the listing report of L001 to a@example.com');
    await eventually('the call waits', async () => {
      const run = (await (await fetch(`${url}/api/runs/m1`)).json()) as { waiting?: string[] };
      return run.waiting?.includes('call-1');
    });
    await fetch(`${url}/api/runs/m1/approvals/call-1`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"approved":true}',
    });
    const all = (await frames(response)) as unknown as AgentFrame[];
    expect(calls(all)).toEqual([
      ['listings__sendListingReport', { listingIds: ['L001'], recipientEmail: 'a@example.com' }],
    ]);
    expect(all.at(-1)?.event).toBe('done');
  });
});
