// Shown over the log: how many new entries there are while the log is held or paused, or the empty state.
import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { lazyModule } from '../lazy.ts';
import type { Viewport } from '../log/viewport.ts';
import { figures, streamState, viewState } from '../state/store.ts';
import '../../styles/over.css';

const number = (n: number) => n.toLocaleString('en');

/** The empty state is shown below at most this many lines of gaps and marks. */
const LINES_ABOVE = 12;

const emptyModule = lazyModule(() => import('./empty.tsx'));

export function Overlay({ viewport }: { viewport: Pick<Viewport, 'latest' | 'whereIWas'> }) {
  const { mode, unseen, unseenErrors } = figures.value;
  const isEmpty = useComputed(() => {
    const { kept, lines, hidden, live } = figures.value;
    return kept <= hidden && lines <= LINES_ABOVE && live && streamState.value.state === 'live';
  });
  const empty = useSignal<Awaited<ReturnType<typeof emptyModule>>>(undefined);
  // After a failed load, another view or a new connection tries again, but not each change of a figure.
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
            ↓ {unseen > 0 ? `${number(unseen)} new` : 'latest'}
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
