// Applies the rules to the log, on one gateway of all. It reads pages after a position that is kept in the log's store, and writes what
// follows from a page together with the new position: whoever goes on from there applies each entry once. It reads at its own pace, so
// that no writer or viewer ever waits for a rule; what the log drops before it was read is counted and said.

import { setTimeout as pause } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import type { Broker, Gap } from '@llm-streamer/shared/broker/broker.ts';
import { type Position, timeOf } from '@llm-streamer/shared/broker/position.ts';
import { readPages } from '@llm-streamer/shared/broker/read-pages.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { BrokerUnavailable, PublishRefused } from '@llm-streamer/shared/errors.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { oneLine } from '@llm-streamer/shared/uncaught.ts';
import { AlertBook, type Transition } from './alerts/alert-book.ts';
import { Detector } from './detector.ts';
import { eventDraft } from './event-draft.ts';
import { Outgoing } from './outgoing.ts';
import type { RuleSet } from './rules-file.ts';
import type { Lead, RulesStore } from './store/rules-store.ts';

/** Between two looks at the log: of the gateway that applies the rules, and of those that wait for its lease. */
const TURN_MS = 100;
const CANDIDATE_MS = 1_000;
const RENEW_MS = 1_000;
const FAILED_MS = 1_000;
const PAGE_ENTRIES = 1_000;
/** Events that one entry may make: a thousand rules that match everything write no thousand events for each. */
const MAX_EVENTS = 10;
/** A position that has moved is kept at least this often, so that the next gateway repeats little work. */
const KEEP_MS = 1_000;
/** Alerts that begin or end in one step because time has passed. */
const MAX_TRANSITIONS = 200;
/** Beyond this, what expressions have learned of hostile lines is forgotten: up to 8 MB for each of them. */
const MAX_HEAP_BYTES = 268_435_456;
/** The same complaint is said at most once in this time. */
const REPEAT_MS = 60_000;

export interface EngineOptions {
  broker: Pick<Broker, 'readPage'>;
  store: RulesStore;
  rules: () => RuleSet;
  /** A name that no other process has. */
  holder: string;
  entryBytes: number;
  report: (level: 'info' | 'warn', msg: string) => void;
  /** Called when this gateway begins or ceases to apply the rules, and when messages wait for destinations. */
  onLead: (isLeading: boolean) => void;
  onMessages: () => void;
}

interface Session {
  seq: number;
  position: Position;
  watched: number;
  book: AlertBook;
  rules: RuleSet | undefined;
  keptAt: number;
}

export class RuleEngine {
  readonly #options: EngineOptions;
  readonly #closing = new AbortController();
  readonly #slicer = new TimeSlicer();
  readonly #complaints = new Map<string, number>();
  #session: Session | undefined;
  #detector: { rules: RuleSet; detector: Detector; madeAt: number } | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  readonly figures = { entries: 0, events: 0, fired: 0, missed: 0, refused: 0, dropped: 0, lagMs: 0 };

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  get isLeading(): boolean {
    return this.#session !== undefined;
  }

  get firing(): number {
    return this.#session?.book.firing ?? 0;
  }

