// A virtual clock: actions run in the order of their times, those with equal times in the order in which they were scheduled.
// Nothing here waits.

interface Appointment {
  at: number;
  order: number;
  action: () => void;
}

export class Timeline {
  /** Milliseconds since the story began. */
  now = 0;
  readonly #heap: Appointment[] = [];
  #order = 0;

  after(ms: number, action: () => void): void {
    const heap = this.#heap;
    heap.push({ at: this.now + Math.max(0, ms), order: this.#order++, action });
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#swapUnlessOrdered(parent, i)) break;
      i = parent;
    }
  }

  /** When the next action is due; Infinity if there is none. */
  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Sets the clock to the next action, and runs it. */
  advance(): void {
    const heap = this.#heap;
    const due = heap[0];
    if (!due) return;
    const last = heap.pop() as Appointment;
    if (heap.length > 0) {
      heap[0] = last;
      for (let i = 0; ; ) {
        const left = 2 * i + 1;
        const right = left + 1;
        if (left >= heap.length) break;
        const child = right < heap.length && this.#before(right, left) ? right : left;
        if (!this.#swapUnlessOrdered(i, child)) break;
        i = child;
      }
    }
    this.now = due.at;
    due.action();
  }

  #before(a: number, b: number): boolean {
    const x = this.#heap[a] as Appointment;
    const y = this.#heap[b] as Appointment;
    return x.at < y.at || (x.at === y.at && x.order < y.order);
  }

  #swapUnlessOrdered(parent: number, child: number): boolean {
    if (!this.#before(child, parent)) return false;
    const heap = this.#heap;
    [heap[parent], heap[child]] = [heap[child] as Appointment, heap[parent] as Appointment];
    return true;
  }
}
