// API keys: what there is, a new one that is shown once, and how to revoke one.
import type { KeyInfo } from '@llm-streamer/shared/api-types.ts';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import {
  ConfirmButton,
  dayOf,
  fieldsOf,
  GrantFields,
  grantsIn,
  Problem,
  rightsText,
  Secret,
  useAction,
} from './controls.tsx';
import { keys, makeKey, revokeKey } from './requests.ts';

const DAY_MS = 86_400_000;
const DAYS = 365;

/** `mine` is the name of the person whose keys alone are shown; without it, the keys of all are. */
export function Keys({ mine }: { mine?: string }) {
  const list = useSignal<KeyInfo[]>([]);
  const secret = useSignal('');
  const isMaking = useSignal(false);
  const { problem, run } = useAction();
  const load = async () => {
    const all = await keys();
    list.value = mine === undefined ? all : all.filter(({ user }) => user === mine);
  };
  useEffect(() => run(load), [mine]);
  const make = async (form: HTMLFormElement) => {
    const field = fieldsOf(form);
    const grants = grantsIn(form);
    if (rightsText(grants) === 'nothing')
      throw new Error('say what the key may do: a pattern to read or publish, or run');
    const made = await makeKey({
      name: field('name'),
      ...grants,
      ...(field('source') !== '' && { source: field('source') }),
      expires: Date.now() + Number(field('days')) * DAY_MS,
    });
    isMaking.value = false;
    secret.value = made.key;
    await load();
  };
  return (
    <section aria-label={mine === undefined ? 'Keys of all' : 'My keys'}>
      <h3>{mine === undefined ? 'keys of all' : 'keys for programs'}</h3>
      {secret.value !== '' && (
        <Secret
          what="key"
          secret={secret.value}
          onDone={() => {
            secret.value = '';
          }}
        />
      )}
      <ul>
        {list.value.map(({ id, name, user, grants, source, expires, lastUsed }) => (
          <li key={id}>
            <span class="text">
              <span class="name">{name}</span>
              {mine === undefined && <> {user ?? 'of no person'}</>}{' '}
              <span class="dim">
                lls_{id}… · {rightsText(grants)}
                {source !== undefined && ` · source ${source}`} · until {dayOf(expires)} · used{' '}
                {dayOf(lastUsed)}
              </span>
            </span>
            <ConfirmButton
              label={`revoke key ${name}`}
              onConfirmed={() => run(() => revokeKey(id).then(load))}
            >
              revoke
            </ConfirmButton>
          </li>
        ))}
        {list.value.length === 0 && <li class="dim">none</li>}
      </ul>
      {mine !== undefined && !isMaking.value && (
        <button
          type="button"
          onClick={() => {
            isMaking.value = true;
          }}
        >
          new key
        </button>
      )}
      {isMaking.value && (
        <form
          method="post"
          aria-label="New key"
          onSubmit={(event) => {
            event.preventDefault();
            const form = event.currentTarget;
            run(() => make(form));
          }}
        >
          <label>
            <span>name</span>
            <input name="name" required maxLength={57} autocomplete="off" ref={(box) => box?.focus()} />
          </label>
          <GrantFields />
          <label>
            <span>source</span>
            <input name="source" placeholder="any, or ci-*" autocomplete="off" />
          </label>
          <label>
            <span>days</span>
            <input name="days" type="number" min={1} max={3650} value={DAYS} required />
          </label>
          <div class="row-of">
            <button type="submit">make</button>
            <button
              type="button"
              onClick={() => {
                isMaking.value = false;
              }}
            >
              cancel
            </button>
          </div>
        </form>
      )}
      <Problem text={problem.value} />
    </section>
  );
}
