// For tests: the official client of the protocol, of either era, and what a tool has answered.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach } from 'vitest';

/** `legacy`: begins with `initialize`. `modern`: says in each request who it is. */
export type Era = 'legacy' | 'modern';
export const ERAS: readonly Era[] = ['legacy', 'modern'];

export interface Told {
  text: string;
  isError: boolean;
}

export interface McpClient {
  client: Client;
  call(name: string, args?: Record<string, unknown>, signal?: AbortSignal): Promise<Told>;
}

const open: Client[] = [];
afterEach(async () => {
  for (const client of open.splice(0)) await client.close();
});

/** @param url of the gateway */
export async function connect(url: string, era: Era = 'modern', key?: string): Promise<McpClient> {
  const mode = era === 'legacy' ? 'legacy' : { pin: '2026-07-28' };
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }),
  );
  open.push(client);
  return {
    client,
    call: async (name, args = {}, signal) => {
      const options = signal === undefined ? {} : { signal };
      const { content, isError = false } = await client.callTool({ name, arguments: args }, options);
      const [part] = content;
      if (content.length !== 1 || part?.type !== 'text') throw new Error('the answer is not one text');
      return { text: part.text, isError };
    },
  };
}

/** The lines between the marks. */
export function linesOf({ text }: Told): string[] {
  const [, name] = /^<(data-[0-9a-f]{16})>$/m.exec(text) ?? [];
  if (name === undefined) return [];
  const [, inside = ''] = text.split(`\n<${name}>\n`);
  return inside.split(`\n</${name}>\n`)[0]?.split('\n') ?? [];
}

/** The id with which the answer says to go on. */
export function cursorOf({ text }: Told): string {
  return /[Gg]o on with (?:before|after)="([^"]+)"/.exec(text)?.[1] ?? '';
}
