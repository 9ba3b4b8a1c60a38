// The panel beside the log where people sign in: me, and for admins people, roles and keys.
import { useEffect, useRef } from 'preact/hooks';
import { profile } from '../state/identity.ts';
import { updateView, viewState } from '../state/store.ts';
import '../../styles/person.css';
import { type Changes, Me } from './me.tsx';
import { People } from './people.tsx';

type Name = 'me' | 'people';

export function PersonPanel(changes: Changes) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { panel } = viewState.value;
  const whom = profile.value;
  const isOpen = (panel === 'me' || panel === 'people') && whom !== undefined;
  useEffect(() => {
    if (isOpen) heading.current?.focus();
  }, [isOpen, panel]);
  if (!isOpen) return null;
  const { admin } = whom.grants;
  const isPeople = panel === 'people' && admin; // a link to it may have come from an admin
  const close = () => {
    updateView({ panel: 'none' }, 'replace');
    document.querySelector<HTMLElement>('#log [tabindex]')?.focus({ preventScroll: true });
  };
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
    <section
      class="person"
      aria-labelledby="person-title"
      onKeyDown={(event) => event.key === 'Escape' && close()}
    >
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
