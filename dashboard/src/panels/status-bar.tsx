// The bottom line: the mode, the ledger, counts of entries, notices, and buttons for how the log is shown.
import type { HistoryNavigator } from '../history/history-navigator.ts';
import { lazyModule } from '../lazy.ts';
import { clockOf } from '../log/time.ts';
import type { Viewport } from '../log/viewport.ts';
import { severe } from '../state/severe.ts';
import { figures, isFilteredByGateway, isWrapped, notice, updateView, viewState } from '../state/store.ts';
import { nextTimeMode } from '../state/view-state.ts';
import { noticeMissing } from '../state/when-wanted.ts';
import { copyText } from './copy.ts';

const curlModule = lazyModule(() => import('./copy-curl.ts'), noticeMissing('what writes curl lines'));

const number = (n: number) => n.toLocaleString('en');

interface StatusBarProps {
  viewport: Pick<Viewport, 'pause' | 'latest'>;
  history: Pick<HistoryNavigator, 'export'>;
}

export function StatusBar({ viewport, history }: StatusBarProps) {
  const { narrow, q } = viewState.value;
  const { mode, kept, hidden, evicted, perSecond, errorsPerSecond, spark } = figures.value;
  const Severe = severe.value?.Count;
  return (
    <>
      <button
        type="button"
        class={`mode ${mode}`}
        title="Space pauses, G follows"
        onClick={() => (mode === 'follow' ? viewport.pause() : viewport.latest())}
      >
        {mode.toUpperCase()}
      </button>
      <Ledger />
      {Severe && <Severe />}
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
        {narrow &&
          (isFilteredByGateway.value
            ? ' · more hidden on the server'
            : q !== '' && ' · a filter that only the page can apply')}
      </span>
      <span class="notice" role="status">
        {notice.value}
      </span>
      <span class="spacer-x" />
      <Choices history={history} />
    </>
  );
}

/** The ledger as in "lost 0 / 2,104,331": entries in gaps of known size, number of other gaps, entries received. */
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

function Choices({ history }: Pick<StatusBarProps, 'history'>) {
  const { time, fold, charts, theme } = viewState.value;
  const nextTheme = theme === 'auto' ? 'dark' : theme === 'dark' ? 'light' : 'auto';
  return (
    <span class="choices">
      <button
        type="button"
        title="form of times: local, UTC, relative, since the row before (T)"
        onClick={() => updateView({ time: nextTimeMode(time) }, 'replace')}
      >
        {time}
        <span class="wide"> time</span>
      </button>
      <button
        type="button"
        aria-pressed={isWrapped.value}
        title="wrap lines (w)"
        onClick={() => updateView({ wrap: !isWrapped.value }, 'replace')}
      >
        wrap<span class="wide"> lines</span>
      </button>
      <button
        type="button"
        aria-pressed={fold}
        title="a generation, a source’s numbers, a repeated line: one row each (x shows the entries)"
        onClick={() => updateView({ fold: !fold }, 'replace')}
      >
        fold<span class="wide"> rows</span>
      </button>
      <button
        type="button"
        aria-pressed={charts}
        title="charts of the last 15 minutes (v)"
        onClick={() => updateView({ charts: !charts }, 'replace')}
      >
        charts
      </button>
      <button
        type="button"
        title="save what is shown as a file of NDJSON (d)"
        onClick={() => history.export()}
      >
        export
      </button>
      <button
        type="button"
        title="copy the line that reads this view in a terminal"
        onClick={() =>
          curlModule()
            .then((loaded) => loaded?.copyCurl())
            .catch(reportError)
        }
      >
        <span class="wide">copy </span>curl
      </button>
      <button type="button" title="copy link (y)" onClick={() => copyText(location.href, 'link')}>
        <span class="wide">copy </span>link
      </button>
      <button
        type="button"
        class="to-screen"
        title="full screen without bars, for a second screen (F; Esc ends it)"
        onClick={() => updateView({ screen: true }, 'replace')}
      >
        <span class="wide">full </span>screen
      </button>
      <button
        type="button"
        aria-label={`Theme: ${theme}`}
        title={theme === 'auto' ? 'theme: as the system’s' : `theme: ${theme}`}
        onClick={() => updateView({ theme: nextTheme }, 'replace')}
      >
        {theme === 'auto' ? '◐' : theme === 'dark' ? '●' : '○'}
        <span class="wide"> theme</span>
      </button>
    </span>
  );
}
