// The filter's input. Enter filters, Alt+Enter only highlights, Esc closes an open list of completions or else clears
// the filter.
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { lazyModule } from '../lazy.ts';
import type { Completion } from '../log/completion.ts';
import type { Viewport } from '../log/viewport.ts';
import { filterProblem, updateView, viewState } from '../state/store.ts';
import type { Session } from '../stream/session.ts';

const completionModule = lazyModule(() => import('../log/completion.ts'));

export interface FilterInputProps {
  session: Pick<Session, 'buffer'>;
  viewport: Pick<Viewport, 'scroller'>;
}

export function FilterInput({ session, viewport }: FilterInputProps) {
  const input = useRef<HTMLInputElement>(null);
  const { q, hl, narrow, range } = viewState.value;
  const offered = useSignal<Completion | undefined>(undefined);
  const chosen = useSignal(-1);
  /** Counts requests for completions; the answer to an older request is dropped. */
  const requests = useRef(0);
  // A layout effect runs before the next key arrives, so that it never overwrites what is typed after Enter.
  useLayoutEffect(() => {
    if (input.current) input.current.value = q || hl;
  }, [q, hl]);

  const complete = async () => {
    const request = ++requests.current;
    const loaded = await completionModule();
    const field = input.current;
    if (!field || request !== requests.current) return;
    const caret = field.selectionStart ?? field.value.length;
    offered.value = loaded?.complete(field.value, caret, session.buffer);
    chosen.value = -1;
  };
  const offer = () => {
    complete().catch(reportError);
  };
  const closeList = () => {
    requests.current++;
    offered.value = undefined;
    chosen.value = -1;
  };
  const insertValue = (value: string) => {
    const field = input.current;
    const { start, end } = offered.value ?? { start: 0, end: 0 };
    if (!field) return;
    field.value = `${field.value.slice(0, start)}${value}${field.value.slice(end)}`;
    field.setSelectionRange(start + value.length, start + value.length);
    closeList();
    if (value.endsWith(':')) offer();
  };
  const keydown = (event: KeyboardEvent) => {
    const options = offered.value?.values ?? [];
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const field = input.current;
    if (!field) return;
    if (step !== 0 && options.length > 0) {
      event.preventDefault();
      chosen.value = (chosen.value + step + options.length) % options.length;
    } else if ((event.key === 'Tab' || event.key === 'Enter') && options.length > 0 && chosen.value >= 0) {
      event.preventDefault();
      insertValue(options[chosen.value] ?? '');
    } else if (event.key === 'Enter') {
      event.preventDefault();
      closeList();
      if (event.altKey) updateView({ hl: field.value, q: '' });
      else updateView({ q: field.value.trim(), hl: '' });
    } else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      closeList();
      if (options.length === 0) {
        field.value = '';
        updateView({ q: '', hl: '' });
        field.blur();
        viewport.scroller.focus({ preventScroll: true });
      }
    }
  };
  const values = offered.value?.values ?? [];
  const problem = filterProblem.value;
  return (
    <span class="filter">
      <span class="slash" aria-hidden="true">
        /
      </span>
      <input
        ref={input}
        id="filter"
        type="text"
        role="combobox"
        aria-label="Filter"
        aria-autocomplete="list"
        aria-expanded={values.length > 0}
        aria-controls="filter-options"
        aria-activedescendant={chosen.value >= 0 ? `filter-option-${chosen.value}` : undefined}
        aria-invalid={problem !== ''}
        spellcheck={false}
        autocomplete="off"
        placeholder="filter: error -heartbeat source:gpu-* ttft>800"
        onInput={offer}
        onKeyDown={keydown}
        onBlur={closeList}
      />
      {values.length > 0 && (
        <div id="filter-options" role="listbox" aria-label="Values seen">
          {values.map((value, i) => (
            <div
              key={value}
              id={`filter-option-${i}`}
              role="option"
              tabIndex={-1}
              aria-selected={i === chosen.value}
              onPointerDown={(event) => {
                event.preventDefault();
                insertValue(value);
              }}
            >
              {value}
            </div>
          ))}
        </div>
      )}
      {problem !== '' && (
        <span class="problem bad" role="alert">
          {problem}; not applied
        </span>
      )}
      {hl !== '' && <span class="tag">highlight only</span>}
      {range && (
        <button type="button" class="tag" title="all times" onClick={() => updateView({ range: undefined })}>
          {new Date(range.from).toISOString().slice(11, 19)}–{new Date(range.to).toISOString().slice(11, 19)}{' '}
          ✕
        </button>
      )}
      <button
        type="button"
        aria-pressed={narrow}
        title="Let the gateway apply the filter too: less travels, but what it hides is not here when the filter changes"
        onClick={() => updateView({ narrow: !narrow })}
      >
        narrow
      </button>
    </span>
  );
}
