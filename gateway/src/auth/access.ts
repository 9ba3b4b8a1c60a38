// What one request may do, as its route asks it. Where `AUTH=report`, everything is allowed, and what would have been refused is told.

import { hash } from 'node:crypto';
import { globMatcher, isExact } from '@llm-streamer/shared/channels.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import type { OwnedKey } from '@llm-streamer/shared/ownership.ts';
import type { RunScope } from '../runs/store/run-store.ts';
import { EVERYONE, type Grants, type Principal } from './principal.ts';
import { channelForbidden, type Effective, effective, mayPublish, mayRead } from './rights/grants.ts';
import { readableRuns } from './rights/run-rights.ts';

/** Where people sign in, others trust what the gateway says here, so that nobody may forge it. */
const OWN_CHANNELS: readonly string[] = [CHANNELS.gateway, CHANNELS.alerts];

/** Gets the code of each refusal. */
export type TellRefusal = (code: string) => void;

/** Somebody who has not signed in and asks for more than everybody may have: he may sign in. */
export function signInFirst(): CodedError {
  return new CodedError('unauthorized', 'sign in, or send a key: Authorization: Bearer …');
}

/** What is allowed is decided by the name, before anything is looked up. */
export type OwnedRule = (principal: Principal, key: OwnedKey) => boolean;
export type OwnedCode = 'run_not_found' | 'conversation_not_found';

export interface Access {
  readonly principal: Principal;
  /** What the principal may do where `AUTH=on`: what outlasts this request, such as a key, is measured by that. */
  readonly lasting: Grants;
  /** @throws CodedError as `effective` does, and `unauthorized` */
  readable(channels: readonly string[]): Effective;
  mayRead(channel: string): boolean;
  /** @throws CodedError `channel_forbidden`, `channel_reserved` or `forbidden` (for the source) */
  checkPublish(draft: Draft): void;
  /** @throws CodedError `forbidden` or `unauthorized` if the principal may not start runs */
  checkRun(): void;
  /** Whether `rule` allows a run or conversation of this name. A refusal is told as `code`, which is also the answer to what is absent. */
  allows(rule: OwnedRule, key: OwnedKey, code: OwnedCode): boolean;
  /** The runs that a list may hold. @param owner whose runs alone are asked for; undefined for all */
  runs(owner?: string): RunScope;
  /** The only source that the principal may claim; undefined where there is none, or more than one. */
  readonly ownSource: string | undefined;
  /** The name under which a writer's batches are counted: nobody can use up the numbers of another's. */
  writerId(given: string): string;
}

/** Everybody may do everything. */
export const OPEN_ACCESS: Access = {
  principal: EVERYONE,
  lasting: EVERYONE.grants,
  readable: (channels) => ({ channels, narrowed: false }),
  mayRead: () => true,
  checkPublish: () => {},
  checkRun: () => {},
  allows: (rule, key) => rule(EVERYONE, key),
  runs: (owner) => readableRuns(EVERYONE, owner),
  ownSource: undefined,
  writerId: (given) => given,
};

export class PrincipalAccess implements Access {
  readonly principal: Principal;
  readonly lasting: Grants;
  readonly ownSource: string | undefined;
  readonly #tell: TellRefusal;
  readonly #isSource: (source: string) => boolean;

  constructor(principal: Principal, tell: TellRefusal) {
    this.principal = principal;
    this.lasting = principal.grants;
    this.#tell = tell;
    const { source } = principal;
    this.#isSource = source === undefined ? () => true : globMatcher(source);
    this.ownSource = source !== undefined && isExact(source) ? source : undefined;
  }

  readable(channels: readonly string[]): Effective {
    try {
      return effective(channels, this.principal.grants.read);
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  mayRead(channel: string): boolean {
    return mayRead(this.principal.grants, channel);
  }

  checkPublish({ channel, body }: Draft): void {
    try {
      if (OWN_CHANNELS.includes(channel))
        throw new CodedError('channel_reserved', `${channel} is written by the gateway only`, {
          field: 'channel',
        });
      if (!mayPublish(this.principal.grants, channel))
        throw channelForbidden(`you may not write to ${channel}`, 'channel');
      if (this.principal.source !== undefined && !this.#isSource(sourceOf(body)))
        throw new CodedError('forbidden', `source must be ${this.principal.source}`, { field: 'source' });
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  checkRun(): void {
    if (this.principal.grants.run) return;
    const refused = new CodedError('forbidden', 'you lack the right run, which this needs');
    throw this.#refusal(this.principal.kind === 'anonymous' ? signInFirst() : refused);
  }

  allows(rule: OwnedRule, key: OwnedKey, code: OwnedCode): boolean {
    const isAllowed = rule(this.principal, key);
    if (!isAllowed) this.#tell(code);
    return isAllowed;
  }

  runs(owner?: string): RunScope {
    return readableRuns(this.principal, owner);
  }

  writerId(given: string): string {
    return hash('sha256', `${this.principal.id}\n${given}`, 'hex').slice(0, 32);
  }

  #refusal(error: unknown): unknown {
    if (!(error instanceof CodedError)) return error;
    const shown =
      this.principal.kind === 'anonymous' && error.code === 'channel_forbidden' ? signInFirst() : error;
    if (shown.code !== 'invalid_query') this.#tell(shown.code);
    return shown;
  }
}

/** Allows everything that `judged` would refuse. */
export class ReportedAccess implements Access {
  readonly principal: Principal;
  readonly lasting: Grants;
  readonly ownSource = undefined;
  readonly #judged: Access;
  readonly #tell: TellRefusal;

  /** `judged` tells what it refuses; `tell` gets what it would narrow. */
  constructor(principal: Principal, judged: Access, tell: TellRefusal) {
    this.principal = principal;
    this.lasting = judged.lasting;
    this.#judged = judged;
    this.#tell = tell;
  }

  readable(channels: readonly string[]): Effective {
    const found = attempt(() => this.#judged.readable(channels));
    if (found?.narrowed) this.#tell('narrowed');
    // What may not be read in any case: channels of the audit.
    return effective(channels, this.principal.grants.read);
  }

  mayRead(channel: string): boolean {
    return mayRead(this.principal.grants, channel);
  }

  checkPublish(draft: Draft): void {
    attempt(() => this.#judged.checkPublish(draft));
  }

  checkRun(): void {
    attempt(() => this.#judged.checkRun());
  }

  allows(rule: OwnedRule, key: OwnedKey, code: OwnedCode): boolean {
    this.#judged.allows(rule, key, code);
    return true;
  }

  runs(owner?: string): RunScope {
    const { owners, allows } = this.#judged.runs(owner);
    if (allows !== undefined || (owner === undefined && owners !== undefined)) this.#tell('narrowed');
    return { owners: owner === undefined ? undefined : [owner] };
  }

  writerId(given: string): string {
    return given;
  }
}

function attempt<T>(judge: () => T): T | undefined {
  try {
    return judge();
  } catch {
    return undefined; // it was told
  }
}

/** The source of an entry's body, whose first keys are always the same. */
function sourceOf(body: string): string {
  const [, text] = /^\{"time":[^,"]*,"channel":"[^"]*","source":("(?:[^"\\]|\\.)*")/.exec(body) ?? [];
  if (text === undefined) throw new Error('the body of a draft does not begin as drafts do');
  return JSON.parse(text) as string;
}
