// Counts entries in a window that moves with time, in a bounded space: the window has twenty slots, and leaves a slot behind as a
// whole, once all of it is too old. So an entry counts for the window, and for a twentieth of it longer at most.

const SLOTS = 20;

/** Slots that are not empty, oldest first: the number of the slot, and what was counted in it. Plain, so that it can be kept as JSON. */
export type Counts = [slot: number, count: number][];

export function count(counts: Counts, at: number, withinMs: number): void {
  const slot = slotOf(at, withinMs);
  const newest = counts.at(-1);
  // Another gateway's clock may have been ahead: then the entry counts as of the newest slot.
  if (newest !== undefined && newest[0] >= slot) newest[1]++;
  else counts.push([slot, 1]);
  forget(counts, at, withinMs);
}

/** How many were counted in the window that ends at `now`. */
export function total(counts: Counts, now: number, withinMs: number): number {
  forget(counts, now, withinMs);
  return counts.reduce((sum, [, each]) => sum + each, 0);
}

function forget(counts: Counts, now: number, withinMs: number): void {
  const oldest = slotOf(now, withinMs) - SLOTS;
  while (counts[0] !== undefined && counts[0][0] < oldest) counts.shift();
}

function slotOf(at: number, withinMs: number): number {
  return Math.floor((at * SLOTS) / withinMs);
}
