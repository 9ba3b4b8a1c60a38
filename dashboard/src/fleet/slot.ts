// Where the fleet goes: over the log, and loaded when it is first opened.
import { effect } from '@preact/signals';
import { lazyModule } from '../lazy.ts';
import { viewState } from '../state/store.ts';
import { noticeMissing, whenWanted } from '../state/when-wanted.ts';
import type { FleetContext } from './fleet.ts';

export function mountFleet(context: FleetContext, host: HTMLElement): void {
  const isOpen = () => viewState.value.fleet;
  effect(() => {
    host.hidden = !isOpen();
  });
  whenWanted(
    isOpen,
    lazyModule(() => import('./fleet.ts'), noticeMissing('the fleet')),
    ({ Fleet }) => new Fleet(context, host),
  );
}
