// Where a run's picture goes: over the log, and loaded when it is first opened.
import { effect } from '@preact/signals';
import { lazyModule } from '../lazy.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing, whenWanted } from '../state/when-wanted.ts';
import type { TimelineContext } from './timeline.ts';

export function mountTimeline(context: TimelineContext, host: HTMLElement): void {
  const isOpen = () => viewState.value.timeline !== '';
  effect(() => {
    host.hidden = !isOpen();
  });
  whenWanted(
    isOpen,
    lazyModule(() => import('./timeline.ts'), noticeMissing('the timeline')),
    ({ Timeline }) => new Timeline(context, host),
  );
}
