// Starts, cancels and finds runs. Every gateway can look up every run in the store; the one that began a run does the work.

import { randomBytes } from 'node:crypto';
import type { Broker, Subscription } from '@llm-streamer/shared/broker/broker.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { RUN_EVENTS_PREFIX } from '@llm-streamer/shared/channels.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { CodedError, PublishRefused } from '@llm-streamer/shared/errors.ts';
import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { type OwnedKey, ownedKey, ownerOfEvents, partsOf } from '@llm-streamer/shared/ownership.ts';
import { type EndState, RUN_END } from '@llm-streamer/shared/run.ts';
import type { AgentWork } from '../agents/agent-work.ts';
import { callLifecycle, decidedEntry } from '../agents/call-entries.ts';
import { within } from '../tracing/active-span.ts';
import type { Tracer } from '../tracing/span.ts';
import { type AbnormalEnding, abnormalEnd } from './abnormal-end.ts';
import { type Edit, editEntry } from './branch.ts';
import type { Targets } from './config.ts';
import { type Context, contextOf, titleOf } from './conversation.ts';
import { joined } from './joined.ts';
import { LeaseWatch } from './lease-watch.ts';
import { isFenced, LeasedRun } from './leased-run.ts';
import type { Prompts } from './prompts.ts';
import { repeatedWrite } from './repeated-write.ts';
import { RunEntries, workflowOf } from './run-entries.ts';
import { RUN_ERRORS } from './run-errors.ts';
import type { RunHistory } from './run-history.ts';
import { RunPlaces } from './run-places.ts';
import { fingerprintOf, laneInfos, type RunOutline, type RunPlan, type RunRequest } from './run-plan.ts';
import { runSpan, runSpanEnd } from './run-spans.ts';
import type { RunWork } from './run-work.ts';
import type {
  Decision,
  EndGuard,
  RunEnding,
  RunFacts,
  RunRecord,
  RunScope,
  RunStore,
} from './store/run-store.ts';

export interface RunServiceOptions {
  store: RunStore;
  broker: Broker;
  history: RunHistory;
  /** Asks the tasks and the combiner. */
  pipeline: RunWork;
  /** Asks agents; absent where there are none. */
  agents?: AgentWork;
  prompts: Prompts;
  targets: Targets;
  /** The label of this gateway. */
  source: string;
  /** Tokens of the conversation so far that the models get. */
  contextTokens: number;
  /** Runs of this gateway at a time. Who asks may have half of what the others leave. */
  maxRuns: number;
  /** Milliseconds without a sign of life after which a run is lost. */
  leaseMs: number;
  logger: Logger;
  tracer?: Tracer;
  /** Called for every run that this gateway has ended. */
  onEnded?: (state: EndState, durationMs: number, workflow: string) => void;
}

/** Where a run stands in its conversation. */
interface Placed {
  context: Context;
  edit?: Edit;
}

const ALONE: Placed = { context: { history: [] } };

/** How often a run's record is renewed within a lease. */
const RENEWALS = 4;

/** How long a run is tried to begin while the log cannot be reached; its client waits for the answer meanwhile. */
const BEGIN_PATIENCE_MS = 5_000;

/** How often the history is read for the end of a run that goes on writing. */
const END_READS = 5;

/** The code of a run that is ended by something other than its own work. */
const END_CODE = { cancelled: 'cancelled', lost: 'run_lost', failed: 'gateway_stopped' } as const;

export class RunService {
  readonly #options: RunServiceOptions;
  readonly #watch: LeaseWatch;
  /** The runs of this gateway. */
  readonly #leased = new Map<OwnedKey, { run: LeasedRun; done: Promise<void>; confirm(): Promise<void> }>();
  /** Of runs that go on, or are about to begin. */
  readonly #places: RunPlaces;
  readonly #subscriptions: Subscription[] = [];

