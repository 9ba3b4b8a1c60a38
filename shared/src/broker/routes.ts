// Channel → subscriptions, shared by all brokers: delivers each numbered entry once, in order. Owns no connection.

import { isExact, matches } from '../channels.ts';
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
  last: Position;
  interests: readonly Interest[];
}

/** Routes beyond this are made anew, so that a flood of channel names cannot fill the memory. */
const MAX_ROUTES = 200_000;

export class Routes {
  readonly #exact = new Map<string, Set<Interest>>();
  readonly #wildcard = new Map<string, Set<Interest>>();
  readonly #interests = new Set<Interest>();
  /** Of channels that somebody listens to; an entry costs a look here, whoever else listens to what. */
  readonly #routes = new Map<string, Route>();
  /** What routes that were given up had delivered. */
  #floor: Position = 0;

  /** All patterns that somebody is interested in. */
  patterns(): string[] {
    return [...this.#exact.keys(), ...this.#wildcard.keys()];
  }

  wanted(pattern: string): boolean {
    return this.#index(pattern).has(pattern);
  }

  add(interest: Interest): void {
    this.#interests.add(interest);
    for (const pattern of interest.patterns) {
      const interests = this.#index(pattern).get(pattern);
      if (interests) interests.add(interest);
      else this.#index(pattern).set(pattern, new Set([interest]));
    }
    if (interest.from !== undefined) this.#join(interest);
  }

  /** Begins delivery: what comes from now on is after `from`. */
  settle(interest: Interest, from: Position): void {
    interest.from = from;
    if (this.#interests.has(interest)) this.#join(interest);
  }

  remove(interest: Interest): void {
    this.#interests.delete(interest);
    for (const pattern of interest.patterns) {
      const interests = this.#index(pattern).get(pattern);
      interests?.delete(interest);
      if (interests?.size === 0) this.#index(pattern).delete(pattern);
    }
    for (const [channel, route] of this.#routesOf(interest)) {
      route.interests = route.interests.filter((other) => other !== interest);
      // Nothing is delivered any more, so the chain begins anew when somebody comes.
      if (route.interests.length === 0) this.#routes.delete(channel);
    }
  }

  route(channel: string): Route {
    const known = this.#routes.get(channel);
    if (known) return known;
    const interests = this.#matching(channel);
    const route: Route = { last: 0, interests };
    if (interests.length === 0) return route;
    route.last = Math.max(this.#floor, Math.min(...interests.map(({ from }) => from as Position)));
    if (this.#routes.size >= MAX_ROUTES) {
      for (const { last } of this.#routes.values()) this.#floor = Math.max(this.#floor, last);
      this.#routes.clear();
    }
    this.#routes.set(channel, route);
    return route;
  }

  /** Tells a gap to all whom it may concern, unless it is of numbers that its channel's route has passed. */
  gap(gap: Gap): void {
    if (gap.channel === null) {
      for (const { listener } of this.#settled()) listener.gap(gap);
      return;
    }
    const route = this.route(gap.channel);
    if (gap.reason === 'unnumbered') {
      for (const { listener } of route.interests) listener.gap(gap);
      return;
    }
    if (gap.before - 1 <= route.last) return;
    const rest = { ...gap, after: Math.max(gap.after, route.last) };
    route.last = gap.before - 1;
    for (const { listener } of route.interests) listener.gap(rest);
  }

  position(position: Position): void {
    for (const { listener } of this.#settled()) listener.position(position);
  }

  #join(interest: Interest): void {
    for (const [, route] of this.#routesOf(interest))
      if (!route.interests.includes(interest)) route.interests = [...route.interests, interest];
  }

  /** The routes that there are of channels that an interest is in. */
  #routesOf({ patterns }: Interest): [string, Route][] {
    const wildcards = patterns.filter((pattern) => !isExact(pattern));
    if (wildcards.length > 0)
      return [...this.#routes].filter(
        ([channel]) => patterns.includes(channel) || wildcards.some((pattern) => matches(pattern, channel)),
      );
    return patterns.flatMap((pattern) => {
      const route = this.#routes.get(pattern);
      return route ? [[pattern, route] as [string, Route]] : [];
    });
  }

  #settled(): Interest[] {
    return [...this.#interests].filter(({ from }) => from !== undefined);
  }

  #index(pattern: string): Map<string, Set<Interest>> {
    return isExact(pattern) ? this.#exact : this.#wildcard;
  }

  #matching(channel: string): Interest[] {
    const found = new Set<Interest>(this.#exact.get(channel));
    for (const [pattern, interests] of this.#wildcard)
      if (matches(pattern, channel)) for (const interest of interests) found.add(interest);
    return [...found].filter(({ from }) => from !== undefined);
  }
}

/** Delivers one numbered entry unless the route has had it. */
export function deliver(route: Route, record: LogRecord): void {
  if (record.n <= route.last) return;
  route.last = record.n;
  for (const { listener } of route.interests) listener.entry(record);
}
