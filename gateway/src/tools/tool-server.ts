// One server of the agents file: what it offers now, and the calls of its tools. It is asked again and again whether it is there, so one
// that comes up later appears; a server that is dead, slow or hostile costs only those who call it, and only for their time.

import { setTimeout as pause } from 'node:timers/promises';
import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import { orAbort } from '../or-abort.ts';
import type { ServerSettings, ToolRule } from './agents-file.ts';
import { type Endpoint, exchange } from './exchange.ts';
import { IDEMPOTENCY_KEY, idempotencyKey } from './idempotency.ts';
import { type Listing, listTools, type RawTool } from './listing.ts';
import { errorText, resultText, textOf } from './result-text.ts';
import { authorizationFor, type Credential } from './service-token.ts';
import { TOOL_ERRORS } from './tool-errors.ts';
import { ToolFailure } from './tool-failure.ts';
import { modelName } from './tool-names.ts';
import type {
  CallContext,
  Tool,
  ToolArguments,
  ToolErrorCode,
  ToolResult,
  ToolServerState,
} from './toolbox.ts';

export type Report = (level: 'info' | 'warn', msg: string) => void;

/** What a server offers, for the one who writes the agents file. */
export interface Offer {
  /** Of each tool that the file lists and the server offers, for `pin`. */
  digests: ReadonlyMap<string, string>;
  /** Why a tool that the file lists is not there. */
  off: ReadonlyMap<string, string>;
  /** What the file does not list. */
  others: readonly string[];
}

export interface ToolServerOptions {
  name: string;
  settings: ServerSettings;
  endpoint: () => Promise<Endpoint>;
  credential: () => Credential | undefined;
  report: Report;
  /** Between two looks at what it offers. */
  pollMs: number;
  breakerPauseMs: number;
}

/** The first pause after a look that failed; it doubles up to the pause between all looks. */
const FIRST_PAUSE_MS = 1_000;
/** A look may take less than a call: nobody waits longer than this for what a server offers. */
const LOOK_MS = 10_000;
/** After so many failures in a row its tools are not called for a while. */
const BREAK_AFTER = 3;
/** Between the two attempts of a call that may be repeated. */
const RETRY_PAUSE_MS = 250;

/** Failures that are the server's fault. */
const COUNTED: ReadonlySet<ToolErrorCode> = new Set(['tool_timeout', 'tool_unreachable', 'tool_unavailable']);

const NOTHING: Listing = { found: new Map(), unusable: new Map(), others: [] };

/** Servers see this name when the gateway asks what they offer. */
const LOOKER: CallContext = { principal: 'gateway', nonce: '', callId: 'list' };

export class ToolServer {
  readonly #options: ToolServerOptions;
  readonly #closed = new AbortController();
  readonly #breaker;
  #settings: ServerSettings;
  #listing = NOTHING;
  #state: ToolServerState['state'] = 'unknown';
  #since = Date.now();
  /** Looks in a row that have failed. */
  #failures = 0;
  #isRetired = false;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  /** What has been reported of tools that are off. */
  #told: ReadonlySet<string> = new Set();

