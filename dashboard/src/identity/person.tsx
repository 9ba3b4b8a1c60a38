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
  const close = () => {
    updateView({ panel: 'none' }, 'replace');
    document.querySelector<HTMLElement>('#log [tabindex]')?.focus({ preventScroll: true });
  };
  const tab = (name: Name, text: string) => (
    <button
      type="button"
      aria-pressed={panel === name}
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
          {panel === 'me' ? 'Me' : 'People, roles, keys'}
        </h2>
        <span class="spacer-x" />
        {whom.grants.admin && tab('me', 'me')}
        {whom.grants.admin && tab('people', 'people')}
        <button type="button" aria-label="Close this panel" onClick={close}>
          ✕
        </button>
      </div>
      {panel === 'people' && whom.grants.admin ? <People /> : <Me whom={whom} {...changes} />}
    </section>
  );
}
