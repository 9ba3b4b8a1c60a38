// Where a run's picture goes: over the log, and loaded when it is first opened.
import { lazyModule } from '../lazy.ts';
import { mountPicture } from '../pictures/mount-picture.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing } from '../state/when-wanted.ts';
import type { TimelineContext } from './timeline.ts';

export function mountTimeline(context: TimelineContext, host: HTMLElement): void {
  mountPicture(
    host,
    () => viewState.value.timeline !== '',
    lazyModule(() => import('./timeline.ts'), noticeMissing('the timeline')),
    ({ Timeline }) => new Timeline(context, host),
  );
}
