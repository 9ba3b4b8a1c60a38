// The top line: connection, channels, filter, level, and buttons for the run panel and the help.

import { LEVELS } from '@llm-streamer/shared/entry.ts';
import { alertPart } from '../state/alerts.ts';
import { whoPart } from '../state/identity.ts';
import { helpOpen, updateView, viewState } from '../state/store.ts';
import { LOG_ALONE } from '../state/view-state.ts';
import type { Session } from '../stream/session.ts';
import { Connection } from './connection.tsx';
import { FilterInput, type FilterInputProps } from './filter-input.tsx';

interface ToolbarProps extends FilterInputProps {
  session: Pick<Session, 'buffer'>;
  nudge(): void;
}

export function Toolbar({ session, viewport, nudge }: ToolbarProps) {
  const Part = whoPart.value;
  const Alerts = alertPart.value;
  const { channels, invalidChannels, fleet, running, list, level, panel } = viewState.value;
  return (
    <>
      <Connection nudge={nudge} />
      <button
        type="button"
        class="channels"
        aria-pressed={list}
        title={`channels: ${channels.join(', ')}`}
        onClick={() => updateView({ list: !list }, 'replace')}
      >
        ch:{channels.length > 2 ? `${channels[0]} +${channels.length - 1}` : channels.join(',')}
      </button>
      {invalidChannels.length > 0 && (
        <span class="bad" role="alert">
          no channel: <bdi>{invalidChannels.join(', ').slice(0, 60)}</bdi>
        </span>
      )}
      <FilterInput session={session} viewport={viewport} />
      <select
        aria-label="Lowest level shown"
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
        class="to-fleet"
        aria-pressed={fleet}
        title="all sources at a glance (f)"
        onClick={() => updateView({ ...LOG_ALONE, fleet: !fleet }, 'replace')}
      >
        fleet
      </button>
      <button
        type="button"
        class="to-running"
        aria-pressed={running}
        title="each generation that runs now (R)"
        onClick={() => updateView({ ...LOG_ALONE, running: !running }, 'replace')}
      >
        running
      </button>
      <button
        type="button"
        aria-pressed={panel === 'run'}
        title="ask the models (r)"
        onClick={() => updateView({ panel: panel === 'run' ? 'none' : 'run' }, 'replace')}
      >
        run
      </button>
      {Alerts && <Alerts />}
      {Part && <Part />}
      <button
        type="button"
        aria-label="Help and keys"
        title="keys (?)"
        onClick={() => {
          helpOpen.value = true;
        }}
      >
        ?
      </button>
    </>
  );
}
