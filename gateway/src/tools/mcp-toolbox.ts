// The tools of all servers of the agents file, as the file says now. Each server is on its own: what one of them does is no other's business.

import { isDeepStrictEqual } from 'node:util';
import { settledWithin } from '@llm-streamer/shared/settled-within.ts';
import { type BuiltinName, MAX_TOOLS, type ServerSettings, type Servers } from './agents-file.ts';
import type { Endpoint } from './exchange.ts';
import { TOOL_ERRORS } from './tool-errors.ts';
import { matches } from './tool-names.ts';
import { type Offer, type Report, ToolServer } from './tool-server.ts';
import type { CallContext, Tool, ToolArguments, Toolbox, ToolResult, ToolServerState } from './toolbox.ts';

export interface McpToolboxOptions {
  servers: Servers;
  /** Reads the variables that the file names with `token_env`. */
  secret: (name: string) => string | undefined;
  /** The face of a server that runs in this process. It is loaded with the first look. */
  builtin: (name: BuiltinName) => Promise<Endpoint>;
  report: Report;
  /** Milliseconds between two looks at what a server offers (60,000). */
  pollMs?: number;
  /** Milliseconds for which a server that failed three times in a row is not called (10,000). */
  breakerPauseMs?: number;
}

const POLL_MS = 60_000;
const BREAKER_PAUSE_MS = 10_000;
/** The longest that the first question waits for servers. */
const READY_MS = 5_000;

export class McpToolbox implements Toolbox {
  readonly #options: McpToolboxOptions;
  #settings: Servers;
  readonly #servers = new Map<string, ToolServer>();
  #ready: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: McpToolboxOptions) {
    this.#options = options;
    this.#settings = options.servers;
  }

  ready(): Promise<void> {
    this.#ready ??= settledWithin(this.#open(), READY_MS);
    return this.#ready;
  }

  tools(patterns: readonly string[]): readonly Tool[] {
    const all = this.#inOrder().flatMap((server) => server.tools);
    // A server could give two of its tools names whose hashes are the same.
    const named = [...new Map(all.map((tool) => [tool.name, tool])).values()];
    return named.filter(({ name }) => patterns.some((pattern) => matches(pattern, name))).slice(0, MAX_TOOLS);
  }

  servers(): readonly ToolServerState[] {
    return this.#inOrder().map(({ state }) => state);
  }

  /** By the name of each server. */
  offers(): ReadonlyMap<string, Offer> {
    return new Map([...this.#servers].map(([name, { offer }]) => [name, offer]));
  }

  async call(
    tool: Tool,
    args: ToolArguments,
    context: CallContext,
    signal: AbortSignal,
  ): Promise<ToolResult> {
    const server = this.#servers.get(tool.server);
    if (server !== undefined) return server.call(tool, args, context, signal);
    return { text: TOOL_ERRORS.tool_unknown, bytes: 0, isCut: false, code: 'tool_unknown' };
  }

  /** Takes over what the file says now. Calls that go on end by the rules with which they began. */
  update(settings: Servers): void {
    this.#settings = settings;
    if (this.#ready === undefined || this.#isClosed) return;
    for (const [name, server] of this.#servers) {
      const next = settings.get(name);
      if (next !== undefined && isSameServer(next, server.settings)) continue;
      server.retire();
      this.#servers.delete(name);
    }
    for (const [name, next] of settings) {
      const server = this.#servers.get(name);
      if (server === undefined)
        this.#add(name, next)
          .look()
          .catch(() => undefined);
      else if (!isDeepStrictEqual(server.settings, next)) server.update(next);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const server of this.#servers.values()) server.close();
  }

  async #open(): Promise<void> {
    if (this.#isClosed) return;
    const looks = [...this.#settings].map(([name, settings]) => this.#add(name, settings).look());
    await Promise.all(looks);
  }

  #add(name: string, settings: ServerSettings): ToolServer {
    const { secret, builtin, report, pollMs, breakerPauseMs } = this.#options;
    const { url, builtin: own, token_env: variable, token: kind } = settings;
    const server = new ToolServer({
      name,
      settings,
      endpoint: async () =>
        own === undefined ? { url: url as string, fetch: globalThis.fetch } : builtin(own),
      credential: () => {
        const value = variable === undefined ? undefined : secret(variable);
        return value === undefined || value === '' ? undefined : { kind, secret: value };
      },
      report,
      pollMs: pollMs ?? POLL_MS,
      breakerPauseMs: breakerPauseMs ?? BREAKER_PAUSE_MS,
    });
    this.#servers.set(name, server);
    return server;
  }

  /** As the file lists them, so that models get the same tools in the same order each time. */
  #inOrder(): ToolServer[] {
    return [...this.#settings.keys()].flatMap((name) => this.#servers.get(name) ?? []);
  }
}

/** Whether both are reached in the same way, so that what is known of the one is true of the other. */
function isSameServer(a: ServerSettings, b: ServerSettings): boolean {
  return a.url === b.url && a.builtin === b.builtin && a.token_env === b.token_env && a.token === b.token;
}