  constructor(options: ToolServerOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#breaker = circuitBreaker(
      handleWhen((error) => error instanceof ToolFailure && this.#isFault(error)),
      { breaker: new ConsecutiveBreaker(BREAK_AFTER), halfOpenAfter: options.breakerPauseMs },
    );
    this.#breaker.onBreak(() =>
      this.#report('warn', 'the server is not called for a while, after failures in a row'),
    );
  }

  /** A call that is cancelled says nothing of its server, but in the half-open state it must not close the breaker. */
  #isFault({ code }: ToolFailure): boolean {
    return COUNTED.has(code) || (code === 'cancelled' && this.#breaker.state === CircuitState.HalfOpen);
  }

  get settings(): ServerSettings {
    return this.#settings;
  }

  get state(): ToolServerState {
    return {
      name: this.#options.name,
      state: this.#state,
      since: this.#since,
      tools: this.tools.map(({ tool }) => tool),
      drifted: this.#drifted,
    };
  }

  /** Those that may be called now. */
  get tools(): Tool[] {
    if (this.#state !== 'up') return [];
    const drifted = new Set(this.#drifted);
    return [...this.#settings.tools].flatMap(([tool, rule]) => {
      const definition = this.#listing.found.get(tool);
      if (definition === undefined || drifted.has(tool)) return [];
      const { description, parameters, digest } = definition;
      const { approval, read_only: readOnly, untrusted } = rule;
      const { name: server } = this.#options;
      const name = modelName(server, tool);
      return [{ name, server, tool, description, parameters, digest, approval, readOnly, untrusted }];
    });
  }

  /** What the last look has found. */
  get offer(): Offer {
    const { found, unusable, others } = this.#listing;
    const drifts = this.#drifted.map((tool): [string, string] => {
      return [tool, `its definition is not the one of its pin; it is ${found.get(tool)?.digest} now`];
    });
    return {
      digests: new Map([...found].map(([tool, { digest }]) => [tool, digest])),
      off: new Map([...unusable, ...drifts]),
      others,
    };
  }

  /** Other rules for the same server. */
  update(settings: ServerSettings): void {
    this.#settings = settings;
    this.#lookSoon(0);
  }

  /** Asks the server what it offers, and from then on again and again. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Asks no more; the calls that go on may end. */
  retire(): void {
    this.#isRetired = true;
    clearTimeout(this.#timer);
  }

  /** Asks no more, and ends the calls that go on. */
  close(): void {
    this.retire();
    this.#closed.abort();
  }

  async call(
    tool: Tool,
    args: ToolArguments,
    context: CallContext,
    signal: AbortSignal,
  ): Promise<ToolResult> {
    try {
      const result = await orAbort(this.#call(tool, args, context, signal), signal);
      const { isError } = result as { isError?: unknown };
      if (isError !== true) return resultText(result);
      return { ...errorText(TOOL_ERRORS.tool_failed, textOf(result)), code: 'tool_failed' };
    } catch (error) {
      const failure = this.#failureOf(error, signal);
      const { code, said } = failure;
      const sentence = TOOL_ERRORS[code];
      if (said !== undefined) return { ...errorText(sentence, said), code };
      return { text: sentence, bytes: 0, isCut: false, code };
    }
  }

  async #call(
    { tool, digest }: Tool,
    args: ToolArguments,
    context: CallContext,
    signal: AbortSignal,
  ): Promise<unknown> {
    const rule = this.#settings.tools.get(tool);
    const now = this.#listing.found.get(tool);
    // A person may have consented long ago, to a definition that is no longer there.
    const isOff = now?.digest !== digest || this.#drifted.includes(tool);
    if (rule === undefined || now === undefined || isOff) throw new ToolFailure('tool_unknown');
    const { raw } = now;
    try {
      return await this.#attempt(raw, rule, args, context, signal);
    } catch (error) {
      if (!rule.retry || !(error instanceof ToolFailure) || !error.isUnsent) throw error;
      await pause(RETRY_PAUSE_MS, undefined, { signal });
      return await this.#attempt(raw, rule, args, context, signal);
    }
  }

  async #attempt(
    raw: RawTool,
    rule: ToolRule,
    args: ToolArguments,
    context: CallContext,
    signal: AbortSignal,
  ): Promise<unknown> {
    const ended = AbortSignal.any([signal, this.#closed.signal]);
    const options = await this.#exchange(context, rule.timeout_ms ?? this.#settings.timeout_ms, ended);
    return this.#breaker.execute(() =>
      exchange(
        { ...options, meta: { ...context.trace, [IDEMPOTENCY_KEY]: idempotencyKey(context) } },
        (client, within) => {
          // A definition may say that an argument goes into a header, too; this is how the client learns of it.
          client.toolsFromDefinitions({ tools: [raw] });
          return client.callTool({ name: raw.name, arguments: args, options: { signal: within } });
        },
      ),
    );
  }

  async #exchange(context: CallContext, timeoutMs: number, signal: AbortSignal) {
    const credential = this.#options.credential();
    const { name } = this.#options;
    return {
      endpoint: await this.#options.endpoint(),
      authorization: credential && (await authorizationFor(name, credential, context)),
      timeoutMs,
      signal,
    };
  }

  #failureOf(error: unknown, signal: AbortSignal): ToolFailure {
    if (signal.aborted || this.#closed.signal.aborted) return new ToolFailure('cancelled');
    if (error instanceof BrokenCircuitError) return new ToolFailure('tool_unavailable');
    const failure = error instanceof ToolFailure ? error : new ToolFailure('tool_failed');
    if (failure.code === 'tool_unreachable') this.#lookSoon(0);
    return failure;
  }

  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    const settings = this.#settings;
    try {
      const timeoutMs = Math.min(settings.timeout_ms, LOOK_MS);
      const options = await this.#exchange(LOOKER, timeoutMs, this.#closed.signal);
      const before = this.#listing;
      const listing = await listTools(options, new Set(settings.tools.keys()));
      if (this.#isRetired) return;
      this.#listing = listing;
      this.#tellChanges(before);
      this.#failures = 0;
      this.#become('up');
      this.#tell();
      this.#lookSoon(settings === this.#settings ? this.#options.pollMs : 0);
    } catch (error) {
      if (this.#isRetired) return;
      this.#become('down', error instanceof ToolFailure ? error.reason : 'it cannot be used');
      this.#lookSoon(Math.min(FIRST_PAUSE_MS * 2 ** this.#failures++, this.#options.pollMs));
    }
  }

  #lookSoon(afterMs: number): void {
    if (this.#isRetired) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.look().catch(() => undefined), afterMs).unref();
  }

  #become(state: 'up' | 'down', reason = ''): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#since = Date.now();
    if (state === 'up') this.#report('info', 'the server is up');
    else this.#report('warn', `the server is down: ${reason}`);
  }

  get #drifted(): string[] {
    return [...this.#settings.tools].flatMap(([tool, { pin }]) => {
      const now = this.#listing.found.get(tool)?.digest;
      return pin === undefined || now === undefined || now === pin ? [] : [tool];
    });
  }

  /** A tool without a pin goes on to be called; whoever reads the log may look at what it says of itself now. */
  #tellChanges({ found: before }: Listing): void {
    for (const [tool, { digest }] of this.#listing.found) {
      const old = before.get(tool)?.digest;
      const { pin } = this.#settings.tools.get(tool) ?? {};
      if (old !== undefined && old !== digest && pin === undefined)
        this.#report('info', `the definition of ${tool} has changed; it is ${digest} now`);
    }
  }

  /** Says once of each tool that is off why it is. */
  #tell(): void {
    const off = new Set([...this.offer.off].map(([tool, why]) => `${tool} is off: ${why}`));
    for (const msg of off) if (!this.#told.has(msg)) this.#report('warn', msg);
    this.#told = off;
  }

  #report(level: 'info' | 'warn', msg: string): void {
    this.#options.report(level, `tools of ${this.#options.name}: ${msg}`);
  }
}
