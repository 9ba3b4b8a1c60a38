// The chat where several processes serve it with the log in Redis, and refusals are only reported.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readGatewayConfig } from '../../../gateway/src/config.ts';
import { turnEntry } from '../../../gateway/src/runs/conversation.ts';
import { closeAll, mcpServer } from '../../../gateway/test/tools/mcp-servers.ts';
import { launchChromium } from '../../../test-support/chromium.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { answered, ask, calls, newest, turns } from './support/chat.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { eventually, openPage } from './support/page.ts';

const folder = mkdtempSync(join(tmpdir(), 'chat-workers-'));
const namespace = randomNamespace();
let browser: Browser;
let redis: RedisServer;
let gateway: Gateway;
/** Lets the call return that waits. */
let release: () => void = () => undefined;
beforeAll(async () => {
  const server = await mcpServer((tools) => {
    tools.registerTool('rainForecast', { description: 'Tells the weather: rain or sun.' }, async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return { content: [{ type: 'text', text: 'Rain tomorrow.' }] };
    });
  });
  const agents = join(folder, 'agents.json');
  const tools = { rainForecast: { read_only: true, timeout_ms: 60_000 } };
  writeFileSync(
    agents,
    JSON.stringify({
      servers: { world: { url: server.url, tools } },
      agents: [{ name: 'helper', system: 'Help.', tools: ['world__*'] }],
    }),
  );
  const keyFile = join(folder, 'key');
  writeFileSync(keyFile, 'b'.repeat(40), { mode: 0o600 });
  [browser, redis] = await Promise.all([launchChromium(), startRedis()]);
  gateway = await startGateway({
    ...{ RATE_LIMIT_PER_SECOND: '0', AGENTS_FILE: agents, WORKERS: '2' },
    ...{ REDIS_URL: redis.url, NAMESPACE: namespace },
    ...{ AUTH: 'report', AUTH_BOOTSTRAP_KEY_FILE: keyFile },
  });
}, 120_000);
afterAll(async () => {
  await browser.close();
  await gateway.stop();
  await redis.stop();
  await closeAll();
  rmSync(folder, { recursive: true });
});

describe('with two processes, Redis and AUTH=report', () => {
  it('an answer is there again after a reload in the middle of a call, and comes to its end', async () => {
    const page = await openPage(browser, `${gateway.url}/?panel=chat`);
    const isCalled = () =>
      eventually('the tool is called', async () =>
        (await calls(page)).join().includes('▸ world: rain forecast'),
      );
    await ask(page, 'Tell me the weather: will there be rain?');
    await isCalled();
    await page.reload();
    await isCalled();
    release();
    expect(await answered(page)).toContain('Rain tomorrow.');
  });

  it('a question is edited, and every process shows the conversation that follows', async () => {
    const page = await openPage(browser, `${gateway.url}/?panel=chat`);
    await ask(page, 'What are tides?');
    await answered(page);
    await newest(page).getByRole('button', { name: 'edit', exact: true }).click();
    await ask(page, 'What are waves?');
    await eventually('it is answered', async () =>
      (await newest(page).innerText()).includes('What are waves?'),
    );
    const text = await answered(page);
    for (let i = 0; i < 3; i++) {
      await page.reload();
      expect(await answered(page)).toBe(text);
      expect(await turns(page).count()).toBe(1);
    }
  });

  it('another’s conversation is read, as everybody may read everything', async () => {
    const broker = new RedisBroker({
      url: redis.url,
      namespace,
      retention: retentionPolicy(readGatewayConfig({})),
    });
    onTestFinished(() => broker.close());
    await broker.open(30_000);
    const turn = (role: 'user' | 'assistant', text: string) =>
      draft(turnEntry(ownedKey('alice', 'homes'), { role, text, run: 'r1', time: Date.now() }, 'test'));
    await broker.publish([turn('user', 'Are there homes?'), turn('assistant', 'There are *seven*.')]);
    const page = await openPage(browser, `${gateway.url}/?panel=chat&c=alice/homes`);
    expect(await answered(page)).toBe('There are seven.');
    expect(await page.locator('#chat h2').innerText()).toBe('alice: Are there homes?');
    await page.getByText('This conversation is not yours').waitFor();
  });
});
