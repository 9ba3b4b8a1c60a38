// The run that the panel shows, as signals. A run is known by its channel, because an id names a run of one owner only. The URL names
// the run, so that a reload or a link shows the same one.

import { RUN_PREFIX } from '@llm-streamer/shared/channels.ts';
import { partsOf, runOfChannel } from '@llm-streamer/shared/ownership.ts';
import type { RunSnapshot } from '@llm-streamer/shared/run.ts';
import { computed, signal } from '@preact/signals';
import { profile } from './identity.ts';
import { updateView, viewState } from './store.ts';
import type { ViewState } from './view-state.ts';

/** The query parameter that names the run. */
const SHOW = 'show';
/** An id, or `<owner>/<id>`. */
const KEY = /^(?:[a-z0-9][a-z0-9_.-]*\/)?[A-Za-z0-9_.-]{1,128}$/;

export const run = signal<RunSnapshot | undefined>(undefined);
/** The channel of that run, also before its first entry has come; '' for none. */
export const shownChannel = signal('');
/** Whether the run's stream is open; undefined where none is needed, as after the run's end. */
export const isFeedOpen = signal<boolean | undefined>(undefined);
/** How far the gateway's clock is ahead of this computer's, in ms. */
export const clockSkew = signal(0);
/** The channels that were shown before the log was filtered to a run. */
const channelsBefore = signal(['*']);

/**
 * Who looks at the page, as far as runs go: whose runs are his own, and whether he may stop everybody's. Where nobody has to sign
 * in, everybody may, though nobody is an admin there.
 */
export const reader = computed(() => {
  const { owner = '', grants, auth = 'on' } = profile.value ?? {};
  return { owner, stopsAll: grants?.admin || auth !== 'on' };
});

/** Whether the reader may stop this run. Others may have been given the right to watch it only. */
export function mayStop(channel: string): boolean {
  const key = runOfChannel(channel);
  const { owner, stopsAll } = reader.value;
  return stopsAll || (key !== undefined && owner !== '' && partsOf(key).owner === owner);
}

/** The channel of the run that the URL names. */
export function runInUrl(): string | undefined {
  const key = new URLSearchParams(location.search).get(SHOW) ?? '';
  return KEY.test(key) ? `${RUN_PREFIX}${key}` : undefined;
}

export function nameInUrl(channel: string): void {
  const query = new URLSearchParams(location.search);
  query.set(SHOW, channel.slice(RUN_PREFIX.length));
  const search = query
    .toString()
    .replace(/%2C/g, ',')
    .replace(/%3A/g, ':')
    .replace(/%2A/g, '*')
    .replace(/%2F/g, '/');
  history.replaceState(null, '', `${location.pathname}?${search}${location.hash}`);
}

/**
 * The prompt that a link fills in with its fragment, as in `#prompt=Explain gravity`. Browsers send no fragment to a
 * server, and the prompt leaves the URL once it was read.
 */
export function takePrompt(): string | undefined {
  const prompt = new URLSearchParams(location.hash.slice(1)).get('prompt') ?? undefined;
  if (prompt !== undefined) history.replaceState(null, '', location.pathname + location.search);
  return prompt;
}

/** Narrows the log to a run. Its own channel holds all its entries, texts included; `*` does not show them. @param more what else changes with it */
export function filterLog(channel: string, more: Partial<ViewState> = {}): void {
  const { channels } = viewState.value;
  if (!channels.some((name) => name.startsWith(RUN_PREFIX))) channelsBefore.value = channels;
  updateView({ channels: [channel], q: '', level: '', range: undefined, ...more });
}

export function isFiltered(channel: string): boolean {
  return viewState.value.channels.join() === channel;
}

/** Shows the channels again that `filterLog` replaced. */
export function unfilterLog(): void {
  updateView({ channels: channelsBefore.value });
}
