// The alerts that fire, under their mark: the worst first, each a way to what made it fire. Arrow keys move, Esc closes.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { clockOf, duration } from '../log/time.ts';
import { stepOf } from '../pictures/steps.ts';
import type { Alert } from '../state/alert.ts';
import { alertsAsOf, areAlertsStale } from '../state/alerts.ts';
import { streamState } from '../state/store.ts';
import { mayTest, TestDestinations } from './test-destinations.tsx';

/** How many alerts PageDown moves by. */
const PAGE = 10;

interface ListProps {
  firing: readonly Alert[];
  close(): void;
  goTo(alert: Alert): void;
}

export function AlertList({ firing, close, goTo }: ListProps) {
  const list = useRef<HTMLElement>(null);
  const now = useNow();
  const buttonsOf = () => [...(list.current?.querySelectorAll('button') ?? [])];
  const step = (by: number) => {
    const buttons = buttonsOf();
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    buttons[Math.max(0, Math.min(buttons.length - 1, at + by))]?.focus();
  };
  useLayoutEffect(() => step(1), []);
  /** The place of the button that had the focus last: an alert that is resolved takes it away. */
  const place = useRef(0);
  useLayoutEffect(() => {
    const buttons = buttonsOf();
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    if (at >= 0) place.current = at;
    else if (document.activeElement === document.body)
      (buttons[Math.min(place.current, buttons.length - 1)] ?? list.current)?.focus();
  });
  return (
    <section
      ref={list}
      aria-label="Alerts"
      tabIndex={-1}
      onKeyDown={(event) => {
        const by = stepOf(event.key, PAGE);
        if (by !== undefined) step(by);
        else if (event.key === 'Escape') close();
        else return;
        event.preventDefault();
      }}
    >
      <p class="dim">
        {firing.length === 0 ? 'no alert fires' : 'Enter: the entry that made it fire'} · as of{' '}
        {clockOf(alertsAsOf.value)}
        {areAlertsStale.value && <span class="warn"> · the gateway does not answer</span>}
      </p>
      <ul>
        {firing.map((alert) => (
          <li key={alert.id}>
            <button type="button" onClick={() => goTo(alert)}>
              <span class={alert.isError ? 'bad' : 'warn'}>{alert.isError ? 'ERR' : 'WRN'}</span>
              <span class="since">
                {alert.since === undefined ? '–' : duration(Math.max(0, now - alert.since))}
              </span>
              <span class="text">
                <bdi>{alert.text}</bdi>
                <span class="dim">
                  {' '}
                  {alert.rule}
                  {alert.group !== '' && <bdi> · {alert.group}</bdi>}
                  {alert.value !== undefined && ` · ${short(alert.value)}`}
                  {alert.value !== undefined && alert.bound !== undefined && ` / ${short(alert.bound)}`}
                </span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {mayTest() && <TestDestinations />}
    </section>
  );
}

/** The gateway's time, which the alerts' `since` is of. */
function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const state = streamState.value;
  return now + (state.state === 'live' ? state.clockOffset : 0);
}

function short(value: number): string {
  return Number(value.toPrecision(4)).toLocaleString('en');
}
