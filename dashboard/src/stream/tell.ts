// Tells a listener of an entry. What is in an entry, anybody may have written: a listener that throws at it keeps neither the others nor
// the entries behind it from being counted and shown.
import type { EntryRow } from './row.ts';

export function tell(listener: (row: EntryRow) => void, row: EntryRow): void {
  try {
    listener(row);
  } catch (error) {
    reportError(error);
  }
}
