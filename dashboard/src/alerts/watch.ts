// Knows which alerts fire, whatever channels are shown. The gateway's answer to `GET /api/alerts` is the only truth. It is asked at once when
// an entry of `events:alerts` arrives in the view (as when all channels are shown), otherwise every few seconds. A stream of its own would
// take one of the six connections that a browser opens to a host over HTTP/1.1. In the view's stream, alerts would be entries that its query
// did not ask for: the ledger would be wrong, and no other viewer could share the stream.
import { matches } from '@llm-streamer/shared/channels.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { effect, untracked } from '@preact/signals';
import { type Alert, hasRules, readAlerts } from '../state/alert.ts';
import { alerts, alertsAsOf, areAlertsStale } from '../state/alerts.ts';
import { profile } from '../state/identity.ts';
import { isFilteredByGateway, streamState, viewState } from '../state/store.ts';
import type { EntryRow } from '../stream/row.ts';

const CHANNEL = CHANNELS.alerts;
const TICK_MS = 1_000;
/** With the tick that comes next, a view without the entries of the alerts asks again within five seconds. */
const EVERY_MS = 4_000;
/** With them, an entry may still be left out, as one that was written before the view began. */
const EVERY_MS_WITH_ENTRIES = 60_000;
/** An answer that takes longer is none. */
const PATIENCE_MS = 10_000;
/** Many alerts at once are one question. */
const LEAST_MS = 500;
/** The answers after which it is not asked again until the stream or the person is another: not for this person, or by an older gateway. */
const NOT_HERE: readonly number[] = [401, 403, 404];

export class AlertWatch {
  /** Whether there are rules, and this person may know of their alerts. */
  #isHere = false;
  #isAsking = false;
  /** Whether it is to ask once more when the answer has come. */
  #isDue = false;
  #askedAt = 0;
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor(onEntry: (listener: (row: EntryRow) => void) => void) {
    onEntry((row) => {
      if (row.channel === CHANNEL && this.#isHere) this.#askSoon();
    });
    effect(() => {
      const isKnown = profile.value !== undefined;
      const isLive = streamState.value.state === 'live';
      untracked(() => {
        if (!isKnown) this.#know([], 0);
        else if (isLive) this.#askSoon();
      });
    });
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && this.#isHere) this.#askSoon();
    });
    setInterval(() => {
      if (this.#isHere && Date.now() - this.#askedAt >= period()) this.#askSoon();
    }, TICK_MS);
  }

  #know(firing: readonly Alert[], asOf: number): void {
    alerts.value = firing;
    alertsAsOf.value = asOf;
  }

  #askSoon(): void {
    this.#soon ??= setTimeout(
      () => {
        this.#soon = undefined;
        this.#isDue = this.#isAsking;
        if (!this.#isAsking) this.#ask().catch(reportError);
      },
      Math.max(0, this.#askedAt + LEAST_MS - Date.now()),
    );
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    this.#askedAt = Date.now();
    const whom = profile.value;
    try {
      const response = await fetch(new URL('api/alerts', document.baseURI), {
        cache: 'no-store',
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const answer: unknown = response.ok ? await response.json() : undefined;
      // An answer for somebody else, who was signed in when it was asked.
      if (profile.value !== whom) return;
      this.#isHere = response.ok ? hasRules(answer) : !NOT_HERE.includes(response.status);
      areAlertsStale.value = this.#isHere && !response.ok;
      if (areAlertsStale.value) return;
      if (this.#isHere) this.#know(readAlerts(answer), Date.now());
      else this.#know([], 0);
    } catch {
      // Nothing says that the route is not there: it is asked again.
      if (profile.value !== whom) return;
      this.#isHere = true;
      areAlertsStale.value = true;
    } finally {
      this.#isAsking = false;
      if (this.#isDue) this.#askSoon();
      this.#isDue = false;
    }
  }
}

function period(): number {
  const { channels } = viewState.value;
  const hasEntries = !isFilteredByGateway.value && channels.some((pattern) => matches(pattern, CHANNEL));
  return hasEntries ? EVERY_MS_WITH_ENTRIES : EVERY_MS;
}
