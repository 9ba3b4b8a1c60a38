// Collects what the rules make of entries until it is stored in one step.

import type { Draft } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import type { Transition } from './alerts/alert-book.ts';
import { alertDraft } from './alerts/alert-draft.ts';
import type { DeliveredAlert } from './notify/messages.ts';
import type { Step } from './store/rules-store.ts';

/** A step is stored when it holds so much: Redis serves nobody else meanwhile. */
const FULL_ENTRIES = 400;
const FULL_BYTES = 524_288;

interface Collected {
  events: Draft[];
  /** The entries of the alerts. */
  drafts: Draft[];
  transitions: Transition[];
  messages: Step['messages'][number][];
}

export class Outgoing {
  #collected: Collected = nothing();
  #bytes = 0;

  get isEmpty(): boolean {
    const { events, drafts } = this.#collected;
    return events.length + drafts.length === 0;
  }

  get isFull(): boolean {
    const { events, messages, transitions } = this.#collected;
    return events.length + transitions.length + messages.length >= FULL_ENTRIES || this.#bytes >= FULL_BYTES;
  }

  event(draft: Draft): void {
    this.#collected.events.push(draft);
    this.#bytes += draft.body.length;
  }

  alerts(transitions: readonly Transition[]): void {
    const { drafts, messages } = this.#collected;
    for (const transition of transitions) {
      const draft = alertDraft(transition);
      drafts.push(draft);
      this.#bytes += draft.body.length;
      this.#collected.transitions.push(transition);
      const message = JSON.stringify(deliveredOf(transition));
      for (const destination of transition.to) messages.push({ destination, message });
    }
  }

  take(): Collected {
    const collected = this.#collected;
    this.#collected = nothing();
    this.#bytes = 0;
    return collected;
  }
}

function nothing(): Collected {
  return { events: [], drafts: [], transitions: [], messages: [] };
}

function deliveredOf({ event, at, alert }: Transition): DeliveredAlert {
  const name = event === 'firing' ? EVENTS.alertFiring : EVENTS.alertResolved;
  return { id: `${alert.alert}@${alert.since}/${event}`, event: name, time: at, ...alert };
}
