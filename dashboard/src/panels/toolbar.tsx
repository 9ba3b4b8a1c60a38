// The top line: connection, channels, filter, level, and buttons for the pictures, the run panel and the help.

import { LEVELS } from '@llm-streamer/shared/entry.ts';
import { lazyModule } from '../lazy.ts';
import { alertPart } from '../state/alerts.ts';
import { whoPart } from '../state/identity.ts';
import { helpOpen, updateView, viewState } from '../state/store.ts';
import { LOG_ALONE } from '../state/view-state.ts';
import { noticeMissing } from '../state/when-wanted.ts';
import type { Session } from '../stream/session.ts';
import { Connection } from './connection.tsx';
import { FilterInput, type FilterInputProps } from './filter-input.tsx';

const timelineModule = lazyModule(() => import('./open-timeline.ts'), noticeMissing('the timeline'));

interface ToolbarProps extends FilterInputProps {
  session: Pick<Session, 'buffer'>;
  nudge(): void;
}

export function Toolbar({ session, viewport, nudge }: ToolbarProps) {
  const Part = whoPart.value;
  const Alerts = alertPart.value;
  const { channels, invalidChannels, fleet, running, timeline, list, level, panel } = viewState.value;
  return (
    <>
      <Connection nudge={nudge} />
      <button
        type="button"
        class="channels"
        aria-pressed={list}
        title={`channels (L): ${channels.join(', ')}`}
        onClick={() => updateView({ list: !list }, 'replace')}
      >
        {channels[0] === '*' ? 'all channels' : channels[0]}
        {channels.length > 1 && ` +${channels.length - 1}`}
      </button>
      {invalidChannels.length > 0 && (
        <span class="bad" role="alert">
          no channel: <bdi>{invalidChannels.join(', ').slice(0, 60)}</bdi>
        </span>
      )}
      <FilterInput session={session} viewport={viewport} />
      <select
        aria-label="Lowest level shown"
        title="lowest level shown (1 to 5)"
        class={`level l${Math.max(0, LEVELS.indexOf(level || 'trace'))}`}
        value={level}
        onChange={(event) => {
          const wanted = LEVELS.find((each) => each === event.currentTarget.value);
          updateView({ level: wanted === 'trace' ? '' : (wanted ?? '') });
        }}
      >
        <option value="">all levels</option>
        {LEVELS.slice(1).map((each) => (
          <option key={each} value={each}>
            {each}+
          </option>
        ))}
      </select>
      <button
        type="button"
        class="picture"
        aria-pressed={fleet}
        title="all sources at a glance (f)"
        onClick={() => updateView({ ...LOG_ALONE, fleet: !fleet }, 'replace')}
      >
        fleet
      </button>
      <button
        type="button"
        class="picture"
        aria-pressed={running}
        title="each generation that runs now (R)"
        onClick={() => updateView({ ...LOG_ALONE, running: !running }, 'replace')}
      >
        running<span class="wide"> now</span>
      </button>
      <button
        type="button"
        class="picture"
        aria-pressed={timeline !== ''}
        title="where the time of a run went: of the row you are at, or of the newest (t)"
        onClick={() => {
          if (timeline !== '') updateView(LOG_ALONE, 'replace');
          else
            timelineModule()
              .then((loaded) => loaded?.openTimeline(session.buffer))
              .catch(reportError);
        }}
      >
        <span class="wide">run </span>timeline
      </button>
      <button
        type="button"
        class="picture"
        aria-pressed={panel === 'run'}
        title="ask the models, and see their answers (r)"
        onClick={() => updateView({ panel: panel === 'run' ? 'none' : 'run' }, 'replace')}
      >
        ask<span class="wide"> models</span>
      </button>
      <button
        type="button"
        aria-pressed={panel === 'chat'}
        title="ask an agent (C)"
        onClick={() => updateView({ panel: panel === 'chat' ? 'none' : 'chat' }, 'replace')}
      >
        chat
      </button>
      {Alerts && <Alerts />}
      {Part && <Part />}
      <button
        type="button"
        aria-label="Help and keys"
        title="help: keys, and how to filter (?)"
        onClick={() => {
          helpOpen.value = true;
        }}
      >
        ?<span class="wide"> help</span>
      </button>
    </>
  );
}
