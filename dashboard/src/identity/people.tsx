// For admins: people and their roles, what each role may do, and the keys of all.
import type { RoleInfo, UserInfo } from '@llm-streamer/shared/api-types.ts';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { profile } from '../state/identity.ts';
import { showNotice } from '../state/store.ts';
import {
  ConfirmButton,
  fieldsOf,
  GrantFields,
  grantsIn,
  Problem,
  rightsText,
  useAction,
} from './controls.tsx';
import { Keys } from './keys.tsx';
import { addRole, addUser, changeRole, changeUser, deleteRole, deleteUser, users } from './requests.ts';

export function People() {
  const people = useSignal<UserInfo[]>([]);
  const roles = useSignal<RoleInfo[]>([]);
  const { problem, run } = useAction();
  const load = async () => {
    const answer = await users();
    people.value = answer.users;
    roles.value = answer.roles;
  };
  useEffect(() => run(load), []);
  const change = (action: () => Promise<unknown>) => run(() => action().then(load));
  const names = roles.value.map(({ name }) => name);
  return (
    <>
      <Problem text={problem.value} />
      <section aria-label="People">
        <h3>people</h3>
        <ul>
          {people.value.map((person) => (
            <Person key={person.name} person={person} roles={names} change={change} />
          ))}
        </ul>
        <NewPerson roles={names} change={change} />
      </section>
      <section aria-label="Roles">
        <h3>roles</h3>
        <ul>
          {roles.value.map((role) => (
            <Role key={role.name} role={role} change={change} />
          ))}
        </ul>
        <NewRole change={change} />
      </section>
      <Keys />
    </>
  );
}

type Change = (action: () => Promise<unknown>) => void;

function RoleChoice({ roles, value, onChoose, label }: RoleChoiceProps) {
  return (
    <select
      name="role"
      aria-label={label}
      value={value}
      onChange={(event) => onChoose?.(event.currentTarget.value)}
    >
      {roles.map((role) => (
        <option key={role} value={role} selected={role === value}>
          {role}
        </option>
      ))}
    </select>
  );
}

interface RoleChoiceProps {
  roles: readonly string[];
  value: string;
  label: string;
  onChoose?(role: string): void;
}

function Person({ person, roles, change }: { person: UserInfo; roles: readonly string[]; change: Change }) {
  const { name, role, disabled } = person;
  const isChanging = useSignal(false);
  const isMe = profile.value?.kind === 'user' && profile.value.owner === name; // two may be shown by the same name
  return (
    <li>
      <span class="text">
        <span class="name">{name}</span> {isMe && <span class="good">me</span>}{' '}
        {disabled && <span class="warn">disabled</span>}
      </span>
      {/* Together, so that none of them stands alone in a line of its own. What another admin has to do to me is not here. */}
      <span class="actions">
        {isMe ? (
          <span class="dim">{role}</span>
        ) : (
          <RoleChoice
            roles={roles.includes(role) ? roles : [role, ...roles]}
            value={role}
            label={`role of ${name}`}
            onChoose={(next) => change(() => changeUser(name, { role: next }))}
          />
        )}
        <button
          type="button"
          aria-label={`new password for ${name}`}
          aria-expanded={isChanging.value}
          onClick={() => {
            isChanging.value = !isChanging.value;
          }}
        >
          password
        </button>
        {!isMe && (
          <button
            type="button"
            aria-label={`${disabled ? 'enable' : 'disable'} ${name}`}
            onClick={() => change(() => changeUser(name, { disabled: !disabled }))}
          >
            {disabled ? 'enable' : 'disable'}
          </button>
        )}
        {!isMe && (
          <ConfirmButton label={`delete ${name}`} onConfirmed={() => change(() => deleteUser(name))}>
            delete
          </ConfirmButton>
        )}
      </span>
      {isChanging.value && (
        <form
          method="post"
          onSubmit={(event) => {
            event.preventDefault();
            const password = String(new FormData(event.currentTarget).get('password'));
            change(async () => {
              await changeUser(name, { password });
              isChanging.value = false;
              showNotice(`${name} has a new password`);
            });
          }}
        >
          <NewPassword label={`new password of ${name}`} />
          <button type="submit">set</button>
        </form>
      )}
    </li>
  );
}

// Not `new-password`, with which a password manager would offer to keep it as the admin's own.
function NewPassword({ label }: { label: string }) {
  return (
    <label>
      <span>password</span>
      <input
        type="password"
        name="password"
        aria-label={label}
        autocomplete="off"
        required
        minLength={8}
        maxLength={256}
      />
    </label>
  );
}

function NewPerson({ roles, change }: { roles: readonly string[]; change: Change }) {
  const role = roles.includes('viewer') ? 'viewer' : (roles[0] ?? '');
  return (
    <details>
      <summary>add a person</summary>
      <form
        method="post"
        aria-label="New person"
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          const field = fieldsOf(form);
          const password = String(new FormData(form).get('password'));
          change(async () => {
            await addUser({ name: field('name'), password, role: field('role') });
            form.reset();
          });
        }}
      >
        <label>
          <span>name</span>
          <input
            name="name"
            required
            maxLength={57}
            pattern="[a-z0-9][a-z0-9_.\-]*"
            title="a-z 0-9 _ . - and no other first than a-z 0-9"
            autocapitalize="none"
            autocomplete="off"
          />
        </label>
        <NewPassword label="password of the new person" />
        <div class="field">
          <span>role</span>
          <RoleChoice roles={roles} value={role} label="role of the new person" />
        </div>
        <button type="submit">add</button>
      </form>
    </details>
  );
}

function Role({ role, change }: { role: RoleInfo; change: Change }) {
  const { name, builtIn, grants } = role;
  const isChanging = useSignal(false);
  return (
    <li>
      <span class="text">
        <span class="name">{name}</span> <span class="dim">{rightsText(grants)}</span>
      </span>
      {builtIn ? (
        <span class="dim">built in</span>
      ) : (
        <>
          <button
            type="button"
            aria-label={`change role ${name}`}
            aria-expanded={isChanging.value}
            onClick={() => {
              isChanging.value = !isChanging.value;
            }}
          >
            change
          </button>
          <ConfirmButton label={`delete role ${name}`} onConfirmed={() => change(() => deleteRole(name))}>
            delete
          </ConfirmButton>
        </>
      )}
      {isChanging.value && (
        <form
          method="post"
          aria-label={`Role ${name}`}
          onSubmit={(event) => {
            event.preventDefault();
            const next = grantsIn(event.currentTarget);
            change(async () => {
              await changeRole(name, next);
              isChanging.value = false;
            });
          }}
        >
          <GrantFields grants={grants} withAdmin />
          <button type="submit">set</button>
        </form>
      )}
    </li>
  );
}

function NewRole({ change }: { change: Change }) {
  return (
    <details>
      <summary>add a role</summary>
      <form
        method="post"
        aria-label="New role"
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          const name = fieldsOf(form)('name');
          const grants = grantsIn(form);
          change(async () => {
            await addRole({ name, ...grants });
            form.reset();
          });
        }}
      >
        <label>
          <span>name</span>
          <input name="name" required maxLength={57} autocapitalize="none" autocomplete="off" />
        </label>
        <GrantFields withAdmin />
        <button type="submit">add</button>
      </form>
    </details>
  );
}
