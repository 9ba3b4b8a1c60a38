// What lies over the log: the pill with what is new, or the empty state.
import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { lazyModule } from '../lazy.ts';
import type { Viewport } from '../log/viewport.ts';
import { figures, streamState, viewState } from '../state/store.ts';

const number = (n: number) => n.toLocaleString('en');

/** Of gaps and marks that stand above the empty state. */
const LINES_ABOVE = 12;

const emptyModule = lazyModule(() => import('./empty.tsx'));

export function Overlay({ viewport }: { viewport: Pick<Viewport, 'latest' | 'whereIWas'> }) {
  const { mode, unseen, unseenErrors } = figures.value;
  const isEmpty = useComputed(() => {
    const { kept, lines, hidden, live } = figures.value;
    return kept <= hidden && lines <= LINES_ABOVE && live && streamState.value.state === 'live';
  });
  const empty = useSignal<Awaited<ReturnType<typeof emptyModule>>>(undefined);
  // Not on each change of a figure: one that did not come is tried again with another view, or when the link is back.
  useSignalEffect(() => {
    void viewState.value;
    if (!isEmpty.value) return;
    emptyModule()
      .then((loaded) => {
        empty.value = loaded;
      })
      .catch(reportError);
  });
  return (
    <>
      {mode !== 'follow' && (
        <div class="pill">
          <button type="button" title="to the latest (G)" onClick={() => viewport.latest()}>
            ↓ {number(unseen)} new
            {unseenErrors > 0 && (
              <span class="bad">
                {' '}
                · {number(unseenErrors)} {unseenErrors === 1 ? 'error' : 'errors'}
              </span>
            )}{' '}
            <kbd>G</kbd>
          </button>
          <button
            type="button"
            title="to the first entry not seen yet (Space)"
            onClick={() => viewport.whereIWas()}
          >
            where I was <kbd>Space</kbd>
          </button>
        </div>
      )}
      {isEmpty.value && empty.value && <empty.value.Empty />}
    </>
  );
}
