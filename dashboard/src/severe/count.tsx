// How many errors and warnings have come since the reader last looked, with `…` where more may be found; a click leads to the first.
import type { Signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { plural } from '../pictures/words.ts';
import type { Counts } from './scan.ts';

export function countOf(counts: Signal<Counts>, look: () => void): ComponentType {
  return () => {
    const { errors, warnings, isPartial } = counts.value;
    return (
      <button
        type="button"
        class={`severe ${errors > 0 ? 'bad' : warnings > 0 ? 'warn' : 'dim'}`}
        title="since you last looked; go to the first of them (!)"
        onClick={look}
      >
        {(errors > 0 || warnings === 0) && plural(errors, 'error')}
        {errors > 0 && warnings > 0 && <span> · {plural(warnings, 'warning')}</span>}
        {errors === 0 && warnings > 0 && plural(warnings, 'warning')}
        {isPartial && '…'}
      </button>
    );
  };
}
