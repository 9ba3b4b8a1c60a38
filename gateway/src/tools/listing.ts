// What a server offers of what the agents file lists: definitions by name, and what is wrong with the others.

import type { MCPClient } from '@ai-sdk/mcp';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { type Definition, definitionOf } from './definition.ts';
import { type ExchangeOptions, exchange } from './exchange.ts';

/** A list that has not ended by then is not read on. */
const MAX_PAGES = 16;
/** Names that are kept of tools which nobody has listed. */
const MAX_OTHERS = 256;
/** No file can list a longer one. */
const MAX_NAME = 128;

/** Shared by all looks: the schemas of 64 tools can be made to take a tenth of a second together. */
const pace = new TimeSlicer();

export interface Listing {
  found: ReadonlyMap<string, Definition & { raw: RawTool }>;
  /** Why a listed tool is not there, by its name. */
  unusable: ReadonlyMap<string, string>;
  /** What it offers besides, as far as its list was read: until all that is listed was found. */
  others: readonly string[];
}

/** As the server gave it; the client needs it to call the tool. */
export type RawTool = Awaited<ReturnType<MCPClient['listTools']>>['tools'][number];

/** @throws ToolFailure */
export async function listTools(options: ExchangeOptions, wanted: ReadonlySet<string>): Promise<Listing> {
  const others = new Set<string>();
  const offered = await exchange(options, async (client, signal) => {
    const tools = new Map<string, RawTool>();
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES && tools.size < wanted.size; page++) {
      const answer = await client.listTools({
        ...(cursor !== undefined && { params: { cursor } }),
        options: { signal },
      });
      for (const tool of answer.tools)
        if (!wanted.has(tool.name)) {
          if (others.size < MAX_OTHERS && tool.name.length <= MAX_NAME) others.add(tool.name);
        } else if (!tools.has(tool.name)) tools.set(tool.name, tool);
      cursor = answer.nextCursor;
      if (cursor === undefined) break;
    }
    return tools;
  });
  return { ...(await judge(offered, wanted)), others: [...others] };
}

async function judge(
  offered: ReadonlyMap<string, RawTool>,
  wanted: ReadonlySet<string>,
): Promise<Omit<Listing, 'others'>> {
  const found = new Map<string, Definition & { raw: RawTool }>();
  const unusable = new Map<string, string>();
  for (const name of wanted) {
    await pace.pauseIfDue();
    const raw = offered.get(name);
    if (raw === undefined) unusable.set(name, 'its server does not offer it');
    else {
      try {
        found.set(name, { ...definitionOf(raw), raw });
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        unusable.set(name, error.message);
      }
    }
  }
  return { found, unusable };
}
