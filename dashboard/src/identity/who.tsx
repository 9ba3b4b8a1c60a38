// In the top line: who is signed in, a button to sign in where one may and need not, a mark where nobody is asked, and a word where
// the view shows less than was asked for.
import { isOnLoopback, profile, signIn } from '../state/identity.ts';
import { figures, updateView, viewState } from '../state/store.ts';

export function Who() {
  const whom = profile.value;
  if (!whom) return null;
  const { auth, kind, name } = whom;
  const mayComeIn = kind === 'anonymous' || (kind === 'everyone' && auth === 'report');
  const { panel } = viewState.value;
  const { narrowedTo } = figures.value;
  return (
    <>
      {narrowedTo && (
        <span class="dim" title={`you may read only: ${narrowedTo.join(', ')}`}>
          narrowed
        </span>
      )}
      {auth === 'off' && !isOnLoopback && (
        <span class="warn" title="anybody may read and publish everything">
          open to all
        </span>
      )}
      {auth === 'report' && (
        <span class="warn" title="the audit says what would be refused">
          report only
        </span>
      )}
      {mayComeIn ? (
        <button
          type="button"
          onClick={() => {
            signIn.value = whom.ways ?? {};
          }}
        >
          sign in
        </button>
      ) : (
        kind !== 'everyone' && (
          <button
            type="button"
            class="who"
            aria-pressed={panel === 'me'}
            title="me (u)"
            onClick={() => updateView({ panel: panel === 'me' ? 'none' : 'me' }, 'replace')}
          >
            {name}
          </button>
        )
      )}
    </>
  );
}
