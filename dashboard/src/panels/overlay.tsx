// What lies over the log: the pill with what is new, or the empty state.
import { useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import type { App } from '../app.ts';
import { figures, link } from '../state/store.ts';

const number = (n: number) => n.toLocaleString('en');

export function Overlay({ app }: { app: App }) {
  const { mode, unseen, unseenErrors, kept, live } = figures.value;
  const isEmpty = kept === 0 && link.value.state === 'live' && live;
  const empty = useSignal<{ Empty: ComponentType } | undefined>(undefined);
  if (isEmpty && !empty.value) {
    void import('./empty.tsx').then((module) => {
      empty.value = module;
    });
  }
  return (
    <>
      {mode !== 'follow' && (
        <div class="pill">
          <button type="button" title="to the latest (G)" onClick={() => app.viewport.latest()}>
            ↓ {number(unseen)} new
            {unseenErrors > 0 && <span class="bad"> · {number(unseenErrors)} errors</span>} <kbd>G</kbd>
          </button>
          <button
            type="button"
            title="to the first entry not seen yet (Space)"
            onClick={() => app.viewport.whereIWas()}
          >
            where I was <kbd>Space</kbd>
          </button>
        </div>
      )}
      {isEmpty && empty.value && <empty.value.Empty />}
    </>
  );
}
