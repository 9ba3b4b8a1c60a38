// For tests: a service of models over HTTP that answers as the test says, and remembers what it was asked.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';

export interface AskedModel {
  messages: { role: string; content: string }[];
  tools?: { function: { name: string } }[];
  tool_choice?: string;
}

export interface ModelAnswer {
  text?: string;
  /** Names of tools that it calls, and with what. */
  calls?: [name: string, args: object][];
}

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** @param answer what it says to a request, which is the `number`th */
export async function scriptedModel(answer: (request: AskedModel, number: number) => ModelAnswer) {
  const asked: AskedModel[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const wanted = JSON.parse(body) as AskedModel;
    asked.push(wanted);
    const { text, calls = [] } = answer(wanted, asked.length);
    const tool_calls = calls.map(([name, args], index) => ({
      ...{ index, id: `c${index}`, type: 'function' },
      function: { name, arguments: JSON.stringify(args) },
    }));
    const delta = { ...(text !== undefined && { content: text }), ...(calls.length > 0 && { tool_calls }) };
    const chunk = (of: object, finish_reason: string | null) =>
      `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta: of, finish_reason }] })}\n\n`;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(
      `${chunk(delta, null)}${chunk({}, calls.length > 0 ? 'tool_calls' : 'stop')}data: [DONE]\n\n`,
    );
  }).listen(0, '127.0.0.1');
  open.push(server);
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return {
    asked,
    env: { USE_LLM_MOCK: 'false', LLM_BASE_URL: url, LLM_MODEL: 'scripted', LLM_RETRIES: '0' },
  };
}
