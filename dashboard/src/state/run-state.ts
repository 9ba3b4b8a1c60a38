// The run that the panel shows, as signals. The run's key is in the URL, so that a reload or a link shows the same run.

import { RUN_PREFIX } from '@llm-streamer/shared/channels.ts';
import { type OwnedKey, ownedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import type { RunView } from '@llm-streamer/shared/run.ts';
import { signal } from '@preact/signals';
import { profile } from './identity.ts';
import { updateView, viewState } from './store.ts';

/** The query parameter that names the run. */
const SHOW = 'show';
const KEY = /^(?:([A-Za-z0-9_.-]{1,66})\/)?([A-Za-z0-9_.-]{1,128})$/;

/** Its `id` is the run's key, since two people may have runs of one id. */
export type ShownRun = RunView & { id: OwnedKey };

export const run = signal<ShownRun | undefined>(undefined);
/** Whether the run's stream is open; undefined where none is needed, as after the run's end. */
export const isFeedOpen = signal<boolean | undefined>(undefined);
/** How far the gateway's clock is ahead of this computer's, in ms. */
export const clockSkew = signal(0);
/** The channels that were shown before the log was filtered to a run. */
const channelsBefore = signal(['*']);

/** Whoever asks for a run by its id alone means his own. */
export function myRun(id: string): OwnedKey {
  return ownedKey(profile.value?.owner ?? '', id);
}

/** The run that the URL names. */
export function runInUrl(): OwnedKey | undefined {
  const [, owner, id] = KEY.exec(new URLSearchParams(location.search).get(SHOW) ?? '') ?? [];
  if (id === undefined) return undefined;
  return owner === undefined ? myRun(id) : ownedKey(owner, id);
}

export function nameInUrl(key: OwnedKey): void {
  const query = new URLSearchParams(location.search);
  query.set(SHOW, key);
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

/** Narrows the log to a run. The run's own channel holds all its entries, texts included; `*` does not show them. */
export function filterLog(key: OwnedKey): void {
  const { channels } = viewState.value;
  if (!channels.some((channel) => channel.startsWith(RUN_PREFIX))) channelsBefore.value = channels;
  updateView({ channels: [runChannel(key)], q: '', level: '', range: undefined });
}

export function isFiltered(key: OwnedKey): boolean {
  return viewState.value.channels.join() === runChannel(key);
}

/** Shows the channels again that `filterLog` replaced. */
export function unfilterLog(): void {
  updateView({ channels: channelsBefore.value });
}
