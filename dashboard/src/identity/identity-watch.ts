// Keeps one person's lines from the next. The same person goes on where his last session ended; whatever else changes (he signs
// out, somebody else signs in, his rights are others), the page is blank at once and loads anew, so that nothing that he has
// received is left in any tab. Loaded where people sign in, and where a page that is open to others asks nobody.

import type { Profile, SignInWays } from '@llm-streamer/shared/api-types.ts';
import { isReserved } from '@llm-streamer/shared/channels.ts';
import { effect, untracked } from '@preact/signals';
import { h, render } from 'preact';
import { lazyModule } from '../lazy.ts';
import { peopleSignIn, personKey, profile, sessionKey, signIn, whoPart } from '../state/identity.ts';
import { showNotice, streamState, viewState } from '../state/store.ts';
import { noticeMissing, whenWanted } from '../state/when-wanted.ts';
import type { Session } from '../stream/session.ts';
import { ASK_AGAIN_MS, askWho } from './ask-who.ts';
import { Who } from './who.tsx';

/** The codes after which what was received goes, unless the same person has another session. After `expired` he may still go on. */
const GONE: readonly string[] = ['session_ended', 'revoked', 'access_changed'];
/** The page loads anew at most once in this time, even if the gateway ends each stream at once. */
const RELOAD_MS = 5_000;
/** What the page keeps in the browser begins with this. */
const KEPT = 'llm-streamer.';
const RELOADED = 'llm-streamer-reloaded';
/** Whether the page was loaded anew because the same person may do other things now. */
const CHANGED = 'llm-streamer-rights-changed';
/** What of an address may name somebody's runs or entries, or what he was looking for. The next person gets it without. */
const PERSONAL = ['show', 'c', 'run', 'at', 'since', 'range', 'q', 'hl', 'source', 'panel'];

const SIGNED_OUT = { state: 'refused', code: 'unauthorized', reason: 'nobody is signed in' } as const;

type TabMessage = 'signed-in' | 'signed-out';

export class IdentityWatch {
  readonly #session: Pick<Session, 'close' | 'resume'>;
  /** To the other tabs of this gateway; a cookie's path ends where the page's does. */
  readonly #tabs = new BroadcastChannel(`llm-streamer ${new URL('.', document.baseURI).pathname}`);
  #asking = false;
  /** Something has changed since the question that is under way was asked: its answer may be out of date. */
  #isStale = false;
  #isGone = false;
  /** It was asked again, a little later, whether anybody is signed in. */
  #isConfirmed = false;
  #isLeaving = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The latest person; he may sign in again and go on. */
  #last: Profile | undefined;

