// The bottom line: mode, the ledger, what is kept and hidden, and how things are shown.
import type { App } from '../app.ts';
import { lazyModule } from '../lazy.ts';
import { clockOf, TIME_MODES } from '../log/time.ts';
import { figures, notice, update, viewState } from '../state/store.ts';

const curl = lazyModule(() => import('./copy-curl.ts'), 'what writes curl lines');

const number = (n: number) => n.toLocaleString('en');

export function StatusBar({ app }: { app: App }) {
  const { mode, kept, hidden, evicted, perSecond, errorsPerSecond, spark } = figures.value;
  return (
    <>
      <button
        type="button"
        class={`mode ${mode}`}
        title="Space pauses, G follows"
        onClick={() => (mode === 'follow' ? app.viewport.pause() : app.viewport.latest())}
      >
        {mode.toUpperCase()}
      </button>
      <Ledger />
      <span class="rate" title="entries per second, and errors">
        <span class="dim" aria-hidden="true">
          {spark}
        </span>{' '}
        {number(perSecond)}/s
        {errorsPerSecond > 0 && <span class="bad"> {number(errorsPerSecond)} err/s</span>}
      </span>
      <span class="dim kept" title={`${number(evicted)} older ones evicted from this page`}>
        {number(kept)} kept{hidden > 0 && ` · ${number(hidden)} hidden by filter`}
        {evicted > 0 && ` · ${number(evicted)} evicted`}
      </span>
      <span class="notice" role="status">
        {notice.value}
      </span>
      <span class="spacer-x" />
      <Choices app={app} />
    </>
  );
}

/** "lost 0 / 2,104,331": the sum of the gaps, and how many have no known size. */
function Ledger() {
  const { lost, unknownGaps, received, checks, checkedAt, duplicates, live } = figures.value;
  const isWhole = lost === 0 && unknownGaps === 0;
  const checked =
    checks === 0
      ? 'not checked yet: the first comparison comes with the next ping'
      : `checked ${number(checks)} times, last at ${clockOf(checkedAt)}`;
  return (
    <span
      class={`ledger ${isWhole ? (checks > 0 ? 'good' : '') : 'bad'}`}
      title={`received = replayed + (ping.count − hello.count), compared at each ping; ${checked}; ${number(duplicates)} repeats left out`}
    >
      lost {number(lost)}
      {unknownGaps > 0 && ` + ${unknownGaps} of unknown size`} / {number(received)}
      {checks > 0 && isWhole && live && ' ✓'}
    </span>
  );
}

function Choices({ app }: { app: App }) {
  const { time, wrap, fold, charts, theme } = viewState.value;
  const isWrapped = wrap ?? matchMedia('(max-width: 700px)').matches;
  const nextTheme = theme === 'auto' ? 'dark' : theme === 'dark' ? 'light' : 'auto';
  return (
    <span class="choices">
      <button
        type="button"
        title="time: local, UTC, relative, delta (t)"
        onClick={() => update({ time: nextTime() }, 'replace')}
      >
        {time}
      </button>
      <button
        type="button"
        aria-pressed={isWrapped}
        title="wrap lines (w)"
        onClick={() => update({ wrap: !isWrapped }, 'replace')}
      >
        wrap
      </button>
      <button
        type="button"
        aria-pressed={fold}
        title="fold the deltas of a generation into one line (x: only the one under the cursor)"
        onClick={() => update({ fold: !fold }, 'replace')}
      >
        fold
      </button>
      <button
        type="button"
        aria-pressed={charts}
        title="charts"
        onClick={() => update({ charts: !charts }, 'replace')}
      >
        charts
      </button>
      <button type="button" title="export what is shown as NDJSON (d)" onClick={() => app.past.export()}>
        ↓NDJSON
      </button>
      <button
        type="button"
        title="copy as curl: the same stream in a terminal"
        onClick={() =>
          curl()
            .then((loaded) => loaded?.copyCurl(app))
            .catch(reportError)
        }
      >
        curl
      </button>
      <button
        type="button"
        title="copy link to this view (y)"
        onClick={() => app.copy(location.href, 'link')}
      >
        link
      </button>
      <button
        type="button"
        aria-label={`Theme: ${theme}`}
        title={`theme: ${theme}`}
        onClick={() => update({ theme: nextTheme }, 'replace')}
      >
        {theme === 'auto' ? '◐' : theme === 'dark' ? '●' : '○'}
      </button>
    </span>
  );
}

export function nextTime(): (typeof TIME_MODES)[number] {
  return TIME_MODES[(TIME_MODES.indexOf(viewState.value.time) + 1) % TIME_MODES.length] ?? 'local';
}