  start(): void {
    const { store, holder } = this.#options;
    this.#running = this.#run();
    this.#renewal = setInterval(() => {
      if (this.#session !== undefined) store.lead(holder).catch(() => undefined);
    }, RENEW_MS);
  }

  async close(): Promise<void> {
    const { store, holder } = this.#options;
    this.#closing.abort();
    clearInterval(this.#renewal);
    await this.#running;
    const wasLeading = this.isLeading;
    this.#leave();
    if (wasLeading) await store.resign(holder).catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      let waitMs = CANDIDATE_MS;
      try {
        if (await this.#turn()) waitMs = TURN_MS;
      } catch (error) {
        this.#leave();
        waitMs = FAILED_MS;
        if (!(error instanceof BrokerUnavailable || isFenced(error)))
          this.#tell('failed', `rules: ${oneLine(error)}`);
      }
      await pause(waitMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** One look at the log. False if another gateway applies the rules. */
  async #turn(): Promise<boolean> {
    const { store, holder, onLead, rules } = this.#options;
    const lead = await store.lead(holder);
    if (lead === undefined) {
      this.#leave();
      return false;
    }
    if (this.#session?.seq !== lead.seq) {
      this.#session = await this.#open(lead);
      onLead(true);
    }
    const session = this.#session;
    session.watched = lead.watched;
    const current = rules();
    const outgoing = new Outgoing();
    if (session.rules !== current) {
      outgoing.alerts(session.book.useRules(current, lead.now));
      session.rules = current;
    }
    if (!(await this.#readTo(lead.head, session, current, outgoing))) return true;
    // Only who has read everything knows what is absent.
    outgoing.alerts(session.book.judge(lead.now, session.watched, MAX_TRANSITIONS));
    const isDue = performance.now() - session.keptAt > KEEP_MS && session.position < lead.head;
    session.position = Math.max(session.position, lead.head);
    if (!outgoing.isEmpty || isDue) await this.#keep(session, session.position, outgoing, lead.now);
    this.figures.lagMs = 0;
    return true;
  }

  async #open({ seq, position, watched }: Lead): Promise<Session> {
    const states = await this.#options.store.states();
    return {
      seq,
      position,
      watched,
      book: new AlertBook(this.#options.rules(), states),
      rules: undefined,
      keptAt: performance.now(),
    };
  }

  /** False if the gateway closes meanwhile. */
  async #readTo(head: Position, session: Session, rules: RuleSet, outgoing: Outgoing): Promise<boolean> {
    const { channels } = rules;
    if (channels.length === 0 || session.position >= head) return true;
    const isAbandoned = () => this.#closing.signal.aborted;
    const query = { channels, after: session.position, upTo: head, limit: PAGE_ENTRIES, isAbandoned };
    for await (const page of readPages(this.#options.broker, query)) {
      const detector = this.#detectorFor(rules);
      for (const { record, gap } of page.items) {
        if (gap !== undefined) this.#miss(gap);
        else await this.#apply(record, session, detector, outgoing);
      }
      session.position = page.next;
      this.figures.lagMs = Math.max(0, timeOf(head) - timeOf(page.next));
      if (performance.now() - session.keptAt > KEEP_MS)
        await this.#keep(session, session.position, outgoing, timeOf(session.position));
    }
    return !isAbandoned();
  }

  async #apply(record: LogRecord, session: Session, detector: Detector, outgoing: Outgoing): Promise<void> {
    this.figures.entries++;
    const found = await detector.hits(record);
    if (found === undefined) return;
    const { hits, seen } = found;
    let events = 0;
    for (const hit of hits) {
      const { emit, alert } = hit.rule;
      if (emit !== undefined && ++events <= MAX_EVENTS)
        outgoing.event(eventDraft(hit, emit, seen, this.#options.entryBytes));
      if (alert === undefined) continue;
      const transition = session.book.observe(hit, seen, session.watched);
      if (transition !== undefined) outgoing.alerts([transition]);
    }
    if (events > MAX_EVENTS) {
      this.figures.dropped += events - MAX_EVENTS;
      this.#tell(
        'events',
        `rules: an entry met ${events} rules with emit; only the first ${MAX_EVENTS} made events`,
      );
    }
    if (!outgoing.isFull) return;
    session.position = record.n;
    await this.#keep(session, record.n, outgoing, seen.at);
  }

  /** Stores what has come of the entries up to `position`. */
  async #keep(session: Session, position: Position, outgoing: Outgoing, now: number): Promise<void> {
    const { onMessages } = this.#options;
    const { events, drafts, transitions, messages } = outgoing.take();
    const { states, firing } = session.book.takeChanges(now);
    const step = { seq: session.seq + 1, position, states, firing, messages };
    // Where the log does not take the events, at least the alerts are written, and the rules go on in any case.
    const choices = [[...events, ...drafts], drafts, []];
    for (const choice of choices) {
      const stored = await this.#commit({ ...step, drafts: choice });
      if (stored === undefined) continue;
      this.figures.refused += events.length + drafts.length - choice.length;
      if (choice === choices[0]) this.figures.events += events.length;
      if (stored.dropped > 0) this.#dropMessages(stored.dropped);
      break;
    }
    session.seq++;
    session.keptAt = performance.now();
    this.figures.fired += transitions.filter(isFiring).length;
    if (messages.length > 0) onMessages();
  }

  /** Repeats until it is known whether the step was stored. Undefined if the log does not take these drafts. */
  async #commit(step: Parameters<RulesStore['commit']>[1]): Promise<{ dropped: number } | undefined> {
    const { store, holder } = this.#options;
    for (;;) {
      try {
        return await store.commit(holder, step);
      } catch (error) {
        if (this.#closing.signal.aborted || isFenced(error)) throw error;
        if (error instanceof PublishRefused && error.code !== 'log_full') {
          if (step.drafts.length === 0) throw error;
          this.#tell('refused', `rules: the log does not take what they make: ${error.message}`);
          return undefined;
        }
        if (!(error instanceof BrokerUnavailable || error instanceof PublishRefused)) throw error;
        await pause(FAILED_MS, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      }
    }
  }

  #detectorFor(rules: RuleSet): Detector {
    const now = performance.now();
    const known = this.#detector;
    const isHeavy = () =>
      now - (known?.madeAt ?? 0) > RENEW_MS && getHeapStatistics().used_heap_size > MAX_HEAP_BYTES;
    if (known?.rules === rules && !isHeavy()) return known.detector;
    const detector = new Detector(rules, this.#slicer);
    this.#detector = { rules, detector, madeAt: now };
    return detector;
  }

  #miss({ missed, reason }: Gap): void {
    this.figures.missed += missed ?? 0;
    const many = missed === null ? 'entries' : `${missed} entries`;
    this.#tell('missed', `rules: ${many} were not looked at, since the log has lost them (${reason})`);
  }

  #dropMessages(count: number): void {
    this.figures.dropped += count;
    this.#tell('dropped', `rules: too many alerts wait for a destination; the oldest are dropped`);
  }

  #leave(): void {
    if (this.#session === undefined) return;
    this.#session = undefined;
    this.#options.onLead(false);
  }

  #tell(kind: string, msg: string): void {
    const now = performance.now();
    if (now - (this.#complaints.get(kind) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    this.#complaints.set(kind, now);
    this.#options.report('warn', msg);
  }
}

function isFiring({ event }: Transition): boolean {
  return event === 'firing';
}

function isFenced(error: unknown): boolean {
  return error instanceof PublishRefused && error.code === 'fenced';
}
