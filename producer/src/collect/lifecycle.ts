// Entries about the life of containers: when one starts, dies, runs out of memory, or is found healthy or not. How far they were
// delivered is kept as for a container's log, so a collector that was killed tells what it missed, as far as the engine still knows it,
// and tells nothing twice.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { type Container, type ContainerEvent, plain } from './engine.ts';
import type { Delivered } from './journal.ts';
import type { Naming } from './naming.ts';
import { msOf, type Stamp } from './stamp.ts';

const LIFECYCLE_CHANNEL = 'events:containers';
/** The name in the journal under which their delivery is kept; no container's id has such letters. */
export const LIFECYCLE = 'lifecycle';
/** The engine gives an event again after a reconnect, up to some seconds back. */
const MAX_REMEMBERED = 2_000;
/** Ended as asked: by itself, or by SIGTERM. */
const CALM_EXITS = ['0', '143'];

export interface LifecycleOptions {
  /** Up to when events were delivered by an earlier run. */
  delivered: Stamp;
  /** Undefined for a container that is left out. */
  nameOf: (container: Pick<Container, 'id' | 'name' | 'image' | 'labels'>) => Naming | undefined;
  onEntry: (fields: EntryFields, delivered: Delivered) => void;
}

export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #told = new Set<string>();
  #newest: Stamp;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    this.#newest = options.delivered;
  }

  /** Events from this time on are not all told. */
  get sinceMs(): number {
    return msOf(this.#newest);
  }

  /** An event without a time cannot be known again, and is left out. */
  take({ id, action, at, attributes }: ContainerEvent): void {
    const said = phrase(action, attributes);
    if (said === undefined || at === undefined || at <= this.#options.delivered) return;
    if (!this.#remember(`${at} ${id} ${action}`)) return;
    const { name = '', image = '', exitCode } = attributes;
    const naming = this.#options.nameOf({ id, name: name || id.slice(0, 12), image, labels: attributes });
    if (naming === undefined) return;
    if (at > this.#newest) this.#newest = at;
    const { source, attrs } = naming;
    this.#options.onEntry(
      {
        time: msOf(at),
        channel: LIFECYCLE_CHANNEL,
        source,
        level: said.level,
        msg: `${source} ${said.text}`,
        event: said.event,
        attrs: {
          ...attrs,
          ...(action === 'die' && exitCode !== undefined && { exit_code: Number(exitCode) }),
        },
      },
      { since: this.#newest },
    );
  }

  #remember(event: string): boolean {
    if (this.#told.has(event)) return false;
    this.#told.add(event);
    if (this.#told.size > MAX_REMEMBERED) for (const oldest of this.#told) return this.#told.delete(oldest);
    return true;
  }
}

function phrase(
  action: string,
  { image = '', exitCode = '' }: ContainerEvent['attributes'],
): (Pick<EntryFields, 'level'> & { event: string; text: string }) | undefined {
  switch (action) {
    case 'start':
      return { event: 'container.started', level: 'info', text: `started (${plain(image).slice(0, 200)})` };
    case 'die':
    case 'died': {
      const level = CALM_EXITS.includes(exitCode) ? 'info' : 'error';
      return { event: 'container.died', level, text: `died with exit code ${plain(exitCode) || 'unknown'}` };
    }
    case 'oom':
      return {
        event: 'container.out_of_memory',
        level: 'error',
        text: 'ran out of memory; the kernel killed a process of it',
      };
    case 'health_status: unhealthy':
      return { event: 'container.unhealthy', level: 'warn', text: 'is unhealthy' };
    case 'health_status: healthy':
      return { event: 'container.healthy', level: 'info', text: 'is healthy' };
    default:
      return undefined;
  }
}
