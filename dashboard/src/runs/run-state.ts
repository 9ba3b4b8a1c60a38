// Which run the panel shows, as signals. Its id is in the URL, so that a reload or a link carries on with it.

import type { RunView } from '@llm-streamer/shared/run.ts';
import { signal } from '@preact/signals';
import { update, viewState } from '../state/store.ts';
import { RunFeed } from './run-feed.ts';

/** The query parameter that names the run. */
const SHOW = 'show';
const ID = /^[A-Za-z0-9_.-]{1,128}$/;

export const run = signal<RunView | undefined>(undefined);
/** Whether the run's stream is open; undefined where it needs none. */
export const feedOpen = signal<boolean | undefined>(undefined);
/** How far the gateway's clock is ahead of ours, in ms. */
export const skew = signal(0);

let feed: RunFeed | undefined;

/** The run that the URL names. */
export function runInUrl(): string | undefined {
  const id = new URLSearchParams(location.search).get(SHOW) ?? '';
  return ID.test(id) ? id : undefined;
}

/** The prompt that a link fills in, from its fragment: no server hears of that, and it leaves the URL once it is taken. */
export function takePrompt(): string | undefined {
  const prompt = new URLSearchParams(location.hash.slice(1)).get('prompt') ?? undefined;
  if (prompt !== undefined) history.replaceState(null, '', location.pathname + location.search);
  return prompt;
}

function nameInUrl(id: string | undefined): void {
  const query = new URLSearchParams(location.search);
  if (id === undefined) query.delete(SHOW);
  else query.set(SHOW, id);
  const search = query.toString().replace(/%2C/g, ',').replace(/%3A/g, ':').replace(/%2A/g, '*');
  history.replaceState(null, '', `${location.pathname}${search && `?${search}`}${location.hash}`);
}

/** Shows a run from its first entry on; `undefined` shows none. */
export function show(id: string | undefined): void {
  feed?.close();
  feed = undefined;
  run.value = undefined;
  feedOpen.value = undefined;
  nameInUrl(id);
  if (id === undefined) return;
  feed = new RunFeed(id, {
    changed: (view, ahead) => {
      skew.value = ahead;
      run.value = view;
    },
    link: (open) => {
      feedOpen.value = open;
    },
  });
}

/** Network back, or the page visible again: the run's stream no longer waits to retry. */
export function nudge(): void {
  feed?.nudge();
}

let channelsBefore: string[] = ['*'];

/** Narrows the log to a run: its own channel holds all of it, texts included, which no other pattern shows. */
export function filterLog(id: string): void {
  const { channels } = viewState.value;
  if (!channels.some((channel) => channel.startsWith('runs:'))) channelsBefore = channels;
  update({ channels: [`runs:${id}`], q: '', level: '', range: undefined });
}

export function isFiltered(id: string): boolean {
  return viewState.value.channels.join() === `runs:${id}`;
}

/** Shows again what was shown before. */
export function unfilterLog(): void {
  update({ channels: channelsBefore });
}
