// Follows all chosen containers of an engine: those that exist, and those that are started later. What happens to containers comes
// as events; a list of all containers, read again at each connection and from time to time, makes up for events that were missed.

import { setTimeout as sleep } from 'node:timers/promises';
import type { LinkLogger } from '@llm-streamer/shared/publish/link-state.ts';
import type { ContainerLog } from './container-log.ts';
import { type Container, type Engine, EngineAway } from './engine.ts';
import { Follower } from './follower.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Naming } from './naming.ts';

const LIST_AGAIN_MS = 30_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;
/** Events are asked for from a little before, because the list may have been read a moment too early. */
const EVENTS_BACK_S = 5;
/** So many containers that have ended are read at a time; each may be one that wrote something while no collector ran. */
const READ_AT_ONCE = 4;

export interface FleetOptions {
  engine: Engine;
  /** Undefined for a container that is left out. */
  nameOf: (container: Container) => Naming | undefined;
  logOf: (container: Container, naming: Naming) => ContainerLog;
  room: () => Promise<void>;
  /** Told of each event; undefined if nobody wants them. */
  lifecycle: Lifecycle | undefined;
  logger: LinkLogger;
}

interface Member {
  log: ContainerLog;
  follower: Follower;
  isFollowing: boolean;
  /** The container was started, as an event says, while its last run was still being read. */
  again: boolean;
}

export class Fleet {
  readonly #options: FleetOptions;
  /** `undefined` for containers that are left out, or whose log cannot be read. */
  readonly #members = new Map<string, Member | undefined>();
  readonly #arriving = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #failed = Promise.withResolvers<never>();
  #isAway = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#failed.promise.catch(() => undefined); // `run` takes it, and may have ended before
  }

  /** Follows until `stop`; then gives out what is held, and resolves. Rejects only for a bug. */
  async run(stop: AbortSignal): Promise<void> {
    const loops = [this.#watch(stop), this.#listFromTimeToTime(stop)];
    await Promise.race([Promise.all(loops), this.#failed.promise]);
    await Promise.race([Promise.all(this.#running), this.#failed.promise]);
    for (const member of this.#members.values()) member?.log.flush();
  }

  async #watch(stop: AbortSignal): Promise<void> {
    let isFirst = true;
    for (let failures = 0; !stop.aborted; ) {
      try {
        const { lifecycle, room } = this.#options;
        const now = Date.now();
        const told = Math.min(now, lifecycle?.sinceMs ?? now);
        const since = Math.max(0, Math.floor(Math.min(told / 1000, now / 1000 - EVENTS_BACK_S)));
        const opened = () => {
          failures = 0;
          this.#back();
          this.#spawn(this.#list(stop, !isFirst));
          isFirst = false;
        };
        for await (const event of this.#options.engine.events(since, stop, opened)) {
          const { id, action } = event;
          if (action === 'start') this.#spawn(this.#started(id, stop, true));
          else if (action === 'destroy' || action === 'remove') this.#forget(id);
          if (lifecycle === undefined) continue;
          await room();
          if (stop.aborted) return;
          lifecycle.take(event);
        }
      } catch (error) {
        if (stop.aborted) return;
        if (!(error instanceof EngineAway)) throw error;
        this.#away(error);
      }
      const ms = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures++, 10));
      await sleep(ms, undefined, { signal: stop }).catch(() => undefined);
    }
  }

  async #listFromTimeToTime(stop: AbortSignal): Promise<void> {
    for (let isFirst = true; !stop.aborted; isFirst = false) {
      await this.#list(stop, isFirst);
      await sleep(LIST_AGAIN_MS, undefined, { signal: stop }).catch(() => undefined);
    }
  }

  /** `alsoEnded`: containers that have ended may have been started and ended unseen. */
  async #list(stop: AbortSignal, alsoEnded: boolean): Promise<void> {
    try {
      const listed = await this.#options.engine.list();
      const known = new Set(listed.map(({ id }) => id));
      for (const id of this.#members.keys()) if (!known.has(id)) this.#forget(id);
      for (const { id, isRunning } of listed) if (isRunning) this.#spawn(this.#started(id, stop));
      if (!alsoEnded) return;
      const ended = listed.filter(({ isRunning, isNew }) => !isRunning && !isNew).values();
      const readers = Array.from({ length: READ_AT_ONCE }, async () => {
        for (const { id } of ended) await this.#started(id, stop);
      });
      await Promise.all(readers);
    } catch (error) {
      if (!(error instanceof EngineAway)) throw error;
    }
  }

  /** Resolves when the container is not followed any more. `isEvent`: it was started just now; otherwise it is only known to run. */
  async #started(id: string, stop: AbortSignal, isEvent = false): Promise<void> {
    if (stop.aborted || this.#arriving.has(id)) return;
    if (!this.#members.has(id)) {
      this.#arriving.add(id);
      try {
        await this.#arrive(id);
      } catch (error) {
        if (error instanceof EngineAway) return; // the next list has it
        throw error;
      } finally {
        this.#arriving.delete(id);
      }
    }
    const member = this.#members.get(id);
    if (!member) return;
    if (member.isFollowing) {
      member.again ||= isEvent;
      return;
    }
    member.isFollowing = true;
    try {
      do {
        member.again = false;
        const end = await member.follower.follow(stop);
        if (end === 'gone') this.#members.delete(id);
        if (end === 'unreadable') {
          member.log.flush();
          this.#members.set(id, undefined); // said once
        }
        if (end === 'gone' || end === 'unreadable') return;
      } while (member.again && !stop.aborted);
    } finally {
      member.isFollowing = false;
    }
  }

  async #arrive(id: string): Promise<void> {
    const { engine, nameOf, logOf, room, logger } = this.#options;
    const container = await engine.inspect(id);
    if (!container) return;
    const naming = nameOf(container);
    if (!naming) {
      this.#members.set(id, undefined);
      return;
    }
    const { channel, source, refusedChannel } = naming;
    if (refusedChannel !== undefined)
      logger.warn(
        `the label of ${source} asks for a channel that cannot be used: ${JSON.stringify(refusedChannel)}`,
      );
    logger.info(`following ${source} on ${channel}`);
    const log = logOf(container, naming);
    const warn = (line: string) => logger.warn(line);
    const follower = new Follower({ engine, id, name: source, log, room, warn });
    this.#members.set(id, { log, follower, isFollowing: false, again: false });
  }

  /** What its follower still reads is read to the end. */
  #forget(id: string): void {
    if (!this.#members.get(id)?.isFollowing) this.#members.delete(id);
  }

  #spawn(work: Promise<void>): void {
    const running: Promise<void> = work
      .catch((error: unknown) => this.#failed.reject(error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #away({ message }: EngineAway): void {
    if (!this.#isAway) this.#options.logger.warn(`the engine is away: ${message}; waiting for it`);
    this.#isAway = true;
  }

  #back(): void {
    if (this.#isAway) this.#options.logger.info('the engine is back');
    this.#isAway = false;
  }
}
