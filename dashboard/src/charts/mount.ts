// Opens the charts strip; the charts and uPlot are loaded when the strip first opens.
import { computed, effect, untracked } from '@preact/signals';
import { lazyModule } from '../lazy.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing, whenWanted } from '../state/when-wanted.ts';
import type { ChartsContext } from './charts.ts';

export function mountCharts(context: ChartsContext, host: HTMLElement): void {
  const isOpen = computed(() => viewState.value.charts);
  effect(() => {
    host.hidden = !isOpen.value;
  });
  whenWanted(
    () => isOpen.value,
    lazyModule(() => import('./charts.ts'), noticeMissing('the charts')),
    ({ Charts }) => {
      const charts = new Charts(context, host);
      effect(() => {
        const open = isOpen.value;
        untracked(() => charts.show(open));
      });
    },
  );
}
