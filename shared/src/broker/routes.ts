// Finds the listeners of a channel, and delivers each entry to them once, in order. Both brokers use it; it owns no connection.
// A channel is compared with all patterns once, at its first entry. The result is kept, also where no pattern matches.

import { channelMatcher, isExact, matchingCost } from '../channels.ts';
import type { Gap, Listener } from './broker.ts';
import type { Position } from './position.ts';
import type { LogRecord } from './record.ts';

/** One listener's interest in a set of patterns. */
export interface Interest {
  readonly patterns: readonly string[];
  readonly listener: Listener;
  /** Everything after this position is delivered. While the position is not known yet (undefined), nothing is delivered. */
  from: Position | undefined;
}

export interface Route {
  /**
   * The position of the newest entry that was delivered, or where delivery began. An entry up to here is a repetition: after 104,
   * an entry 103 that comes again, as it does when a broken connection has caught up, is not delivered again.
   */
  deliveredUpTo: Position;
  interests: readonly Interest[];
  /** False if `interests` must be found again. */
  isMatched: boolean;
}

interface Wildcard {
  matches: (channel: string) => boolean;
  interests: Set<Interest>;
}

/** With more routes than this all are forgotten and made again as needed, so that a flood of names cannot fill the memory. */
const MAX_ROUTES = 200_000;
/** If it costs more than this to compare a listener's patterns with all routes, each route is compared at its next entry. */
const MAX_JOIN_COST = 100_000;
const NOBODY: readonly Interest[] = [];

export class Routes {
  readonly #exact = new Map<string, Set<Interest>>();
  readonly #wildcard = new Map<string, Wildcard>();
  readonly #interests = new Set<Interest>();
  /** By channel. An entry costs one look-up here, however many patterns there are. */
  readonly #routes = new Map<string, Route>();
  /** The highest position that any forgotten route had delivered. A new route begins here, so that it delivers nothing twice. */
  #floor: Position = 0;
  readonly #matcher: typeof channelMatcher;
  readonly #maxJoinCost: number;

  constructor(matcher = channelMatcher, maxJoinCost = MAX_JOIN_COST) {
    this.#matcher = matcher;
    this.#maxJoinCost = maxJoinCost;
  }

  /** All patterns that have a listener. */
  patterns(): string[] {
    return [...this.#exact.keys(), ...this.#wildcard.keys()];
  }

  isWanted(pattern: string): boolean {
    return this.#interestsIn(pattern) !== undefined;
  }

  register(interest: Interest): void {
    this.#interests.add(interest);
    for (const pattern of interest.patterns) {
      const interests = this.#interestsIn(pattern);
      if (interests) interests.add(interest);
      else if (isExact(pattern)) this.#exact.set(pattern, new Set([interest]));
      else this.#wildcard.set(pattern, { matches: this.#matcher(pattern), interests: new Set([interest]) });
    }
    if (interest.from !== undefined) this.#attach(interest);
  }

  /** Begins delivery. Every entry that comes from now on is after `from`. */
  startDelivery(interest: Interest, from: Position): void {
    interest.from = from;
    if (this.#interests.has(interest)) this.#attach(interest);
  }

  unregister(interest: Interest): void {
    this.#interests.delete(interest);
    const routes = this.#routesOf(interest);
    for (const pattern of interest.patterns) {
      const interests = this.#interestsIn(pattern);
      interests?.delete(interest);
      if (interests?.size === 0) (isExact(pattern) ? this.#exact : this.#wildcard).delete(pattern);
    }
    for (const route of routes ?? []) route.interests = route.interests.filter((other) => other !== interest);
    if (!routes) this.#matchAgain();
  }

  route(channel: string): Route {
    let route = this.#routes.get(channel);
    if (route?.isMatched) return route;
    const interests = this.#matching(channel);
    if (!route) {
      if (this.#routes.size >= MAX_ROUTES) this.#forget();
      route = { deliveredUpTo: this.#floor, interests: NOBODY, isMatched: true };
      this.#routes.set(channel, route);
    }
    route.isMatched = true;
    if (route.interests.length === 0 && interests.length > 0) begin(route, interests);
    route.interests = interests;
    return route;
  }

  /** Reports a gap to all listeners whom it may concern: only the part after what the channel's route has delivered. */
  deliverGap(gap: Gap): void {
    if (gap.channel === null) {
      for (const { listener } of this.#delivering()) listener.onGap(gap);
      return;
    }
    const route = this.route(gap.channel);
    if (gap.before - 1 <= route.deliveredUpTo) return;
    const rest = { ...gap, after: Math.max(gap.after, route.deliveredUpTo) };
    route.deliveredUpTo = gap.before - 1;
    for (const { listener } of route.interests) listener.onGap(rest);
  }

  advance(position: Position): void {
    for (const { listener } of this.#delivering()) listener.onAdvance(position);
  }

  #attach(interest: Interest): void {
    const routes = this.#routesOf(interest);
    if (!routes) this.#matchAgain();
    for (const route of routes ?? []) {
      if (route.interests.includes(interest)) continue;
      if (route.interests.length === 0) begin(route, [interest]);
      route.interests = [...route.interests, interest];
    }
  }

  /** The existing routes of channels that an interest matches; undefined if finding them would take too long. */
  #routesOf({ patterns }: Interest): Route[] | undefined {
    const cost = patterns.reduce((sum, pattern) => sum + matchingCost(pattern), 0);
    if (cost * this.#routes.size > this.#maxJoinCost) return undefined;
    const wildcards = patterns.flatMap((pattern) => this.#wildcard.get(pattern)?.matches ?? []);
    const found = new Set(patterns.flatMap((pattern) => this.#routes.get(pattern) ?? []));
    if (wildcards.length > 0)
      for (const [channel, route] of this.#routes)
        if (wildcards.some((matches) => matches(channel))) found.add(route);
    return [...found].filter(({ isMatched }) => isMatched);
  }

  /**
   * Makes each route find its listeners again at its next entry. Unlike in `#forget`, the position up to which it has delivered stays. Its present
   * listeners are dropped at once, so that a channel without further entries keeps no closed listener in memory.
   */
  #matchAgain(): void {
    for (const route of this.#routes.values()) {
      route.interests = NOBODY;
      route.isMatched = false;
    }
  }

  #forget(): void {
    for (const { deliveredUpTo } of this.#routes.values()) this.#floor = Math.max(this.#floor, deliveredUpTo);
    this.#routes.clear();
  }

  #delivering(): Interest[] {
    return [...this.#interests].filter(({ from }) => from !== undefined);
  }

  #interestsIn(pattern: string): Set<Interest> | undefined {
    return isExact(pattern) ? this.#exact.get(pattern) : this.#wildcard.get(pattern)?.interests;
  }

  #matching(channel: string): Interest[] {
    const found = new Set<Interest>(this.#exact.get(channel));
    for (const { matches, interests } of this.#wildcard.values())
      if (matches(channel)) for (const interest of interests) found.add(interest);
    return [...found].filter(({ from }) => from !== undefined);
  }
}

/** Delivery begins on a route that had no listener. */
function begin(route: Route, interests: readonly Interest[]): void {
  route.deliveredUpTo = Math.max(
    route.deliveredUpTo,
    Math.min(...interests.map(({ from }) => from as Position)),
  );
}

/** Delivers one entry, unless the route has delivered it before. */
export function deliverRecord(route: Route, record: LogRecord): void {
  if (record.n <= route.deliveredUpTo) return;
  route.deliveredUpTo = record.n;
  for (const { listener } of route.interests) listener.onRecord(record);
}
