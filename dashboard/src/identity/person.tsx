// The panel beside the log where people sign in: me, and for admins people, roles and keys.
import { useEffect, useRef } from 'preact/hooks';
import { profile } from '../state/identity.ts';
import { opened, updateView, viewState } from '../state/store.ts';
import '../../styles/person.css';
import { type Changes, Me } from './me.tsx';
import { People } from './people.tsx';

type Name = 'me' | 'people';

function close(): void {
  updateView({ panel: 'none' }, 'replace');
  document.querySelector<HTMLElement>('#log [tabindex]')?.focus({ preventScroll: true });
}

/**
 * Whoever works by keyboard stays where he is when what had the focus goes, as the row of a person who was deleted: the focus goes
 * to the title of that part of the panel. Returns what ends this.
 */
function keepFocus(panel: HTMLElement): () => void {
  let last: HTMLElement | undefined;
  let part: Element | null = null;
  const note = ({ target }: FocusEvent) => {
    last = target as HTMLElement;
    part = last.closest('section');
  };
  const gone = new MutationObserver(() => {
    if (!last || last.isConnected || document.activeElement !== document.body) return;
    const title = (part?.isConnected ? part : panel).querySelector<HTMLElement>('h2, h3');
    if (title) title.tabIndex = -1;
    title?.focus();
  });
  panel.addEventListener('focusin', note);
  gone.observe(panel, { childList: true, subtree: true });
  return () => {
    panel.removeEventListener('focusin', note);
    gone.disconnect();
  };
}

export function PersonPanel(changes: Changes) {
  const section = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const { panel } = viewState.value;
  const whom = profile.value;
  const isOpen = (panel === 'me' || panel === 'people') && whom !== undefined;
  useEffect(() => {
    if (isOpen) heading.current?.focus();
  }, [isOpen, panel]);
  useEffect(() => (section.current ? keepFocus(section.current) : undefined), [isOpen]);
  useEffect(() => {
    if (!isOpen) return;
    document.addEventListener('keydown', closeOnEscape, true);
    return () => document.removeEventListener('keydown', closeOnEscape, true);
  }, [isOpen]);
  const closeOnEscape = (event: KeyboardEvent) => {
    const { key, target } = event;
    if (key !== 'Escape' || !(target instanceof Element)) return;
    // Elsewhere it belongs to a box that is typed into, or closes the detail of an entry first.
    const isTaken = opened.value || target.closest('dialog, input, textarea, select');
    if (isTaken && !section.current?.contains(target)) return;
    event.preventDefault(); // it would also clear the filter
    close();
  };
  if (!isOpen) return null;
  const { admin } = whom.grants;
  const isPeople = panel === 'people' && admin; // a link to it may have come from an admin
  const tab = (name: Name, text: string) => (
    <button
      type="button"
      aria-pressed={isPeople === (name === 'people')}
      onClick={() => updateView({ panel: name }, 'replace')}
    >
      {text}
    </button>
  );
  return (
    <section ref={section} class="person" aria-labelledby="person-title">
      <div class="row-of">
        <h2 id="person-title" ref={heading} tabIndex={-1}>
          {isPeople ? 'People, roles, keys' : 'Me'}
        </h2>
        <span class="spacer-x" />
        {admin && tab('me', 'me')}
        {admin && tab('people', 'people')}
        <button type="button" aria-label="Close this panel" onClick={close}>
          ✕
        </button>
      </div>
      {isPeople ? <People /> : <Me whom={whom} {...changes} />}
    </section>
  );
}
