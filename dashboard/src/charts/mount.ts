// Opens the charts strip; the charts and uPlot are loaded when the strip first opens.
import { computed, effect, type Signal, untracked } from '@preact/signals';
import { lazyModule } from '../lazy.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing, whenWanted } from '../state/when-wanted.ts';
import type { ChartsContext } from './charts.ts';
import type { Series } from './series.ts';

/** `series` is absent until what counts the entries is loaded. */
export function mountCharts(
  series: Signal<Series | undefined>,
  context: Omit<ChartsContext, 'series'>,
  host: HTMLElement,
): void {
  const isOpen = computed(() => viewState.value.charts);
  effect(() => {
    host.hidden = !isOpen.value;
  });
  whenWanted(
    () => isOpen.value && series.value !== undefined,
    lazyModule(() => import('./charts.ts'), noticeMissing('the charts')),
    ({ Charts }) => {
      if (!series.value) return;
      const charts = new Charts({ ...context, series: series.value }, host);
      effect(() => {
        const open = isOpen.value;
        untracked(() => charts.show(open));
      });
    },
  );
}
