// The run panel: a prompt, a lane for each model call, their summary, and the recent runs.

import { RUN_PREFIX } from '@llm-streamer/shared/channels.ts';
import type { RunSnapshot } from '@llm-streamer/shared/run.ts';
import { effect, untracked, useSignal, useSignalEffect } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { duration } from '../log/time.ts';
import type { Viewport } from '../log/viewport.ts';
import { copyText } from '../panels/copy.ts';
import { profile } from '../state/identity.ts';
import {
  clockSkew,
  filterLog,
  isFeedOpen,
  isFiltered,
  mayStop,
  run,
  runInUrl,
  shownChannel,
  unfilterLog,
} from '../state/run-state.ts';
import { linkedRun, streamState, updateView } from '../state/store.ts';
import { LOG_ALONE } from '../state/view-state.ts';
import '../../styles/runs.css';
import { Lane } from './lane.tsx';
import { Prompt, RUN_KEY } from './prompt.tsx';
import { Recent } from './recent.tsx';
import { cancelRun, UNREACHABLE } from './run-client.ts';
import { RunFeed } from './run-feed.ts';

interface PanelProps {
  show(channel: string): void;
  viewport: Pick<Viewport, 'latest'>;
}

export function mountPanel(viewport: PanelProps['viewport'], host: HTMLElement): void {
  const feed = new RunFeed();
  const wanted = runInUrl();
  if (wanted !== undefined) feed.show(wanted);
  render(<Panel show={feed.show} viewport={viewport} />, host);
  effect(() => {
    if (profile.value) untracked(feed.again);
  });
  addEventListener('online', feed.nudge);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && feed.nudge());
}

const TICK_MS = 200;

function Panel({ show, viewport }: PanelProps) {
  const problem = useSignal('');
  const now = useNow();
  useSignalEffect(() => {
    if (streamState.value.state === 'live' && problem.peek() === UNREACHABLE) problem.value = '';
  });
  const current = run.value;
  const tasks = current?.lanes.filter(({ role }) => role !== 'combiner') ?? [];
  const combiner = current?.lanes.find(({ role }) => role === 'combiner');
  return (
    <div
      class="run"
      // While the reader points at a lane, the run's rows in the log are marked.
      onPointerOver={({ target }) => {
        const isOnLane = target instanceof Element && target.closest('.lane') !== null;
        linkedRun.value = isOnLane ? current?.id : undefined;
      }}
      onPointerLeave={() => {
        linkedRun.value = undefined;
      }}
    >
      <Prompt problem={problem} show={show} />
      {problem.value !== '' && (
        <p class="bad" role="alert">
          {problem.value}
        </p>
      )}
      {current && <Heading current={current} now={now} problem={problem} />}
      {tasks.length > 0 && (
        <div class="lanes">
          {tasks.map((lane) => (
            <Lane key={lane.lane} lane={lane} now={now} />
          ))}
        </div>
      )}
      {combiner && (
        <section class="summary" aria-label="Summary">
          <Lane lane={combiner} now={now} />
          {combiner.text !== '' && (
            <button type="button" class="copy" onClick={() => copyText(combiner.text, 'summary')}>
              copy summary
            </button>
          )}
        </section>
      )}
      <Recent show={show} viewport={viewport} />
    </div>
  );
}

interface HeadingProps {
  current: RunSnapshot;
  now: number;
  problem: { value: string };
}

function Heading({ current, now, problem }: HeadingProps) {
  const { id, state, started, ended, lanes, error } = current;
  const stop = useRef<HTMLButtonElement>(null);
  const inLog = useRef<HTMLButtonElement>(null);
  // When the Stop button disappears with the focus on it, the focus moves to the button before it.
  const hasFocus = stop.current !== null && document.activeElement === stop.current;
  useLayoutEffect(() => {
    if (hasFocus && stop.current === null) inLog.current?.focus();
  });
  const channel = shownChannel.value;
  const isInLog = isFiltered(channel);
  const elapsed = started > 0 ? duration(Math.max(0, (ended || now) - started)) : '';
  const done = lanes.filter((lane) => lane.state === 'finished').length;
  const isUnknown = lanes.length === 0;
  const status = isUnknown
    ? 'no entries of this run are kept'
    : (error?.message ?? `${state} · ${done} of ${lanes.length} done`);
  return (
    <div class="heading">
      <span role="status" class={state === 'finished' ? 'good' : error ? 'bad' : ''}>
        {status}
      </span>
      {elapsed !== '' && <span class="dim">{elapsed}</span>}
      {isFeedOpen.value === false && state === 'running' && <span class="warn">reconnecting…</span>}
      <span class="spacer-x" />
      <button
        ref={inLog}
        type="button"
        aria-pressed={isInLog}
        title={`filter the log to run ${id}`}
        onClick={() => (isInLog ? unfilterLog() : filterLog(channel))}
      >
        in log
      </button>
      <button
        type="button"
        title="where its time went (t on its rows)"
        onClick={() => updateView({ ...LOG_ALONE, timeline: channel.slice(RUN_PREFIX.length) }, 'replace')}
      >
        timeline
      </button>
      {state === 'running' && !isUnknown && mayStop(channel) && (
        <button
          ref={stop}
          type="button"
          class="stop"
          onClick={() => {
            cancelRun(channel).catch((failure: Error) => {
              problem.value = failure.message;
            });
          }}
        >
          ■ Stop {RUN_KEY}
        </button>
      )}
    </div>
  );
}

/** The gateway's time, which advances while a run is running. */
function useNow(): number {
  const tick = useSignal(Date.now());
  const isRunning = useSignal(false);
  useSignalEffect(() => {
    isRunning.value = run.value?.state === 'running';
  });
  useEffect(() => {
    if (!isRunning.value) return;
    const timer = setInterval(() => {
      tick.value = Date.now();
    }, TICK_MS);
    return () => clearInterval(timer);
  }, [isRunning.value]);
  return tick.value + clockSkew.value;
}
