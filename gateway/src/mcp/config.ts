// The environment variables of the MCP server, as a part of the gateway's schema.

import { about, flag, word } from '@llm-streamer/shared/config.ts';

export const mcpVariables = {
  MCP: about(
    word('on', 'off').optional(),
    'Whether agents may ask the gateway by MCP, on `/mcp`. Unset, it is `on` only where nobody but this machine can reach the gateway, as with `AUTH`.',
  ),
  MCP_WRITE: about(
    flag(false),
    'Whether those who may start runs can also do that by MCP. Without it agents only read.',
  ),
};
