// What the chat does: shows a conversation from the log, asks, stops and decides. Whatever it shows follows from the entries of runs, so
// that a reload, another tab and a cut connection show the same.

import type { RunSummary } from '@llm-streamer/shared/api-types.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { ownedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import { cancelRun, freshId } from '../runs/run-client.ts';
import { type Answer, newAnswer, reduceAnswer } from '../state/answer.ts';
import {
  agent,
  agents,
  answers,
  chosenAgent,
  clearDraft,
  conversation,
  conversationInUrl,
  edited,
  isCutShort,
  isHeard,
  listed,
  nameInUrl,
  ownerOf,
  problem,
  type Queued,
  queued,
  waiting,
} from '../state/chat-state.ts';
import { clockSkew } from '../state/run-state.ts';
import type { StreamState } from '../stream/wire.ts';
import { ChatFeed, readRun } from './feed.ts';
import { Looking } from './looking.ts';
import { MAX_QUEUED, Queue } from './queue.ts';
import type { RequestError } from './requests.ts';
import * as requests from './requests.ts';
import { answersOf, branchOf, hasUnknown, replacing } from './turns.ts';

export class Chat {
  readonly #owner: string;
  readonly #feed: ChatFeed;
  readonly #queue: Queue;
  readonly #looking = new Looking(
    () => this.#list(),
    () => this.#lookAtForeign(),
  );
  /** By channel. */
  #answers = new Map<string, Answer>();
  /** The answers of which only the turns are here yet. */
  readonly #unread = new Set<string>();
  /** What comes of a run while its earlier entries are read. */
  readonly #reading = new Map<string, Entry[]>();
  /** The runs that go on, with their conversations. */
  #running = new Map<string, string>();
  readonly #sending = new Set<string>();
  /** Grows with each conversation that is opened: what was asked for an earlier one is dropped. */
  #opening = 0;
  #words = '';
  /** The gateway was heard once, so that its agents and the list are known. */
  #isLoaded = false;
  #frame = 0;

  /** @param owner whose conversations are shown; '' where nobody signs in. */
  constructor(owner: string) {
    this.#owner = owner;
    this.#queue = new Queue(owner);
    this.#feed = new ChatFeed(owner, {
      onEntries: (channel, entries) => this.#take(channel, entries),
      onEvent: (entry) => this.#onEvent(entry),
      onGap: () => this.#reload(),
      onStreamState: (state) => this.#onStreamState(state),
    });
  }

  /** To call when the panel opens and closes: a closed one hears nothing, and goes on where it was. */
  readonly setOpen = (isOpen: boolean): void => {
    const change = isOpen ? 'open' : 'close';
    this.#feed[change]();
    this.#looking[change]();
  };

  readonly nudge = (): void => this.#feed.nudge();

  /** Shows a conversation; '' begins one. */
  readonly show = (id: string): void => {
    nameInUrl(id);
    this.#show(id);
    if (id === '' && isHeard.peek()) this.#lookForAgents();
  };

  /** Shows the conversation that the URL names now. */
  readonly followUrl = (): void => {
    const id = conversationInUrl();
    if (id !== conversation.value) this.#show(id);
  };

  /** Asks at once, or when the answer before is complete. Returns why it does neither. */
  readonly ask = (text: string, replaces?: string): string | undefined => {
    const id = conversation.value || freshId('talk');
    const waitingHere = queued.value.filter((question) => question.conversation === id).length;
    if (waitingHere >= MAX_QUEUED) return `${MAX_QUEUED} questions wait already`;
    problem.value = '';
    this.#queue.add({
      id: freshId('chat'),
      conversation: id,
      text,
      ...(agent.value !== undefined && { agent: agent.value }),
      ...(replaces !== undefined && { replaces }),
    });
    if (id !== conversation.value) {
      nameInUrl(id);
      conversation.value = id;
      answers.value = [];
    }
    this.#flush();
    return undefined;
  };

  /** Tries a question again that could not be asked. */
  readonly again = (id: string): void => {
    this.#queue.mark(id);
    this.#flush();
  };

  readonly drop = (id: string): void => this.#queue.remove(id);

  readonly stop = (answer: Answer): void => this.#try(cancelRun(answer.channel));

  readonly decide = (answer: Answer, approval: string, approved: boolean, reason = ''): void => {
    const decision = { approved, ...(reason !== '' && { reason }) };
    const { owner } = this.#place();
    this.#try(requests.decide({ owner, id: answer.id }, approval, decision));
  };

  /** Reads the calls and steps of an answer of which only the turns are here. */
  readonly read = (channel: string): void => {
    if (this.#unread.delete(channel)) this.#read(channel);
  };

  readonly rename = (id: string, title: string): void =>
    this.#try(requests.rename(id, title).then(this.#list));

  readonly remove = (id: string): void =>
    this.#try(
      requests.remove(id).then(() => {
        if (id === conversation.value) this.show('');
        return this.#list();
      }),
    );

  readonly search = (words: string): void => {
    this.#words = words;
    this.#try(this.#list());
  };

  #show(id: string): void {
    this.#opening++;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    for (const channel of this.#answers.keys()) this.#feed.leave(channel);
    this.#answers = new Map();
    this.#unread.clear();
    this.#reading.clear();
    conversation.value = id;
    answers.value = id === '' ? [] : undefined;
    isCutShort.value = false;
    problem.value = '';
    chosenAgent.value = undefined;
    // What would take the place of a question elsewhere is no question here.
    if (edited.peek()) clearDraft();
    // Before the feed is heard, what begins meanwhile would be missed.
    if (isHeard.peek()) this.#try(this.#load());
  }

  /** Where the shown conversation is. */
  #place(): { owner: string; id: string } {
    const key = conversation.peek();
    return { owner: ownerOf(key) ?? this.#owner, id: key.slice(key.indexOf('/') + 1) };
  }

  #reload(): void {
    this.#try(this.#load());
    this.#try(this.#list());
  }

  async #load(): Promise<void> {
    const id = conversation.peek();
    if (id === '') {
      answers.value = [];
      return;
    }
    const [opening, place] = [++this.#opening, this.#place()];
    const [turns, runs] = await Promise.all([
      requests.turnsOf(place, place.owner === this.#owner),
      requests.runsOf(place.owner),
    ]);
    if (opening !== this.#opening) return;
    if (place.owner === this.#owner) this.#know(runs);
    const before = this.#answers;
    const loaded = answersOf(place.id, place.owner, turns, runs);
    // What was asked here may have begun after the runs were listed.
    this.#answers = new Map([...before].filter(([, { state }]) => state === 'running'));
    for (const answer of loaded) {
      const known = before.get(answer.channel);
      this.#answers.set(answer.channel, known?.state === answer.state ? known : answer);
    }
    isCutShort.value = turns?.trimmed === true;
    for (const { channel, state, agent } of loaded) {
      if (state === 'running') this.#follow(channel);
      else if (agent !== '' && before.get(channel)?.state !== state) this.#unread.add(channel);
    }
    this.#publish();
    this.#flush();
  }

  readonly #list = async (): Promise<void> => {
    const words = this.#words;
    const [found, runs] = await Promise.all([requests.conversations(words), requests.runsOf(this.#owner)]);
    this.#know(runs);
    if (words === this.#words) listed.value = found;
    if (this.#place().owner === this.#owner) this.#meet(this.#owner, runs);
    this.#flush();
  };

  /** Reads the shown conversation again if a run of it is new here. */
  #meet(owner: string, runs: readonly RunSummary[]): void {
    const place = this.#place();
    if (answers.peek() === undefined || place.id === '' || place.owner !== owner) return;
    if (hasUnknown(place, runs, this.#answers)) this.#try(this.#load());
  }

  /** Of what another begins in his conversation nothing is heard. */
  async #lookAtForeign(): Promise<void> {
    const { owner } = this.#place();
    if (owner !== this.#owner && isHeard.peek()) this.#meet(owner, await requests.runsOf(owner));
  }

  #know(runs: readonly RunSummary[]): void {
    const isOn = runs.filter((run) => run.state === 'running' && run.conversation_id !== undefined);
    this.#running = new Map(
      isOn.map(({ message_id, conversation_id = '' }) => [message_id, conversation_id]),
    );
    for (const { id, state } of this.#answers.values())
      if (state === 'running') this.#running.set(id, conversation.peek());
    const asks = isOn.filter((run) => (run.waiting?.length ?? 0) > 0);
    waiting.value = new Set(asks.map(({ conversation_id = '' }) => conversation_id));
  }

  #onStreamState(state: StreamState): void {
    // The feed connects anew for each run that it follows, which is no news for the reader.
    if (state.state === 'connecting') return;
    isHeard.value = state.state === 'live';
    if (state.state === 'forbidden') problem.value = state.reason;
    if (state.state !== 'live') return;
    clockSkew.value = state.clockOffset;
    for (const question of queued.value) if (question.problem?.isLost) this.#queue.mark(question.id);
    if (!this.#isLoaded || answers.value === undefined) {
      this.#isLoaded = true;
      this.#reload();
      this.#lookForAgents();
      return;
    }
    // What could not be read while the gateway was away.
    for (const [channel, { state, last }] of this.#answers)
      if (state === 'running' && last === 0) this.#read(channel);
    this.#flush();
  }

  #lookForAgents(): void {
    this.#try(
      requests.agents().then((answer) => {
        agents.value = answer;
      }),
    );
  }

  /** Where nobody signs in, anybody may write such an event. So it only says that it is time to look; the gateway says which runs there are. */
  #onEvent({ attrs = {} }: Entry): void {
    if (typeof attrs[GEN_AI.conversationId] === 'string') this.#looking.soon();
  }

  /** Shows an answer whose run has just begun. */
  #begin(id: string, known: Partial<Answer> = {}): void {
    const channel = runChannel(ownedKey(this.#owner, id));
    if (this.#answers.has(channel)) return;
    this.#answers.set(channel, newAnswer(id, channel, known));
    this.#publish();
    this.#follow(channel);
  }

  #follow(channel: string): void {
    this.#feed.follow(channel);
    this.#read(channel);
  }

  #read(channel: string): void {
    if (this.#reading.has(channel)) return;
    const live: Entry[] = [];
    this.#reading.set(channel, live);
    readRun(channel)
      .then((entries) => {
        const before = this.#answers.get(channel);
        if (this.#reading.get(channel) !== live || !before) return;
        this.#reading.delete(channel);
        const isTrimmed = entries.length > 0 && entries[0]?.event !== EVENTS.runStarted;
        // Of an answer whose first entries are no longer kept, its turn has all of it.
        if (isTrimmed && before.state !== 'running') return this.#feed.leave(channel);
        this.#answers.set(
          channel,
          newAnswer(before.id, channel, {
            question: before.question,
            agent: before.agent,
            ...replacing(before),
            ...(isTrimmed && { isTrimmed }),
          }),
        );
        this.#take(channel, [...entries, ...live]);
      })
      .catch((error: Error) => {
        if (this.#reading.get(channel) !== live) return;
        this.#reading.delete(channel);
        if (this.#answers.get(channel)?.state !== 'running') this.#unread.add(channel);
        problem.value = error.message;
      });
  }

  #take(channel: string, entries: readonly Entry[]): void {
    const reading = this.#reading.get(channel);
    if (reading) {
      reading.push(...entries);
      return;
    }
    const before = this.#answers.get(channel);
    if (!before) return;
    const after = entries.reduce(reduceAnswer, before);
    this.#answers.set(channel, after);
    this.#publish();
    if (after.state === 'running') return;
    this.#feed.leave(channel);
    this.#ended(after.id);
  }

  #ended(id: string): void {
    if (this.#running.delete(id)) this.#flush();
  }

  /** Asks the first question of each conversation in which nothing goes on. */
  #flush(): void {
    const busy = new Set(this.#running.values());
    // Who answers it, and whether an answer grows, is not known yet.
    if (answers.peek() === undefined) busy.add(conversation.peek());
    for (const question of queued.value) {
      if (busy.has(question.conversation)) continue;
      busy.add(question.conversation);
      if (!question.problem && !this.#sending.has(question.id)) this.#send(question);
    }
  }

  #send(question: Queued): void {
    const { id, conversation: of, text } = question;
    const by = question.agent ?? (of === conversation.peek() ? agent.peek() : undefined);
    this.#sending.add(id);
    requests
      .ask({
        message_id: id,
        conversation_id: of,
        userMessage: text,
        ...(by !== undefined && { agent: by }),
        ...replacing(question),
      })
      .then(() => {
        this.#sending.delete(id);
        this.#running.set(id, of);
        this.#queue.remove(id);
        if (of === conversation.value)
          this.#begin(id, { question: text, agent: by ?? '', ...replacing(question) });
      })
      .catch((error: RequestError) => {
        this.#sending.delete(id);
        this.#queue.mark(id, { message: error.message, isLost: error.code === '' });
      });
  }

  #publish(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const isFirst = answers.peek() === undefined;
      answers.value = branchOf(this.#answers.values());
      if (isFirst) this.#flush();
    });
  }

  #try(attempt: Promise<unknown>): void {
    attempt.catch((error: Error) => {
      problem.value = error.message;
    });
  }
}
