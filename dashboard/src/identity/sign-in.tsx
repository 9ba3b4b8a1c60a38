// The sign-in panel: name and password, or the identity provider. The page stays as it is: nothing is loaded anew, and no form is
// ever sent by the browser itself. Says of a failure only what its code says.
import type { Profile } from '@llm-streamer/shared/api-types.ts';
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { profile, signIn } from '../state/identity.ts';
import '../../styles/sign-in.css';
import { login, sentenceOf, signUp } from './requests.ts';

export function SignIn({ signedIn }: { signedIn(profile: Profile): void }) {
  const problem = useSignal(takeFailure());
  const isBusy = useSignal(false);
  const hasCapsLock = useSignal(false);
  const isNew = useSignal(false);
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  const ways = signIn.value;
  /** Somebody who may read something without it may put it off. */
  const isNeeded = profile.value === undefined;
  useEffect(() => name.current?.focus(), [ways]);
  useSignalEffect(() => {
    if (signIn.value === undefined) problem.value = '';
  });
  if (!ways) return null;

  const attempt = async () => {
    const [nameBox, passwordBox] = [name.current, password.current];
    if (!nameBox || !passwordBox || isBusy.value) return;
    isBusy.value = true;
    problem.value = '';
    const credentials = { name: nameBox.value, password: passwordBox.value };
    try {
      const profile = await (isNew.value ? signUp(credentials) : login(credentials));
      signedIn(profile);
    } catch (failure) {
      problem.value = (failure as Error).message;
      passwordBox.value = '';
      passwordBox.focus();
    } finally {
      isBusy.value = false;
    }
  };
  const seeCapsLock = (event: KeyboardEvent | MouseEvent) => {
    hasCapsLock.value = event.getModifierState?.('CapsLock') ?? false;
  };

  return (
    <form
      method="post"
      aria-label="Sign in"
      aria-busy={isBusy.value}
      onSubmit={(event) => {
        event.preventDefault();
        attempt().catch(reportError);
      }}
      onKeyDown={(event) => {
        seeCapsLock(event);
        if (event.key === 'Escape' && !isNeeded) signIn.value = undefined;
      }}
      onKeyUp={seeCapsLock}
      onMouseDown={seeCapsLock}
    >
      {ways.empty && (
        <p>
          Nobody has been added yet. Where the gateway runs:{' '}
          <code>npm run users -- add NAME --role admin</code>
        </p>
      )}
      <label>
        <span>name</span>
        <input
          ref={name}
          name="username"
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          required
          maxLength={57}
          readOnly={isBusy.value}
        />
      </label>
      <label>
        <span>password</span>
        <input
          ref={password}
          type="password"
          name="password"
          autocomplete={isNew.value ? 'new-password' : 'current-password'}
          aria-describedby="sign-in-caps"
          required
          minLength={isNew.value ? 8 : undefined}
          maxLength={256}
          readOnly={isBusy.value}
        />
      </label>
      <p id="sign-in-caps" class="warn" role="status">
        {hasCapsLock.value ? 'caps lock is on' : ''}
      </p>
      <p class="bad" role="alert">
        {problem.value}
      </p>
      <div class="row-of">
        <button type="submit" class="main">
          {isBusy.value ? 'signing in…' : isNew.value ? 'make the account' : 'sign in'}
        </button>
        {ways.oidc !== undefined && (
          <a class="button" href={oidcHref()}>
            sign in with {ways.oidc}
          </a>
        )}
        {ways.signup && (
          <button
            type="button"
            aria-pressed={isNew.value}
            onClick={() => {
              isNew.value = !isNew.value;
            }}
          >
            create an account
          </button>
        )}
        {!isNeeded && (
          <button
            type="button"
            onClick={() => {
              signIn.value = undefined;
            }}
          >
            not now
          </button>
        )}
      </div>
    </form>
  );
}

/** Why signing in with the identity provider failed: it leads back to the page with a code, which leaves the URL once it was read. */
function takeFailure(): string {
  const code = new URLSearchParams(location.hash.slice(1)).get('sign-in');
  if (code === null) return '';
  history.replaceState(null, '', location.pathname + location.search);
  return sentenceOf(code.slice(0, 60));
}

/** The provider sends the browser back to the page as it is now. */
function oidcHref(): string {
  return `auth/oidc?${new URLSearchParams({ return: location.pathname + location.search })}`;
}