  constructor(options: RunServiceOptions) {
    this.#options = options;
    this.#places = new RunPlaces(options.maxRuns);
    this.#watch = new LeaseWatch({
      store: options.store,
      leaseMs: options.leaseMs,
      everyMs: options.leaseMs / RENEWALS,
      onLost: (key, renewed) => this.#end(key, 'lost', { renewed }),
    });
  }

  async open(): Promise<void> {
    this.#watch.start();
    await this.#listen(CHANNELS.runs);
    try {
      await this.#listen(`${RUN_EVENTS_PREFIX}*`);
    } catch (error) {
      // Redis may let this gateway hear some channels only. It then learns with the next sign of life that such a run has ended.
      if (codeOf(error) !== 'channels_forbidden') throw error;
      this.#options.logger.debug('Redis does not let this gateway hear that runs of owners end');
    }
  }

  /** If an end is missed, the next renewal of the record is refused. */
  async #listen(pattern: string): Promise<void> {
    const subscription = await this.#options.broker.subscribe([pattern], {
      onRecord: ({ entry }) =>
        this.#onRunEvent(entry).catch((error) =>
          this.#options.logger.debug({ code: codeOf(error) }, 'could not check a run of this gateway'),
        ),
      onGap: () => undefined,
      onAdvance: () => undefined,
    });
    this.#subscriptions.push(subscription);
  }

  /** How many runs of this gateway are running. */
  get active(): number {
    return this.#leased.size;
  }

  /**
   * Starts the run, or finds it if the same request has started it before. `admit` is called before a new run begins, and
   * refuses it by throwing.
   * @throws CodedError `message_id_reused` if a different request of the same owner has used the id, `too_many_runs` if this gateway has as many runs as it may,
   * in all or of this sharer, `agent_not_found`, `run_not_found` if what it is to replace is not in its conversation, `run_gone`.
   */
  async start(request: RunRequest, admit: () => Promise<void> = async () => {}): Promise<RunRecord> {
    const { store } = this.#options;
    const { owner, id, conversationId, replaces, sharer = owner } = request;
    const key = ownedKey(owner, id);
    const fingerprint = fingerprintOf(request);
    const known = await store.get(key);
    if (known) return sameRequest(known, fingerprint);
    const leave = this.#places.take(sharer);
    let isDone = false;
    try {
      const conversation = conversationId === undefined ? undefined : ownedKey(owner, conversationId);
      const placed = conversation === undefined ? ALONE : await this.#placed(conversation, id, replaces);
      await admit();
      isDone = await this.#begin(request, fingerprint, placed, leave);
    } finally {
      if (!isDone) leave();
    }
    const record = await store.get(key);
    if (!record) throw new CodedError('run_gone', 'the run was forgotten while it began');
    return sameRequest(record, fingerprint);
  }

  /** Resolves with whether this call has begun the run; then `leave` is called when the run has ended. */
  async #begin(
    request: RunRequest,
    fingerprint: string,
    { context, edit }: Placed,
    leave: () => void,
  ): Promise<boolean> {
    const { store, source, tracer } = this.#options;
    const { owner, id, message, conversationId, agent } = request;
    const { promptVersion, lanes } = this.#outline(agent);
    const identity = {
      owner,
      id,
      promptVersion,
      ...(conversationId !== undefined && { conversationId }),
      ...(agent !== undefined && { agent }),
      ...(edit && { replaces: edit.replaces }),
    };
    const span = tracer?.start(runSpan(identity), request.trace);
    const plan: RunPlan = {
      ...identity,
      message,
      asked: Date.now(),
      ...context,
      lanes,
      ...(span && { span, traceId: span.traceId }),
    };
    const facts: RunFacts = {
      ...identity,
      fingerprint,
      gateway: source,
      lanes: laneInfos(plan.lanes),
    };
    const beginning = { ...facts, ...(conversationId !== undefined && { title: titleOf(message) }) };
    const token = randomBytes(16).toString('hex');
    const opening = this.#workOf(plan).opening(plan);
    if (conversationId !== undefined && edit)
      opening.push(draft(editEntry(ownedKey(owner, conversationId), edit, source)));
    // If the reply is lost, the run may have begun. Then nobody would do its work, and the request that the client repeats would find
    // it and get `run_lost`. The same token makes a repetition harmless.
    const begun = await repeatedWrite(() => store.begin(beginning, token, opening), BEGIN_PATIENCE_MS);
    if (begun !== 'started') return false;
    this.#startWork(plan, token, leave);
    return true;
  }

  /** Ends the run, on whichever gateway it runs. Resolves with its record after that, or `undefined` if there is none. */
  async cancel(key: OwnedKey): Promise<RunRecord | undefined> {
    await this.#end(key, 'cancelled');
    return this.#options.store.get(key);
  }

  /** Decides about a call that waits for consent, on whichever gateway the run is. */
  async decide(
    record: RunRecord,
    approval: string,
    decision: Decision,
  ): Promise<'ok' | 'decided' | 'unknown' | 'ended'> {
    const { store, source } = this.#options;
    const entry = decidedEntry(new RunEntries(record, source), approval, decision);
    const drafts = [entry, callLifecycle(entry, record.owner)].map((fields) => draft(fields));
    return store.decide(ownedKey(record.owner, record.id), approval, decision, drafts);
  }

  get(key: OwnedKey): Promise<RunRecord | undefined> {
    return this.#options.store.get(key);
  }

  list(limit: number, scope: RunScope = {}): Promise<RunRecord[]> {
    return this.#options.store.list(limit, scope);
  }

  /** Ends the runs of this gateway, so that their clients do not have to wait until another gateway finds them lost. */
  async close(): Promise<void> {
    this.#watch.stop();
    for (const subscription of this.#subscriptions) subscription.close();
    await Promise.allSettled([...this.#leased.keys()].map((key) => this.#end(key, 'failed')));
    await Promise.allSettled([...this.#leased.values()].map(({ done }) => done));
  }

  /**
   * What the models of a run get of its conversation, and what it changes there.
   * @throws CodedError `run_not_found` if it is to replace a run that has no place in it
   */
  async #placed(conversation: OwnedKey, run: string, replaces: string | undefined): Promise<Placed> {
    const { history, store, contextTokens } = this.#options;
    const { branch } = await history.branch(conversation);
    if (replaces === undefined) return { context: contextOf(branch.turns, contextTokens) };
    let after = branch.placeOf(replaces);
    if (after === undefined) {
      const { owner, id } = partsOf(conversation);
      const record = await store.get(ownedKey(owner, replaces));
      // Its place is known and gone if an edit has put it aside. A finished run has turns; those that are not read are older than all that are.
      if (branch.knows(replaces) || record?.conversationId !== id || record.state === 'finished')
        throw new CodedError('run_not_found', 'replaces: no question of this conversation has this id', {
          field: 'replaces',
        });
      after = branch.placeAt(record.started);
    }
    const kept = branch.turns.slice(0, branch.turns.findLastIndex((turn) => turn.run === after) + 1);
    return { context: contextOf(kept, contextTokens), edit: { run, replaces, after } };
  }

  /** @throws CodedError `agent_not_found` */
  #outline(agent: string | undefined): RunOutline {
    const { prompts, targets, agents } = this.#options;
    if (agent !== undefined) {
      if (!agents) throw new CodedError('agent_not_found', 'this gateway has no agents', { field: 'agent' });
      return agents.outline(agent);
    }
    const { tasks, combiner, version } = prompts.current;
    return {
      promptVersion: version,
      lanes: [
        ...tasks.map((prompt) => ({ prompt, target: targets.of(prompt), role: 'task' as const })),
        { prompt: combiner, target: targets.of(combiner), role: 'combiner' },
      ],
    };
  }

  #workOf({ agent }: RunPlan): RunWork {
    const { pipeline, agents } = this.#options;
    return agent !== undefined && agents ? agents : pipeline;
  }

  #startWork(plan: RunPlan, token: string, leave: () => void): void {
    const { store, leaseMs } = this.#options;
    const key = ownedKey(plan.owner, plan.id);
    const run = new LeasedRun({ key, token, store, renewMs: leaseMs / RENEWALS });
    const done = within(plan.span, () => this.#work(plan, run)).finally(() => {
      run.stop();
      this.#leased.delete(key);
      leave();
    });
    const confirm = joined(async () => {
      const record = await store.get(key);
      if (record?.state !== 'running') run.stop();
    });
    this.#leased.set(key, { run, done, confirm });
  }

  async #work(plan: RunPlan, run: LeasedRun): Promise<void> {
    const ending = await this.#execute(plan, run);
    // Somebody else may have ended the run, so the record says how. The log may be away, and then nobody can tell.
    const key = ownedKey(plan.owner, plan.id);
    if (plan.span)
      plan.span.end(runSpanEnd(ending ?? (await this.#options.store.get(key).catch(() => undefined))));
  }

  /** Resolves with how its own work has ended the run; undefined if something else has, or if it could not be ended. */
  async #execute(plan: RunPlan, run: LeasedRun): Promise<RunEnding | undefined> {
    const { history, logger, source } = this.#options;
    const began = performance.now();
    const key = ownedKey(plan.owner, plan.id);
    try {
      const ending = await this.#workOf(plan).run(plan, run, run.over);
      if (ending) this.#options.onEnded?.(ending.state, ending.totals.durationMs, workflowOf(plan));
      return ending;
    } catch (error) {
      if (isFenced(error)) return undefined;
      // Only the error's code is logged: its message may quote a prompt.
      const code = error instanceof CodedError ? error.code : 'internal';
      logger.error({ run: key, code, stack: code === 'internal' ? stackOf(error) : undefined }, 'run failed');
      const msg = error instanceof PublishRefused ? error.message : RUN_ERRORS.internal;
      try {
        const { usage, ...left } = await history.left(key, laneInfos(plan.lanes));
        const totals = { ...usage, durationMs: performance.now() - began };
        const ending: AbnormalEnding = { state: 'failed', code, totals };
        await run.end(ending, abnormalEnd(plan, source, ending, msg, left));
        this.#options.onEnded?.('failed', totals.durationMs, workflowOf(plan));
        return ending;
      } catch (again) {
        logger.error({ run: key, code: codeOf(again) }, 'run could not be ended');
        return undefined;
      }
    }
  }

  /**
   * Resolves with whether this call has ended the run. Without a guard, what the run writes while its history is read is read again, so
   * that no call which has just left is missing in the last entry.
   */
  async #end(key: OwnedKey, state: 'cancelled' | 'lost' | 'failed', guard?: EndGuard): Promise<boolean> {
    const { store, history, source } = this.#options;
    const code = END_CODE[state];
    for (let left = guard ? 1 : END_READS; left > 0; left--) {
      const record = await store.get(key);
      if (record?.state !== 'running') return false;
      const durationMs = Math.max(0, Date.now() - record.started);
      const { usage, ...rest } = await history.left(key, record.lanes);
      const totals = { ...usage, durationMs };
      const ending = { state, code, totals };
      const drafts = abnormalEnd(record, source, ending, RUN_ERRORS[code], rest);
      const unchanged: EndGuard = left > 1 ? { renewed: record.renewed } : 'anybody';
      if (!(await store.end(key, ending, drafts, guard ?? unchanged))) continue;
      this.#leased.get(key)?.run.stop();
      this.#options.onEnded?.(state, totals.durationMs, workflowOf(record));
      return true;
    }
    return false;
  }

  /**
   * An entry says that a run of this gateway has ended, or that a call of it may be made. Where runs belong to nobody, anybody can write
   * to that channel, so the run's record decides. However much is written there, the record is read once at a time.
   */
  async #onRunEvent({ event, channel, run: id }: LogRecord['entry']): Promise<void> {
    if (event === undefined || id === undefined) return;
    const key = ownedKey(ownerOfEvents(channel), id);
    const leased = this.#leased.get(key);
    if (!leased) return;
    if (event === EVENTS.toolDecided) return leased.run.decisions.look();
    if (Object.hasOwn(RUN_END, event)) return leased.confirm();
  }
}

function sameRequest(record: RunRecord, fingerprint: string): RunRecord {
  if (record.fingerprint === fingerprint) return record;
  throw new CodedError(
    'message_id_reused',
    'message_id was used for another question (message, conversation, agent or replaces); use a new one',
    { field: 'message_id' },
  );
}

function codeOf(error: unknown): string {
  return error instanceof CodedError ? error.code : 'internal';
}

/** The places in the code. The first lines of a stack are left out, because they repeat the message. */
function stackOf(error: unknown): string | undefined {
  const lines = error instanceof Error ? error.stack?.split('\n') : undefined;
  return lines?.filter((line) => line.startsWith('    at ')).join('\n');
}
