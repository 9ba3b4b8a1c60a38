// Reads pages of entries as a query names them: the positions that its parameters bound it by, and the newest entries within them.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { type Position, parsePosition } from '@llm-streamer/shared/broker/position.ts';
import { type Params, parseEntryId, parseTime, text } from '../../parameters.ts';
import type { FilteredSelection } from '../query/filtered-selection.ts';
import type { History, SearchRange, SearchResult } from './history.ts';

export interface Bounds {
  /** Exclusive, as `before`; undefined if the query does not say it. */
  after: Position | undefined;
  before: Position | undefined;
  /** Inclusive: what the query and the log's head allow. */
  upTo: Position;
}

export class EntriesReader {
  readonly #broker: Broker;
  readonly #history: History;

  constructor(broker: Broker, history: History) {
    this.#broker = broker;
    this.#history = history;
  }

  /** From `after` or `since`, and `before` or `until`. @throws CodedError `invalid_query`, BrokerUnavailable */
  async bounds(query: Params, now: number): Promise<Bounds> {
    const after = await this.#boundFrom(query, 'after', 'since', now);
    const before = await this.#boundFrom(query, 'before', 'until', now);
    const head = await this.#broker.head();
    return { after, before, upTo: before === undefined ? head : Math.min(head, Math.max(0, before - 1)) };
  }

  /** The newest entries, oldest first. Its `next` leads back in time, as the next `before`. @throws BrokerUnavailable */
  async newest(wanted: FilteredSelection, range: SearchRange): Promise<SearchResult> {
    const found = await this.#history.search(wanted, { ...range, reverse: true });
    return { ...found, records: found.records.reverse(), next: found.next + 1 };
  }

  /** The position that a parameter names: an id, or else a time. `since` and `until` take both. */
  async #boundFrom(
    query: Params,
    idKey: string,
    timeKey: string,
    now: number,
  ): Promise<Position | undefined> {
    const id = text(query, idKey);
    if (id !== undefined) return parseEntryId(idKey, id);
    const time = text(query, timeKey);
    if (time === undefined) return undefined;
    const position =
      parsePosition(time) ?? (await this.#broker.positionAtTime(parseTime(timeKey, time, now)));
    return timeKey === 'until' ? position + 1 : position;
  }
}
