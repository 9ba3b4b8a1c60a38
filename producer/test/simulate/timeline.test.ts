// The virtual clock runs actions in the order of their times.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Timeline } from '../../src/simulate/timeline.ts';

it('runs actions in order of time, equal times in order of scheduling, also those scheduled on the way', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(50), fc.nat(50)), { maxLength: 100 }), (delays) => {
      const timeline = new Timeline();
      const ran: { at: number; order: number }[] = [];
      const due: { at: number; order: number }[] = [];
      const schedule = (ms: number, then?: () => void) => {
        const appointment = { at: timeline.now + ms, order: due.length };
        due.push(appointment);
        timeline.after(ms, () => {
          expect(timeline.now).toBe(appointment.at);
          ran.push(appointment);
          then?.();
        });
      };
      for (const [first, second] of delays) schedule(first, () => schedule(second));
      while (timeline.next < Number.POSITIVE_INFINITY) timeline.advance();
      expect(ran).toHaveLength(2 * delays.length);
      expect(ran).toEqual([...ran].sort((a, b) => a.at - b.at || a.order - b.order));
    }),
  );
});
