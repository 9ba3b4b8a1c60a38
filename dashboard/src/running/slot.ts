// Where the list of what runs goes: over the log, and loaded when it is first opened.
import { lazyModule } from '../lazy.ts';
import { mountPicture } from '../pictures/mount-picture.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing } from '../state/when-wanted.ts';
import type { RunningContext } from './running.ts';

export function mountRunning(context: RunningContext, host: HTMLElement): void {
  mountPicture(
    host,
    () => viewState.value.running,
    lazyModule(() => import('./running.ts'), noticeMissing('what runs')),
    ({ Running }) => new Running(context, host),
  );
}
