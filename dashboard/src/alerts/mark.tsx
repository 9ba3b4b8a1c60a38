// The mark in the top line, with how many alerts fire, and under it their list. Each leads to the entry that made it fire, or else to
// its own entries; below them, those who may can test whether messages arrive. It is loaded when the first alert fires, or the list is asked for.
import type { AlertTestAnswer, Problem } from '@llm-streamer/shared/api-types.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { quoted } from '../log/quoted.ts';
import { clockOf, duration } from '../log/time.ts';
import type { Alert } from '../state/alert.ts';
import { alertPart, alerts, alertsAsOf, alertsOpen, areAlertsStale } from '../state/alerts.ts';
import { profile } from '../state/identity.ts';
import { streamState } from '../state/store.ts';
import { LOG_ALONE, type ViewState } from '../state/view-state.ts';
import '../../styles/alerts.css';

const STEPS: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 };

type GoTo = (patch: Partial<ViewState>) => void;

export function mountAlerts(goTo: GoTo): void {
  alertPart.value = () => <Mark goTo={(alert) => leadTo(alert, goTo)} />;
}

function leadTo({ cause, id }: Alert, goTo: GoTo): void {
  alertsOpen.value = false;
  const all = { q: '', hl: '', level: '', range: undefined, ...LOG_ALONE } as const;
  if (cause) goTo({ ...all, channels: [cause.channel], at: cause.id, follow: false });
  else goTo({ ...all, channels: [CHANNELS.alerts], q: `alert:${quoted(id)}` });
}

function Mark({ goTo }: { goTo(alert: Alert): void }) {
  const button = useRef<HTMLButtonElement>(null);
  const firing = alerts.value;
  const isOpen = alertsOpen.value && alertsAsOf.value > 0;
  const count = `${firing.length} ${firing.length === 1 ? 'alert fires' : 'alerts fire'}`;
  const close = () => {
    alertsOpen.value = false;
    button.current?.focus();
  };
  return (
    <span class="alerts">
      <span class="visually-hidden" role="status">
        {firing[0] ? `${count}: ${firing[0].text}` : ''}
      </span>
      {(firing.length > 0 || isOpen) && (
        <button
          ref={button}
          type="button"
          class={firing.some(({ isError }) => isError) ? 'bad' : firing.length > 0 ? 'warn' : 'good'}
          aria-label={count}
          aria-expanded={isOpen}
          title={`${count} (a)`}
          onClick={() => {
            alertsOpen.value = !isOpen;
          }}
        >
          ▲ {firing.length}
        </button>
      )}
      {isOpen && <List firing={firing} close={close} goTo={goTo} />}
    </span>
  );
}

interface ListProps {
  firing: readonly Alert[];
  close(): void;
  goTo(alert: Alert): void;
}

function List({ firing, close, goTo }: ListProps) {
  const list = useRef<HTMLElement>(null);
  const now = useNow();
  const step = (by: number) => {
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    buttons[Math.max(0, Math.min(buttons.length - 1, at + by))]?.focus();
  };
  useLayoutEffect(() => step(1), []);
  return (
    <section
      ref={list}
      aria-label="Alerts"
      onKeyDown={(event) => {
        const by = STEPS[event.key];
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
      {mayTest() && <Test />}
    </section>
  );
}

function mayTest(): boolean {
  const whom = profile.value;
  return whom !== undefined && (whom.auth !== 'on' || whom.grants.admin);
}

const SENDING = 'sending …';

/** Sends a message to each destination of the rules, and says what each has answered. */
function Test() {
  const [said, setSaid] = useState('');
  const isSending = said === SENDING;
  const test = () => {
    setSaid(SENDING);
    testDestinations().then(setSaid).catch(reportError);
  };
  return (
    <p>
      <button type="button" aria-disabled={isSending} onClick={() => isSending || test()}>
        test destinations
      </button>{' '}
      <bdi role="status">{said}</bdi>
    </p>
  );
}

async function testDestinations(): Promise<string> {
  try {
    const url = new URL('api/alerts/test', document.baseURI);
    const response = await fetch(url, { method: 'POST', cache: 'no-store' });
    const { destinations, detail } = (await response.json()) as Partial<AlertTestAnswer & Problem>;
    return destinations?.map(outcome).join(' · ') ?? detail ?? `the gateway answered ${response.status}`;
  } catch {
    return 'the gateway gave no answer that can be read';
  }
}

function outcome({ name, delivered, problem }: AlertTestAnswer['destinations'][number]): string {
  return `${name}: ${delivered ? 'delivered' : (problem ?? 'not delivered')}`;
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
