// Which turns of a conversation's channel are its turns now. Where a question was edited, the conversation goes on from there with the new
// one; the turns that it had instead stay in the log.

import type { Entry, EntryFields } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { conversationChannel, type OwnedKey, partsOf } from '@llm-streamer/shared/ownership.ts';
import { type Turn, turnOf } from './conversation.ts';

/** The run `run` takes the place of `replaces`, which is behind the turns of the run `after`; '' at the beginning. */
export interface Edit {
  run: string;
  replaces: string;
  after: string;
}

/** It is written when the run begins, so it holds whether or not the run comes to an answer. */
export function editEntry(
  conversation: OwnedKey,
  { run, replaces, after }: Edit,
  source: string,
): EntryFields {
  return {
    time: Date.now(),
    channel: conversationChannel(conversation),
    source,
    level: 'info',
    msg: 'a question was edited',
    event: EVENTS.conversationEdited,
    run,
    attrs: { replaces, after, [GEN_AI.conversationId]: partsOf(conversation).id },
  };
}

export class Branch {
  /** The oldest first. */
  readonly turns: Turn[] = [];
  /** For each run the one behind which it stands, or stood. */
  readonly #places = new Map<string, string>();
  readonly #replaced = new Set<string>();

  /** To call with each entry of the channel, in their order. */
  take(entry: Entry): void {
    const { event, run = '', attrs = {} } = entry;
    if (event === EVENTS.conversationEdited) {
      const after = String(attrs.after);
      this.#places.set(run, after);
      // A replaced run that still goes on may write its turns later.
      this.#replaced.add(String(attrs.replaces));
      const last = this.turns.findLastIndex((turn) => turn.run === after);
      for (const turn of this.turns.splice(last + 1)) this.#replaced.add(turn.run);
      return;
    }
    const turn = turnOf(entry);
    if (!turn || this.#replaced.has(turn.run)) return;
    if (!this.#places.has(turn.run)) this.#places.set(turn.run, this.turns.at(-1)?.run ?? '');
    this.turns.push(turn);
  }

  /** The run behind which `run` stands: '' at the beginning, undefined if its place is not known or no longer in the conversation. */
  placeOf(run: string): string | undefined {
    const place = this.#places.get(run);
    return place === '' || this.turns.some((turn) => turn.run === place) ? place : undefined;
  }

  /** Whether `run` has, or had, a place among the turns. */
  knows(run: string): boolean {
    return this.#places.has(run);
  }

  /** Where a run without turns stands that began at `started`. */
  placeAt(started: number): string {
    return this.turns.findLast(({ time }) => time <= started)?.run ?? '';
  }
}
