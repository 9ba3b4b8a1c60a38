// For tests: tools that are functions of the test, behind the port that agents call.

import type {
  ApprovalRule,
  CallContext,
  Tool,
  ToolArguments,
  Toolbox,
  ToolErrorCode,
  ToolResult,
  ToolServerState,
} from '../../src/tools/toolbox.ts';

export interface TestTool {
  description?: string;
  approval?: ApprovalRule;
  readOnly?: boolean;
  untrusted?: boolean;
  /** JSON Schema of the properties, and the names of those that are needed. */
  properties?: Record<string, object>;
  required?: string[];
  /** The result's text. It fails with what it throws. */
  does(args: Record<string, unknown>, signal: AbortSignal): Promise<string> | string;
}

/** A failure of a tool: what the server says is for the model alone. */
export class Fails {
  readonly code: ToolErrorCode;
  readonly said: string;
  constructor(code: ToolErrorCode, said = code as string) {
    this.code = code;
    this.said = said;
  }
}

export interface MadeCall {
  tool: string;
  args: Record<string, unknown>;
  context: CallContext;
}

/** Servers by their names, each with its tools. */
export class TestToolbox implements Toolbox {
  readonly made: MadeCall[] = [];
  /** How many calls were going on at once, at most. */
  inFlight = 0;
  mostInFlight = 0;
  readonly down = new Set<string>();
  /** Servers that have not answered yet. */
  readonly hanging = new Set<string>();
  readonly #servers: Record<string, Record<string, TestTool>>;

  constructor(servers: Record<string, Record<string, TestTool>>) {
    this.#servers = servers;
  }

  async ready(): Promise<void> {}

  tools(patterns: readonly string[]): readonly Tool[] {
    return Object.entries(this.#servers).flatMap(([server, tools]) =>
      this.down.has(server) || this.hanging.has(server)
        ? []
        : Object.entries(tools).flatMap(([tool, definition]) => {
            const name = `${server}__${tool}`;
            const { approval = 'never', readOnly = true, untrusted = false } = definition;
            const isMeant = patterns.some((one) =>
              one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : one === name,
            );
            if (!isMeant) return [];
            const { description = tool, properties = {}, required = [] } = definition;
            const parameters = { type: 'object', properties, required };
            return [
              { name, server, tool, description, parameters, digest: '', approval, readOnly, untrusted },
            ];
          }),
    );
  }

  servers(): readonly ToolServerState[] {
    return Object.entries(this.#servers).map(([name, tools]) => {
      const state = this.down.has(name) ? 'down' : this.hanging.has(name) ? 'unknown' : 'up';
      return { name, state, since: 1, tools: Object.keys(tools), drifted: [] };
    });
  }

  async call(
    { server, tool }: Tool,
    args: ToolArguments,
    context: CallContext,
    signal: AbortSignal,
  ): Promise<ToolResult> {
    this.made.push({ tool, args, context });
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    const cancelled = Promise.withResolvers<ToolResult>();
    const stop = () => cancelled.resolve({ text: '', bytes: 0, isCut: false, code: 'cancelled' });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const work = async (): Promise<ToolResult> => {
      try {
        const text = await this.#servers[server]?.[tool]?.does(args, signal);
        return { text: String(text), bytes: Buffer.byteLength(String(text)), isCut: false };
      } catch (error) {
        const { code, said } = error instanceof Fails ? error : new Fails('tool_failed', String(error));
        return { text: said, bytes: said.length, isCut: false, code };
      }
    };
    try {
      return await Promise.race([work(), cancelled.promise]);
    } finally {
      this.inFlight--;
    }
  }
}
