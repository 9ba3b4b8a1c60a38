// Servers of tools for tests, each a real HTTP server on a free port: one that speaks MCP by the official SDK, and one that does whatever a
// test scripts, byte by byte.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { pass } from '../../../examples/real-estate/serve.ts';
import { eventually } from '../../../test-support/process.ts';
import { parseAgents } from '../../src/tools/agents-file.ts';
import { IDEMPOTENCY_KEY } from '../../src/tools/idempotency.ts';
import { McpToolbox, type McpToolboxOptions } from '../../src/tools/mcp-toolbox.ts';
import type { CallContext, ToolArguments, Toolbox, ToolResult } from '../../src/tools/toolbox.ts';

export interface TestServer {
  url: string;
  port: number;
  /** `tools/call` requests that have arrived, as JSON-RPC. */
  calls: { params: Record<string, unknown>; authorization: string | undefined }[];
  /** All requests that have arrived, by method. */
  requests: string[];
  close(): Promise<void>;
}

const open = new Set<{ close(): Promise<void> | void }>();

/** Ends all that a test has opened. */
export async function closeAll(): Promise<void> {
  for (const each of open) await each.close();
  open.clear();
}

async function listen(listener: RequestListener, port: number): Promise<Server> {
  const server = createServer(listener);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function opened(server: Server, calls: TestServer['calls'], requests: string[]): TestServer {
  const { port } = server.address() as AddressInfo;
  const test = {
    url: `http://127.0.0.1:${port}/mcp`,
    port,
    calls,
    requests,
    close: async () => {
      open.delete(test);
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
  open.add(test);
  return test;
}

/** A server of the official SDK, with these tools. `port` is for one that comes back where it was. */
export async function mcpServer(
  register: (server: McpServer) => void,
  { port = 0 }: { port?: number } = {},
): Promise<TestServer> {
  const calls: TestServer['calls'] = [];
  const requests: string[] = [];
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'test', version: '1' });
    register(server);
    return server;
  });
  const noting = {
    ...handler,
    fetch: async (request: Request) => {
      const message = (request.method === 'POST' ? await request.clone().json() : {}) as Partial<Message>;
      requests.push(message.method ?? request.method);
      if (message.method === 'tools/call')
        calls.push({
          params: message.params ?? {},
          authorization: request.headers.get('authorization') ?? undefined,
        });
      return handler.fetch(request);
    },
  };
  const listener: RequestListener = (request, response) => {
    pass(request, response, noting).catch(() => response.destroy());
  };
  return opened(await listen(listener, port), calls, requests);
}

type Message = { id?: number; method: string; params?: Record<string, unknown> };
export type Script = (message: Message, response: import('node:http').ServerResponse) => void;

/** A server that answers each JSON-RPC message as the script does; `answerTo` gives it the usual answers. */
export async function scriptedServer(script: Script): Promise<TestServer> {
  const calls: TestServer['calls'] = [];
  const requests: string[] = [];
  const listener: RequestListener = async (request, response) => {
    try {
      const message = await read(request);
      requests.push(message.method);
      const { authorization } = request.headers;
      if (message.method === 'tools/call') calls.push({ params: message.params ?? {}, authorization });
      script(message, response);
    } catch {
      response.destroy();
    }
  };
  return opened(await listen(listener, 0), calls, requests);
}

async function read(request: IncomingMessage): Promise<Message> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? { method: `${request.method}` } : JSON.parse(Buffer.concat(chunks).toString());
}

/** What a well-behaved server says, with one tool `act`; a call's result is `text`. */
export const answerTo =
  (text = 'done', tools: object[] = [ACT]): Script =>
  ({ id, method }, response) => {
    const results: Record<string, object> = {
      'server/discover': { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } },
      'tools/list': { tools },
      'tools/call': { content: [{ type: 'text', text }] },
    };
    if (results[method] === undefined) return void response.writeHead(405).end();
    json(response, { jsonrpc: '2.0', id, result: { resultType: 'complete', ...results[method] } });
  };

/** Does as a script says at one method, and as a well-behaved server at all others. */
export const at =
  (method: string, script: Script, otherwise = answerTo()): Script =>
  (message, response) =>
    message.method === method ? script(message, response) : otherwise(message, response);

export function json(response: import('node:http').ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** The idempotency key that a call has come with. */
export function keyOf(call: TestServer['calls'][number] | undefined): unknown {
  return (call?.params._meta as Record<string, unknown> | undefined)?.[IDEMPOTENCY_KEY];
}

export const ACT = { name: 'act', description: 'Acts.', inputSchema: { type: 'object', properties: {} } };

export interface TestToolbox {
  box: McpToolbox;
  reports: string[];
  /** Begins, and resolves when each server has been looked at. */
  looked(): Promise<unknown>;
  /** Calls the tool `server__act`, or another of this name. */
  call(
    name?: string,
    args?: ToolArguments,
    more?: { context?: Partial<CallContext>; signal?: AbortSignal },
  ): Promise<ToolResult>;
}

/** The servers of an agents file. Each has the tool `act`, unless its settings list others. */
export function toolbox(servers: Record<string, object>, more: Partial<McpToolboxOptions> = {}): TestToolbox {
  const reports: string[] = [];
  const box = new McpToolbox({
    servers: settingsOf(servers),
    secret: () => undefined,
    builtin: () => Promise.reject(new Error('no server of this test is built in')),
    report: (level, msg) => reports.push(`${level} ${msg}`),
    ...more,
  });
  open.add({ close: () => box.close() });
  const looked = async () => {
    await box.ready();
    const isLooked = () => box.servers().every(({ state }) => state !== 'unknown');
    return eventually('each server has been looked at', isLooked);
  };
  return { box, reports, looked, call: (name, args, options) => callTool(box, name, args, options) };
}

export function settingsOf(servers: Record<string, object>) {
  const filled = Object.fromEntries(
    Object.entries(servers).map(([name, settings]) => [name, { tools: { act: {} }, ...settings }]),
  );
  return parseAgents(JSON.stringify({ servers: filled, agents: [{ name: 'a', system: 'x' }] })).servers;
}

async function callTool(
  box: Toolbox,
  name = 'server__act',
  args: ToolArguments = {},
  {
    context = {},
    signal = new AbortController().signal,
  }: { context?: Partial<CallContext>; signal?: AbortSignal } = {},
): Promise<ToolResult> {
  const tool = box.tools(['*']).find((each) => each.name === name);
  if (tool === undefined) throw new Error(`${name} is not there`);
  return box.call(tool, args, { principal: 'user:ann', nonce: 'n-1', callId: 'call-1', ...context }, signal);
}
