// Where the run panel goes: loaded when `panel=run` opens it. Absent panel, absent slot.
import { effect } from '@preact/signals';
import type { App } from '../app.ts';
import { view } from '../state/store.ts';

export interface RunPanel {
  /** Fills the panel; called once, when it is first opened. */
  mountPanel(app: App, host: HTMLElement): void;
}

const found = Object.values(import.meta.glob<RunPanel>('./panel.tsx'));

/** Whether this build has a run panel. */
export const hasRunPanel = found.length > 0;

export function mountRunPanel(app: App, host: HTMLElement): void {
  let isMounted = false;
  effect(() => {
    const isOpen = hasRunPanel && view.value.panel === 'run';
    host.hidden = !isOpen;
    if (!isOpen || isMounted) return;
    isMounted = true;
    void found[0]?.().then((panel) => panel.mountPanel(app, host));
  });
}
