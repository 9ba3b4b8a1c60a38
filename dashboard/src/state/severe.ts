// The entries of level warn and above, the severe ones, that have come since the reader last looked: what the page offers for them.
import { signal } from '@preact/signals';
import type { ComponentType } from 'preact';

export interface Severe {
  /** How many there are, for the bottom line. */
  Count: ComponentType;
  /** Goes to the first of them, and counts anew. */
  look(): void;
}

/** Absent until it is loaded, after the first picture. */
export const severe = signal<Severe | undefined>(undefined);
