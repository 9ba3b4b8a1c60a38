// What the reader has written and not asked yet, kept through a reload of the tab together with the question that it is to replace: without
// that, it would be asked as a new one.
import { effect } from '@preact/signals';
import { conversation, draft, type Edited, edited } from '../state/chat-state.ts';

/** Restores what is kept under `name`, and keeps it from now on. Returns what ends that. */
export function keepDraft(name: string): () => void {
  const { text = '', edit } = restored(sessionStorage.getItem(name));
  const isHere = edit === undefined || edit.conversation === conversation.peek();
  draft.value = isHere ? text : edit.draft;
  edited.value = isHere ? edit : undefined;
  return effect(() =>
    sessionStorage.setItem(name, JSON.stringify({ text: draft.value, edit: edited.value })),
  );
}

function restored(kept: string | null): { text?: string; edit?: Edited } {
  try {
    return (JSON.parse(kept ?? '{}') as { text?: string; edit?: Edited }) ?? {};
  } catch {
    return {};
  }
}
