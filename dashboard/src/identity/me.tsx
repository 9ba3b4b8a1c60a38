// Who I am: sign out, my sessions, my password, my keys.
import type { Profile, SessionInfo } from '@llm-streamer/shared/api-types.ts';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { showNotice } from '../state/store.ts';
import { ConfirmButton, Problem, rightsText, useAction } from './controls.tsx';
import { Keys } from './keys.tsx';
import { changePassword, endOtherSessions, endSession, Failure, logout, sessions } from './requests.ts';

export interface Changes {
  /** For what ends the session and gives another. */
  renew(change: () => Promise<Profile>): Promise<void>;
  signedOut(): void;
}

export function Me({ whom, renew, signedOut }: Changes & { whom: Profile }) {
  const { problem, run } = useAction();
  const signOut = async () => {
    try {
      await logout();
    } catch (failure) {
      // Whoever is signed out already is told so in his other tabs, too.
      if (!(failure instanceof Failure) || failure.code !== 'unauthorized') throw failure;
    }
    signedOut();
  };
  // A proxy names people who have no session here, and people whom others know have no password and no keys.
  const hasSession = whom.session !== undefined;
  const isKeptHere = hasSession && whom.role !== undefined;
  return (
    <>
      <section aria-label="Who I am">
        <p>
          <b>{whom.name}</b> <span class="dim">{whom.role ?? whom.kind}</span>
        </p>
        <p class="dim">{rightsText(whom.grants)}</p>
        {hasSession && (
          <button type="button" onClick={() => run(signOut)}>
            sign out
          </button>
        )}
        <Problem text={problem.value} />
      </section>
      {hasSession && <Sessions />}
      {isKeptHere && <Password name={whom.name} renew={renew} />}
      {isKeptHere && <Keys mine={whom.name} />}
    </>
  );
}

function Sessions() {
  const list = useSignal<SessionInfo[]>([]);
  const { problem, run } = useAction();
  const load = async () => {
    list.value = await sessions();
  };
  useEffect(() => run(load), []);
  const others = list.value.filter(({ current }) => !current);
  return (
    <section aria-label="My sessions">
      <h3>sessions</h3>
      <ul>
        {list.value.map(({ id, current, created, seen, address, agent }) => (
          <li key={id}>
            <span class="text">
              <span class="name">{browserOf(agent)}</span>{' '}
              <span class="dim">
                {address} · since {minuteOf(created)} · seen {minuteOf(seen)}
              </span>
            </span>
            {current ? (
              <span class="good">this one</span>
            ) : (
              <ConfirmButton
                label={`end the session of ${browserOf(agent)} at ${address}`}
                onConfirmed={() => run(() => endSession(id).then(load))}
              >
                end
              </ConfirmButton>
            )}
          </li>
        ))}
      </ul>
      {others.length > 0 && (
        <ConfirmButton
          label="end all other sessions"
          onConfirmed={() => run(() => endOtherSessions().then(load))}
        >
          end all others
        </ConfirmButton>
      )}
      <Problem text={problem.value} />
    </section>
  );
}

function Password({ name, renew }: Pick<Changes, 'renew'> & { name: string }) {
  const { problem, run } = useAction();
  return (
    <section aria-label="My password">
      <h3>password</h3>
      <form
        method="post"
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          const { current, next } = Object.fromEntries(new FormData(form)) as Record<string, string>;
          run(async () => {
            await renew(() =>
              changePassword({ old: current ?? '', password: next ?? '' }).catch(inOtherWords),
            );
            form.reset();
            showNotice('the password is changed; your other sessions have ended');
          });
        }}
      >
        {/* Tells a password manager whose password it is. */}
        <input
          type="text"
          class="visually-hidden"
          autocomplete="username"
          value={name}
          readOnly
          tabIndex={-1}
          aria-hidden="true"
        />
        <label>
          <span>old</span>
          <input type="password" name="current" autocomplete="current-password" required maxLength={256} />
        </label>
        <label>
          <span>new</span>
          <input
            type="password"
            name="next"
            autocomplete="new-password"
            required
            minLength={8}
            maxLength={256}
            aria-description="8 to 256 characters"
          />
        </label>
        <button type="submit">change</button>
      </form>
      <Problem text={problem.value} />
    </section>
  );
}

function inOtherWords(failure: Error): never {
  const isWrong = failure instanceof Failure && failure.code === 'login_failed';
  throw isWrong ? new Error('the old password is wrong') : failure;
}

function minuteOf(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** The part of a browser's description that a person knows. */
function browserOf(agent: string): string {
  const [name] = /(?:Firefox|Edg|OPR|Chrome|Safari|curl|python)[^\s/]*/i.exec(agent) ?? [];
  const [system] = /Windows|Android|iPhone|iPad|Mac OS X|Linux/.exec(agent) ?? [];
  return [name ?? agent.slice(0, 30), system].filter((part) => part).join(' on ') || 'unknown';
}
