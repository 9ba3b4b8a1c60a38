// What can wait until after the first picture: the colours of ANSI sequences, what is shown over the log, a notice about values of
// the link that are not possible, the announcements for screen readers, the alerts, what makes trouble stand out, and the counts by second.
import { h, render } from 'preact';
import { AlertWatch } from './alerts/watch.ts';
import type { App } from './app.ts';
import { Series } from './charts/series.ts';
import { lazyModule } from './lazy.ts';
import { Overlay } from './panels/overlay.tsx';
import { announce } from './panels/summary.ts';
import { SevereWatch } from './severe/watch.ts';
import { alertsAsOf } from './state/alerts.ts';
import { ignoredIn } from './state/link-check.ts';
import { notice, showNotice } from './state/store.ts';
import { noticeMissing, whenWanted } from './state/when-wanted.ts';
import '../styles/ansi.css';

const GREETED = 'llm-streamer.greeted';

/** Says to whoever is here for the first time where everything else is said. */
function greet(): void {
  if (notice.value !== '') return; // what is said there may be more urgent: the next visit is greeted
  try {
    if (localStorage.getItem(GREETED) !== null) return;
    localStorage.setItem(GREETED, '1');
  } catch {
    return; // without storage it would be said each time
  }
  showNotice('the key ? shows all keys, and how to filter; Enter or a click opens a row');
}

/** Returns the counts by second, which already hold the entries that came before. */
export function begin(app: App, element: (id: string) => HTMLElement): Series {
  // The URL may have changed since the page was opened; the navigation entry still holds the link as it was.
  const [navigation] = performance.getEntriesByType('navigation');
  const ignored = ignoredIn(new URL(navigation?.name ?? location.href).search);
  if (ignored.length > 0) showNotice(`the link asks for what is not possible: ${ignored.join(', ')}`);
  else greet();
  render(h(Overlay, { viewport: app.viewport }), element('over'));
  announce((listener) => app.onEntry(listener), element('summary'));
  new AlertWatch((listener) => app.onEntry(listener));
  const { session, viewport, cursor } = app;
  const onEntry = app.onEntry.bind(app);
  new SevereWatch({ session, viewport, cursor, onEntry }, element('stage'));
  whenWanted(
    () => alertsAsOf.value > 0,
    lazyModule(() => import('./alerts/mark.tsx'), noticeMissing('the list of alerts')),
    ({ mountAlerts }) => mountAlerts((patch) => app.goTo(patch)),
  );
  const series = new Series();
  app.countWith(series);
  return series;
}
