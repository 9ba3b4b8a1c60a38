// Where the fleet goes: over the log, and loaded when it is first opened.
import { lazyModule } from '../lazy.ts';
import { mountPicture } from '../pictures/mount-picture.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing } from '../state/when-wanted.ts';
import type { FleetContext } from './fleet.ts';

export function mountFleet(context: FleetContext, host: HTMLElement): void {
  mountPicture(
    host,
    () => viewState.value.fleet,
    lazyModule(() => import('./fleet.ts'), noticeMissing('the fleet')),
    ({ Fleet }) => new Fleet(context, host),
  );
}
