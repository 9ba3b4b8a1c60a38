// The servers that come with the gateway, as functions of this process. They are loaded when the first of them is asked.

import type { BuiltinName } from './agents-file.ts';
import type { Endpoint } from './exchange.ts';

/** A report that the example's listings server would mail. */
export type SendReport = (listingIds: readonly string[]) => void;

export function builtinServers(send: SendReport): (name: BuiltinName) => Promise<Endpoint> {
  let loaded: Promise<Record<BuiltinName, typeof globalThis.fetch>> | undefined;
  const load = async () => {
    const { inProcess } = await import('@llm-streamer/real-estate/in-process.ts');
    return inProcess(async ({ listings }) => send(listings.map(({ listingId }) => listingId)));
  };
  return async (name) => {
    loaded ??= load().catch((error) => {
      loaded = undefined; // the next call tries again
      throw error;
    });
    const { [name]: fetch } = await loaded;
    return { url: `http://${name}.invalid/mcp`, fetch }; // RFC 6761 reserves .invalid: what went there by mistake would reach nobody
  };
}
