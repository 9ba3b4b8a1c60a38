// Opens the charts strip; the charts themselves, and uPlot, are loaded when it first opens.
import { computed, effect, untracked } from '@preact/signals';
import type { App } from '../app.ts';
import { lazyModule, whenWanted } from '../lazy.ts';
import { viewState } from '../state/store.ts';

export function mountCharts(app: App, host: HTMLElement): void {
  const isOpen = computed(() => viewState.value.charts);
  effect(() => {
    host.hidden = !isOpen.value;
  });
  whenWanted(
    () => isOpen.value,
    lazyModule(() => import('./charts.ts'), 'the charts'),
    ({ Charts }) => {
      const charts = new Charts(app, host);
      effect(() => {
        const open = isOpen.value;
        untracked(() => charts.show(open));
      });
    },
  );
}
