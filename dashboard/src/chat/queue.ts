// The questions that wait until the answer before them is complete. They are kept through a reload of the tab, each under the id of its
// run, so that none is lost and none is asked twice.

import { type Queued, queued } from '../state/chat-state.ts';

/** Questions that wait in one conversation. */
export const MAX_QUEUED = 5;

export class Queue {
  readonly #name: string;

  /** @param owner a tab that is opened again by somebody else must not ask for the one before. */
  constructor(owner: string) {
    this.#name = `llm-streamer.chat-queue ${owner}`;
    queued.value = restored(sessionStorage.getItem(this.#name));
  }

  add(question: Queued): void {
    this.#set([...queued.value, question]);
  }

  remove(id: string): void {
    this.#set(queued.value.filter((question) => question.id !== id));
  }

  /** Says why a question could not be asked; without a reason it may be tried again. */
  mark(id: string, problem?: Queued['problem']): void {
    this.#set(
      queued.value.map((question) => {
        if (question.id !== id) return question;
        const { problem: _, ...rest } = question;
        return { ...rest, ...(problem && { problem }) };
      }),
    );
  }

  #set(questions: readonly Queued[]): void {
    queued.value = questions;
    sessionStorage.setItem(this.#name, JSON.stringify(questions));
  }
}

function restored(text: string | null): Queued[] {
  try {
    const questions: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(questions) ? (questions as Queued[]) : [];
  } catch {
    return [];
  }
}
