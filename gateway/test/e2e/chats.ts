// For tests, and for bench/chats-drill.ts: chats of two people on two gateways at the same time, each a question whose tool sends a mail. A
// third of their clients are reloaded at a random point, on the other gateway, and in the middle one gateway is killed.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createParser } from 'eventsource-parser';
import { z } from 'zod';
import { eventually } from '../../../test-support/process.ts';
import { randomNamespace } from '../../../test-support/redis.ts';
import { servedBy, startSimulator } from '../../../test-support/simulator.ts';
import { Sessions } from '../../src/auth/credentials/sessions.ts';
import { RedisAuthStore } from '../../src/auth/store/redis-auth-store.ts';
import { closeAll, mcpServer } from '../tools/mcp-servers.ts';
import { startGateway } from './run-fleet.ts';

export interface ChatsOptions {
  redisUrl: string;
  chats: number;
  /** Chats that go on at the same time. */
  atOnce: number;
  /** From 0 to 1, the next each time. */
  random(): number;
}

export interface ChatsOutcome {
  finished: number;
  /** Ended as `run_lost`, because their gateway was killed. */
  lost: number;
  reloads: number;
  /** What must not be: each a sentence. */
  faults: string[];
}

interface Event {
  id: string;
  event: string;
  data: { message_id: string; conversation_id: string; code?: string; chunk?: string; final?: boolean };
}

const PEOPLE = ['alice', 'bob'];
/** Turns of a client that finds nothing, a tenth of a second each: longer than a lease. */
const MAX_TURNS = 1_200;

