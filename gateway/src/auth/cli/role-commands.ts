// `users roles …`: what the roles allow. Grants belong to roles and not to people.

import { AUDIT_EVENTS } from '../audit.ts';
import { isName, NAME_RULE } from '../names.ts';
import { allRoles, isBuiltIn } from '../rights/roles.ts';
import type { AuthStore } from '../store/auth-store.ts';
import { type Command, type CommandContext, failure, parse, usage } from './command-line.ts';
import { GRANT_OPTIONS, grantsOfOptions, inWords, warnOfUnreached } from './grant-options.ts';
import { FORCE, refuseLastAdmin } from './refuse-last-admin.ts';
import { table } from './table.ts';

export const roles: Command = async ([what, ...args], context) => {
  const commands = new Map<string | undefined, Command>([
    ['list', list],
    ['set', set],
    ['delete', remove],
  ]);
  const command = commands.get(what);
  if (command === undefined) throw usage('roles: use roles list, roles set NAME … or roles delete NAME');
  await command(args, context);
};

/** @throws CodedError `usage` that names those that there are */
export async function checkRole(store: AuthStore, role: string | undefined): Promise<string> {
  const known = (await allRoles(store)).map(({ name }) => name);
  if (role !== undefined && known.includes(role)) return role;
  throw usage(
    `--role${role === undefined ? ' is missing' : ` ${JSON.stringify(role)}`}: use ${known.join(', ')}`,
  );
}

async function list(args: readonly string[], { store, print }: CommandContext): Promise<void> {
  parse(args, [], {});
  const all = await allRoles(store);
  print(
    table(
      ['ROLE', 'MAY'],
      all.map(({ name, grants }) => [name, inWords(grants)]),
    ),
  );
}

async function set(args: readonly string[], { store, audit, say }: CommandContext): Promise<void> {
  const { words, values } = parse(args, ['the name of the role'], { ...GRANT_OPTIONS, ...FORCE });
  const [name = ''] = words;
  if (!isName(name)) throw usage(`${JSON.stringify(name)}: the name of a role ${NAME_RULE}`);
  if (isBuiltIn(name)) throw usage(`${name} is built in and cannot be changed`);
  const grants = grantsOfOptions(values);
  const { force } = values;
  await refuseLastAdmin(store.setRole({ name, grants }, { force }));
  audit.event(AUDIT_EVENTS.roleSet, { to: `role:${name}`, admin: grants.admin });
  warnOfUnreached(grants.read, say);
  say(`role ${name}: ${inWords(grants)}`);
}

async function remove(args: readonly string[], { store, audit, say }: CommandContext): Promise<void> {
  const [name = ''] = parse(args, ['the name of the role'], {}).words;
  if (isBuiltIn(name)) throw usage(`${name} is built in and cannot be deleted`);
  if (!(await store.deleteRole(name))) {
    const exists = (await store.roles()).some((role) => role.name === name);
    throw failure(exists ? `somebody has the role ${name}` : `there is no role ${JSON.stringify(name)}`);
  }
  audit.event(AUDIT_EVENTS.roleDeleted, { to: `role:${name}` });
  say(`role ${name} deleted`);
}
