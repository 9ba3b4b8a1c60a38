// Which views may want an entry. Where they are many, each is filed under one thing that its filter asks for, so that an
// entry costs a look for each kind of thing, and nothing for views that want something else.

import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { isExact } from '@llm-streamer/shared/channels.ts';
import { Bucket } from './bucket.ts';
import { NeedleIndex } from './needle-index.ts';
import type { Selection } from './query.ts';
import { searchedTexts } from './searched-texts.ts';

/** Asking so many views costs less than finding out whom to ask. */
const FEW = 8;

export class ViewIndex<V extends { readonly selection: Selection }> {
  readonly #views: V[] = [];
  /** Those whose filter names nothing to file them under: none, a level alone, a source of stars alone. */
  readonly #always: V[] = [];
  readonly #byRun = new Map<string, V[]>();
  readonly #bySource = new Map<string, V[]>();
  /** By what stands between the stars. */
  readonly #bySourcePart = new NeedleIndex<V>();
  readonly #byText = new NeedleIndex<V>();
  readonly #filed = new Map<V, Bucket<string, V> | Bucket<number, V> | null>();

  get all(): readonly V[] {
    return this.#views;
  }

  add(view: V): void {
    const [smallest = null] = this.#bucketsFor(view.selection).sort((a, b) => a.size - b.size);
    this.#views.push(view);
    this.#filed.set(view, smallest);
    if (smallest) smallest.add(view);
    else this.#always.push(view);
  }

  remove(view: V): void {
    const bucket = this.#filed.get(view);
    if (bucket === undefined) return;
    this.#filed.delete(view);
    this.#views.splice(this.#views.indexOf(view), 1);
    if (bucket) bucket.remove(view);
    else this.#always.splice(this.#always.indexOf(view), 1);
  }

  /** Every view that wants the entry, each once, and a few that do not. */
  candidates(record: LogRecord): readonly V[] {
    if (this.#views.length <= FEW) return this.#views;
    const { run, source } = record.entry;
    const found = [
      ...this.#always,
      ...((run !== undefined && this.#byRun.get(run)) || []),
      ...(this.#bySource.get(source) ?? []),
    ];
    if (!this.#bySourcePart.isEmpty) this.#bySourcePart.collect([source], found);
    if (!this.#byText.isEmpty) this.#byText.collect(searchedTexts(record), found);
    return found;
  }

  #bucketsFor({ run, source, q }: Selection) {
    return [
      ...(run === undefined ? [] : [new Bucket(this.#byRun, run)]),
      ...(source === undefined ? [] : this.#bucketsForSource(source)),
      ...(q === undefined ? [] : this.#byText.buckets(q.toLowerCase())),
    ];
  }

  #bucketsForSource(source: string) {
    if (isExact(source)) return [new Bucket(this.#bySource, source)];
    const [longest = ''] = source.split('*').sort((a, b) => b.length - a.length);
    return longest === '' ? [] : this.#bySourcePart.buckets(longest);
  }
}
