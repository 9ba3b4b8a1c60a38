// How many errors and warnings have come since the reader last looked; a click leads to the first.
import type { Signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import type { Counts } from './scan.ts';

const number = (n: number, what: string) => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;

export function countOf(counts: Signal<Counts>, look: () => void): ComponentType {
  return () => {
    const { errors, warnings } = counts.value;
    return (
      <button
        type="button"
        class={`severe ${errors > 0 ? 'bad' : warnings > 0 ? 'warn' : 'dim'}`}
        title="since you last looked; go to the first of them (!)"
        onClick={look}
      >
        {(errors > 0 || warnings === 0) && number(errors, 'error')}
        {errors > 0 && warnings > 0 && <span> · {number(warnings, 'warning')}</span>}
        {errors === 0 && warnings > 0 && number(warnings, 'warning')}
      </button>
    );
  };
}
