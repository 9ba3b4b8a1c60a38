// The filter's input. Enter filters, Alt+Enter only highlights, Esc closes an open list of completions or else clears
// the filter.
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { lazyModule } from '../lazy.ts';
import type { Viewport } from '../log/viewport.ts';
import { filterProblem, isFilteredByGateway, showNotice, updateView, viewState } from '../state/store.ts';
import { LOG_ALONE } from '../state/view-state.ts';
import type { Session } from '../stream/session.ts';
import type { CompletionList, Completions } from './completions.tsx';

const completionModule = lazyModule(() => import('./completions.tsx'));

export interface FilterInputProps {
  session: Pick<Session, 'buffer'>;
  viewport: Pick<Viewport, 'scroller'>;
}

export function FilterInput({ session, viewport }: FilterInputProps) {
  const input = useRef<HTMLInputElement>(null);
  const { q, hl, narrow, range } = viewState.value;
  const list = useSignal<{ completions: Completions; List: typeof CompletionList } | undefined>(undefined);
  /** Counts what was typed: completions that are loaded after another key are not offered. */
  const typed = useRef(0);
  // A layout effect runs before the next key arrives, so that it never overwrites what is typed after Enter.
  useLayoutEffect(() => {
    if (input.current) input.current.value = q || hl;
  }, [q, hl]);

  const offer = async () => {
    const latest = ++typed.current;
    const loaded = await completionModule();
    if (!loaded || !input.current || latest !== typed.current) return;
    list.value ??= {
      completions: new loaded.Completions(input.current, session.buffer),
      List: loaded.CompletionList,
    };
    list.value.completions.offer();
  };
  const closeList = () => {
    typed.current++;
    list.value?.completions.close();
  };
  const keydown = (event: KeyboardEvent) => {
    const { key } = event;
    const field = input.current;
    if (!field) return;
    const isHandled = list.value?.completions.press(key);
    if (isHandled || key === 'Enter' || key === 'Escape') event.preventDefault();
    if (key === 'Escape') event.stopPropagation();
    if (isHandled) return;
    if (key === 'Enter') {
      closeList();
      if (event.altKey) updateView({ hl: field.value, q: '' });
      else {
        const q = field.value.trim();
        // Who filters wants to see the lines, and not what covers them.
        updateView({ q, hl: '', ...(q !== '' && LOG_ALONE) });
      }
    } else if (key === 'Escape') {
      closeList();
      field.value = '';
      updateView({ q: '', hl: '' });
      field.blur();
      viewport.scroller.focus({ preventScroll: true });
    }
  };
  const { completions, List } = list.value ?? {};
  const chosen = completions?.chosen.value ?? -1;
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
        aria-expanded={(completions?.offered.value.length ?? 0) > 0}
        aria-controls="filter-options"
        aria-activedescendant={chosen >= 0 ? `filter-option-${chosen}` : undefined}
        aria-invalid={problem !== ''}
        spellcheck={false}
        autocomplete="off"
        placeholder="filter: error -heartbeat source:gpu-* ttft>800"
        onInput={() => offer().catch(reportError)}
        onKeyDown={keydown}
        onBlur={closeList}
      />
      {completions && List && <List completions={completions} />}
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
        title="let the gateway filter, too: less travels, but what it hides is not here when the filter changes"
        onClick={() => {
          // What was typed is what the reader wants to be applied.
          const typed = hl === '' ? (input.current?.value.trim() ?? q) : q;
          const wasFiltered = isFilteredByGateway.value;
          updateView({ narrow: !narrow, q: typed });
          if (isFilteredByGateway.value !== wasFiltered)
            showNotice('the page begins anew with what the gateway sends');
        }}
      >
        on server
      </button>
    </span>
  );
}