  constructor(session: Pick<Session, 'close' | 'resume'>, element: (id: string) => HTMLElement) {
    this.#session = session;
    this.#tabs.onmessage = ({ data }: MessageEvent<TabMessage>) => {
      if (data === 'signed-out') this.forget();
      else this.#check();
    };
    // Another tab's word is not heard while this one is frozen.
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && peopleSignIn.value) this.#check();
    });
    // A browser may show this page again as it is now, when somebody else sits there: it is blank until it has loaded anew.
    addEventListener('pagehide', () => {
      if (peopleSignIn.value) document.documentElement.dataset.out = '';
    });
    effect(() => {
      this.#last = profile.value ?? this.#last;
    });
    if (sessionStorage.getItem(CHANGED) !== null) showNotice('what you may read and do has changed');
    sessionStorage.removeItem(CHANGED);
    effect(() => {
      const state = streamState.value;
      if (state.state === 'refused') untracked(() => this.#onRefused(state.code));
    });
    this.#mountPanels(element);
    whoPart.value = Who;
  }

  /** Somebody has signed in here, or has another session. */
  readonly signedIn = (next: Profile): void => {
    this.#settle(next);
    this.#tabs.postMessage('signed-in' satisfies TabMessage);
  };

  /**
   * Does what ends this session and gives the browser another. Until that has come nobody seems to be signed in, and to load the
   * page anew then would lose it.
   */
  readonly renew = async (change: () => Promise<Profile>): Promise<void> => {
    this.#asking = true;
    try {
      this.signedIn(await change());
    } finally {
      this.#asking = false;
      if (streamState.peek().state === 'refused' && this.#isStale) this.#check();
    }
  };

  /** The person has signed out here: in all tabs. */
  readonly signedOut = (): void => {
    this.#tabs.postMessage('signed-out' satisfies TabMessage);
    this.forget();
  };

  /** Leaves nothing of what this tab has received, nor of its address what is `PERSONAL`; the same person keeps that. */
  forget(isSamePerson = false): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    streamState.value = SIGNED_OUT;
    this.#session.close();
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(KEPT)) sessionStorage.removeItem(key);
    const pause = Math.max(0, Number(sessionStorage.getItem(RELOADED)) + RELOAD_MS - Date.now());
    sessionStorage.setItem(RELOADED, String(Date.now() + pause));
    if (isSamePerson) sessionStorage.setItem(CHANGED, '');
    setTimeout(() => {
      if (!isSamePerson) history.replaceState(null, '', impersonalAddress());
      location.reload();
    }, pause);
  }

  #onRefused(code: string): void {
    if (signIn.value || this.#isLeaving) return;
    this.#check(GONE.includes(code));
  }

  /** @param isGone whether what was received must go if nobody is signed in any more */
  #check(isGone = false): void {
    this.#isGone ||= isGone;
    if (this.#asking) this.#isStale = true;
    if (this.#asking || this.#isLeaving) return;
    this.#asking = true;
    this.#isStale = false;
    clearTimeout(this.#timer);
    askWho()
      .then((answer) => {
        this.#asking = false;
        if (this.#isStale) this.#check();
        else if (answer.profile) this.#settle(answer.profile);
        else if (answer.ways && this.#isGone) this.#confirm();
        else if (answer.ways) this.#leave(answer.ways);
        else if (streamState.peek().state === 'refused') this.#later(() => this.#check());
      })
      .catch(reportError);
  }

  // Another tab may be about to have a new session; the page is blank meanwhile.
  #confirm(): void {
    if (this.#isConfirmed) this.forget();
    else {
      this.#isConfirmed = true;
      this.#later(() => this.#check());
    }
  }

  #settle(next: Profile): void {
    const last = this.#last;
    if (last && last.kind !== 'anonymous' && rightsOf(last) !== rightsOf(next)) {
      this.forget(personKey(last) === personKey(next));
      return;
    }
    this.#isGone = false;
    this.#isConfirmed = false;
    signIn.value = undefined;
    const session = sessionKey(next);
    const isRefused = streamState.peek().state === 'refused';
    if (isRefused && last?.kind === 'anonymous' && next.kind === 'anonymous')
      // He may read something without signing in, but not what this view asks for.
      streamState.value = { state: 'forbidden', code: 'unauthorized', reason: 'sign in to read this' };
    // The app opens the stream again for another session. With the same one, the gateway has just refused it.
    else if (last && isRefused && sessionKey(last) === session)
      this.#later(() => this.#session.resume(session));
    profile.value = next;
  }

  #leave(ways: SignInWays): void {
    signIn.value ??= ways;
    profile.value = undefined;
    this.#session.close();
    streamState.value = SIGNED_OUT;
  }

  #later(action: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, ASK_AGAIN_MS);
  }

  #mountPanels(element: (id: string) => HTMLElement): void {
    const host = element('person');
    const isOpen = () => /^(?:me|people)$/.test(viewState.value.panel) && profile.value !== undefined;
    effect(() => {
      element('gate').hidden = signIn.value === undefined;
      host.hidden = !isOpen();
    });
    whenWanted(
      () => signIn.value !== undefined,
      lazyModule(() => import('./sign-in.tsx'), noticeMissing('the sign-in')),
      ({ SignIn }) => render(h(SignIn, { signedIn: this.signedIn }), element('gate')),
    );
    whenWanted(
      isOpen,
      lazyModule(() => import('./person.tsx'), noticeMissing('the panel of people and keys')),
      ({ PersonPanel }) => render(h(PersonPanel, { renew: this.renew, signedOut: this.signedOut }), host),
    );
  }
}

function impersonalAddress(): string {
  const query = new URLSearchParams(location.search);
  for (const name of PERSONAL) query.delete(name);
  for (const name of ['channels', 'channel', 'ch']) {
    const lists = query.getAll(name);
    query.delete(name);
    const kept = lists.flatMap((list) => list.split(',')).filter((channel) => !isReserved(channel.trim()));
    if (kept.length > 0) query.set(name, kept.join());
  }
  return `${location.pathname}${query.size > 0 ? `?${query}` : ''}`;
}

/** Who it is and what he may: where either is another, what he has received may not be his any more. */
function rightsOf(whom: Profile): string {
  return JSON.stringify([personKey(whom), whom.grants]);
}
