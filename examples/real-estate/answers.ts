// The answers of tools. Models read JSON well, and act on errors if these say what is allowed.

import { inspect } from 'node:util';
import type { CallToolResult } from '@modelcontextprotocol/server';

export function answer(value: unknown): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(value) }] };
}

export function refusal(sentence: string): CallToolResult {
  return { content: [{ type: 'text', text: sentence }], isError: true };
}

/** The SDK would tell the client the text of an exception, which may hold paths and addresses. It is for whoever runs the server. */
export function guarded<Args extends unknown[]>(
  handler: (...args: Args) => CallToolResult | Promise<CallToolResult>,
): (...args: Args) => Promise<CallToolResult> {
  return async (...args) => {
    try {
      return await handler(...args);
    } catch (error) {
      process.stderr.write(`tools: ${inspect(error)}\n`);
      return refusal('The tool could not do that at the moment.');
    }
  };
}
