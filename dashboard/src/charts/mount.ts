// Opens the charts strip; the charts themselves, and uPlot, are loaded when it first opens.
import { effect } from '@preact/signals';
import type { App } from '../app.ts';
import { view } from '../state/store.ts';

export function mountCharts(app: App, host: HTMLElement): void {
  let charts: { show(isOpen: boolean): void } | undefined;
  let loading = false;
  effect(() => {
    const isOpen = view.value.charts;
    host.hidden = !isOpen;
    charts?.show(isOpen);
    if (!isOpen || loading) return;
    loading = true;
    void import('./charts.ts').then(({ Charts }) => {
      charts = new Charts(app, host);
      charts.show(view.value.charts);
    });
  });
}