export async function playChats({ redisUrl, chats, atOnce, random }: ChatsOptions): Promise<ChatsOutcome> {
  const namespace = randomNamespace();
  const folder = mkdtempSync(join(tmpdir(), 'chats-'));
  const mails = new Map<string, number>();
  const [simulator, server] = await Promise.all([
    startSimulator('--delay', '5'),
    mcpServer((mcp) => {
      const description = 'Sends a report by mail.';
      const inputSchema = z.object({ recipientEmail: z.string() });
      mcp.registerTool('sendReport', { description, inputSchema }, ({ recipientEmail }) => {
        mails.set(recipientEmail, (mails.get(recipientEmail) ?? 0) + 1);
        return { content: [{ type: 'text', text: JSON.stringify({ sent: recipientEmail }) }] };
      });
    }),
  ]);
  const file = join(folder, 'agents.json');
  const servers = { mail: { url: server.url, tools: { sendReport: { approval: 'never' } } } };
  const agents = [{ name: 'helper', system: 'Help.', tools: ['mail__*'] }];
  writeFileSync(file, JSON.stringify({ servers, agents }));
  const store = RedisAuthStore.at(redisUrl, namespace);
  const tokens = new Map<string, string>();
  for (const name of PEOPLE) {
    await store.addUser({ name, passwordHash: 'x', role: 'member', disabled: false, created: Date.now() });
    const { token } = await new Sessions(store).begin({ user: name, address: '', agent: '' });
    tokens.set(name, token);
  }
  const env = {
    ...servedBy(simulator),
    ...{ REDIS_URL: redisUrl, NAMESPACE: namespace, AUTH: 'on', AGENTS_FILE: file, LOG_LEVEL: 'info' },
    ...{ MAX_RUNS: '1000', LLM_FIRST_CONTENT_TIMEOUT_MS: '120000', RUN_TIMEOUT_MS: '600000' },
  };
  const [a, b] = await Promise.all([startGateway(env), startGateway(env)]);
  const urls = [a.url, b.url];
  const outcome: ChatsOutcome = { finished: 0, lost: 0, reloads: 0, faults: [] };
  let begun = 0;
  let isKilled = false;

  const headersOf = (who: string) => ({ authorization: `Bearer ${tokens.get(who)}` });

  async function chat(i: number): Promise<void> {
    const who = PEOPLE[i % PEOPLE.length] as string;
    const to = `chat${i}@example.com`;
    const body = JSON.stringify({
      ...{ userMessage: `Send the report to ${to}`, message_id: `m-${i}`, conversation_id: `c-${i % 10}` },
    });
    const headers = { ...headersOf(who), 'content-type': 'application/json' };
    // A client that was cut off sends the same again, with the last id that it has: to the other gateway.
    const reloadAt = random() < 1 / 3 ? 1 + Math.floor(random() * 6) : Number.POSITIVE_INFINITY;
    const events: Event[] = [];
    for (let turn = 0; events.at(-1)?.data.final !== true; turn++) {
      if (turn > MAX_TURNS) return void outcome.faults.push(`m-${i} did not end`);
      const url = urls[(i + turn) % 2] as string;
      const last = events.at(-1)?.id;
      const sent = { ...headers, ...(last !== undefined && { 'last-event-id': last }) };
      const most = turn === 0 ? reloadAt : Number.POSITIVE_INFINITY;
      const piece = await read(`${url}/agents/chat-stream`, { method: 'POST', headers: sent, body }, most);
      if (turn === 0 && piece.length >= reloadAt) outcome.reloads++;
      events.push(...piece);
      if (piece.length === 0) await new Promise((resolve) => setTimeout(resolve, 100)); // as a client waits before it tries again
    }
    const stranger = PEOPLE[(i + 1) % PEOPLE.length] as string;
    await judge(i, { who, stranger, to }, events);
  }

  async function judge(
    i: number,
    { who, stranger, to }: Record<'who' | 'stranger' | 'to', string>,
    events: Event[],
  ) {
    const fault = (what: string) => outcome.faults.push(`m-${i}: ${what}`);
    const others = { headers: headersOf(stranger) };
    const foreign = await fetch(`${b.url}/api/runs/m-${i}?owner=${who}`, others);
    if (foreign.status !== 404) fault(`the other person gets ${foreign.status}`);
    const whole = await read(`${b.url}/api/runs/m-${i}/stream`, { headers: headersOf(who) });
    if (JSON.stringify(whole) !== JSON.stringify(events))
      fault('what its client has read is not what there is');
    const places = events.map(({ id }) => Number(id.split('-')[1]));
    if (places.some((place, at) => at > 0 && place <= (places[at - 1] as number)))
      fault('it is out of order');
    if (events.some(({ data }) => data.message_id !== `m-${i}` || data.conversation_id !== `c-${i % 10}`))
      fault('it has what is of another');
    const last = events.at(-1);
    if (last?.event === 'done') {
      outcome.finished++;
      if (mails.get(to) !== 1) fault(`${mails.get(to) ?? 0} mails were sent`);
      const said = events.map(({ data }) => data.chunk ?? '').join('');
      if (!said.includes(to)) fault('its answer does not name its mail');
      if (/chat\d+@/g.exec(said.replaceAll(to, ''))) fault('its answer names the mail of another');
    } else if (last?.data.code === 'run_lost') outcome.lost++;
    else fault(`it has ended with ${last?.data.code}`);
  }

  try {
    for (const { url } of [a, b])
      await eventually('the tools are there', async () => {
        const state = await fetch(`${url}/api/agents`, { headers: headersOf('alice') });
        return (await state.text()).includes('"state":"up"');
      });
    const asking = async () => {
      for (let i = begun++; i < chats; i = begun++) {
        if (i >= chats / 2 && !isKilled) {
          isKilled = true;
          a.process.kill('SIGKILL');
        }
        await chat(i);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, asking));
    for (const [to, count] of mails) if (count > 1) outcome.faults.push(`${to} got ${count} mails`);
    return outcome;
  } finally {
    await Promise.all([a, b, simulator].map(({ process }) => process.stop('SIGKILL')));
    await store.close();
    await closeAll();
    rmSync(folder, { recursive: true });
  }
}

/** The events until the end, until there are `most`, or until the gateway goes away; none if it refuses. */
async function read(url: string, init: RequestInit, most = Number.POSITIVE_INFINITY): Promise<Event[]> {
  const events: Event[] = [];
  const parser = createParser({
    onEvent: ({ id = '', event = '', data }) => {
      if (events.length < most && id !== '') events.push({ id, event, data: JSON.parse(data) });
    },
  });
  const leave = new AbortController();
  try {
    const response = await fetch(url, { ...init, signal: leave.signal });
    if (response.status !== 200) return events;
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
      if (events.length >= most) leave.abort();
    }
  } catch (error) {
    // A killed gateway ends its streams abruptly, and so does a client that is reloaded. What has come until then counts.
    if (!(error instanceof TypeError || (error as Error).name === 'AbortError')) throw error;
  }
  return events;
}
