// The mark in the top line, with how many alerts fire, and under it their list. Each leads to the entry that made it fire, or else to
// its own entries. It stands where there are rules, also while nothing fires.
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { useRef } from 'preact/hooks';
import { quoted } from '../log/quoted.ts';
import { logView } from '../pictures/log-view.ts';
import type { Alert } from '../state/alert.ts';
import { alertPart, alerts, alertsAsOf, alertsOpen } from '../state/alerts.ts';
import type { ViewState } from '../state/view-state.ts';
import { AlertList } from './list.tsx';
import '../../styles/alerts.css';

type GoTo = (patch: Partial<ViewState>) => void;

export function mountAlerts(goTo: GoTo): void {
  alertPart.value = () => <Mark goTo={(alert) => leadTo(alert, goTo)} />;
}

function leadTo({ cause, id }: Alert, goTo: GoTo): void {
  alertsOpen.value = false;
  if (cause) goTo({ ...logView('', cause.id), channels: [cause.channel] });
  else goTo({ ...logView(`alert:${quoted(id)}`, undefined), channels: [CHANNELS.alerts] });
}

function Mark({ goTo }: { goTo(alert: Alert): void }) {
  const button = useRef<HTMLButtonElement>(null);
  const firing = alerts.value;
  const isHere = alertsAsOf.value > 0;
  const isOpen = alertsOpen.value && isHere;
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
      {isHere && (
        <button
          ref={button}
          type="button"
          class={firing.some(({ isError }) => isError) ? 'bad' : firing.length > 0 ? 'warn' : 'dim'}
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
      {isOpen && <AlertList firing={firing} close={close} goTo={goTo} />}
    </span>
  );
}
