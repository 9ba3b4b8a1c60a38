// The entry on `events:alerts` that says that an alert begins or ends.

import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import { CHANNELS, EVENTS } from '@llm-streamer/shared/events.ts';
import type { Transition } from './alert-book.ts';

/** Who writes these entries, whichever gateway it is. */
const SOURCE = 'alerts';

export function alertDraft({ event, at, alert: { text, level, ...attrs } }: Transition): Draft {
  return draft({
    time: at,
    channel: CHANNELS.alerts,
    source: SOURCE,
    // What is over is no trouble, though its alert was an error.
    level: event === 'firing' ? level : 'info',
    msg: text,
    event: event === 'firing' ? EVENTS.alertFiring : EVENTS.alertResolved,
    attrs: { ...attrs },
  });
}
