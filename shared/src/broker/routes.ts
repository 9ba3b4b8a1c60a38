// Channel → subscriptions, shared by all brokers: delivers each numbered entry once, in order. Owns no connection. A channel
// is compared with all patterns once, when its first entry comes, also where nobody wants it.

import { channelMatcher, isExact, matchingCost } from '../channels.ts';
import type { Gap, Listener } from './broker.ts';
import type { Position } from './position.ts';
import type { LogRecord } from './record.ts';

/** One listener's interest in a set of patterns. Nothing is delivered before `from` is settled. */
export interface Interest {
  readonly patterns: readonly string[];
  readonly listener: Listener;
  /** Delivery is complete after this position. */
  from: Position | undefined;
}

export interface Route {
  /** The newest entry of the channel that was delivered, or where delivery began. */
  deliveredUpTo: Position;
  /** Empty where nobody wants the channel. */
  interests: readonly Interest[];
  /** False where the interests must be looked for again. */
  isMatched: boolean;
}

interface Wildcard {
  matches: (channel: string) => boolean;
  interests: Set<Interest>;
}

/** Routes beyond this are made anew, so that a flood of channel names cannot fill the memory. */
const MAX_ROUTES = 200_000;
/** Where a listener's patterns would cost more to compare with all routes, each is compared again when its next entry comes. */
const MAX_JOIN_COST = 100_000;
const NOBODY: readonly Interest[] = [];

export class Routes {
  readonly #exact = new Map<string, Set<Interest>>();
  readonly #wildcard = new Map<string, Wildcard>();
  readonly #interests = new Set<Interest>();
  /** An entry costs a look here, whoever listens to what. */
  readonly #routes = new Map<string, Route>();
  /** What routes that were given up had delivered. */
  #floor: Position = 0;
  readonly #matcher: typeof channelMatcher;
  readonly #maxJoinCost: number;

  constructor(matcher = channelMatcher, maxJoinCost = MAX_JOIN_COST) {
    this.#matcher = matcher;
    this.#maxJoinCost = maxJoinCost;
  }

  /** All patterns that somebody is interested in. */
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

  /** Begins delivery: what comes from now on is after `from`. */
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
    for (const routeOf of routes ?? [])
      routeOf.interests = routeOf.interests.filter((other) => other !== interest);
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

  /** Tells a gap to all whom it may concern, unless it is of numbers that its channel's route has passed. */
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

  /** The routes that there are of channels that an interest is in; undefined where finding them would take too long. */
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

  /** Keeps what was delivered, and holds on to no listener meanwhile. */
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

/** Delivers one numbered entry unless the route has had it. */
export function deliverRecord(route: Route, record: LogRecord): void {
  if (record.n <= route.deliveredUpTo) return;
  route.deliveredUpTo = record.n;
  for (const { listener } of route.interests) listener.onRecord(record);
}
