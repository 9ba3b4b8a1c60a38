// A log that is slow or away is nothing that a call through the door notices: all calls go on, and what could not be told of them is
// counted and said.

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { Simulator } from '../../src/llm/simulator/simulator.ts';
import { SimulatorServer } from '../../src/llm/simulator/simulator-server.ts';
import { ScriptedService, wire } from '../door/scripted-service.ts';
import { type DoorGateway, openDoor } from './door-gateway.ts';

const CALLS = 100;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function door(baseUrl: string, env: Record<string, string> = {}): Promise<DoorGateway> {
  const gateway = await openDoor(baseUrl, { REDIS_URL: redis.url, NAMESPACE: randomNamespace(), ...env });
  closing.push(() => gateway.close());
  return gateway;
}

const ask = (base: string, question: string) =>
  fetch(`${base}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'sim-1', stream: true, messages: [{ role: 'user', content: question }] }),
  });

it.each([
  ['frozen', () => redis.pause(), async () => redis.resume()],
  ['killed', () => redis.kill(), () => redis.restart()],
] as const)(
  `with Redis %s while ${CALLS} calls stream, ${CALLS} of ${CALLS} are whole`,
  async (state, away, back) => {
    const server = new SimulatorServer(new Simulator({ tokenMs: 2 }));
    closing.push(() => server.close());
    const baseUrl = await server.listen(0);
    const gateway = await door(baseUrl);
    const questions = Array.from({ length: CALLS }, (_, i) => `What is a comet, part ${i}?`);
    const begun = await Promise.all(questions.map((question) => ask(gateway.v1, question)));
    await away();
    const answers = await Promise.all(begun.map((answer) => answer.text()));
    const direct = await Promise.all(
      questions.map(async (question) => (await ask(baseUrl, question)).text()),
    );
    expect(answers).toEqual(direct);
    // Calls also begin while the log is away.
    expect(await (await ask(gateway.v1, 'One more?')).text()).toContain('[DONE]');
    await back();
    if (state === 'killed') return;
    const ended = (await gateway.calls(CALLS + 1)).filter(({ event }) => event === 'generation.finished');
    expect(new Set(ended.map(({ run }) => run)).size).toBe(CALLS + 1);
  },
);

it('what the buffer cannot hold is counted at once, and said when the log is back', async () => {
  const text = `data: ${JSON.stringify({ choices: [{ delta: { content: 'a'.repeat(60_000) } }] })}\n\n`;
  const head = ['Content-Type: text/event-stream'];
  const service = await ScriptedService.open(
    ({ socket }) =>
      void socket.end(wire(head, [...Array.from({ length: 18 }, () => text), 'data: [DONE]\n\n'])),
  );
  closing.push(() => service.close());
  const gateway = await door(service.baseUrl);
  await redis.kill();
  const unlogged = async () => {
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    return Number(/^llm_streamer_door_unlogged_entries_total (\d+)$/m.exec(metrics)?.[1]);
  };
  for (let i = 0; i < 24; i++)
    expect((await (await ask(gateway.v1, 'Much?')).text()).length).toBeGreaterThan(1_000_000);
  await eventually('entries are lost', async () => (await unlogged()) > 0);
  await redis.restart();
  await eventually('a notice', async () =>
    (await gateway.told('logs:gateway')).some(
      ({ msg, attrs }) => /entries dropped by/.test(msg) && Number(attrs?.dropped) > 0,
    ),
  );
});
