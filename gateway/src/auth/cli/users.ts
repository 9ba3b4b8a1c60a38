// `npm run users -- …`: people, roles, sessions, and the Redis users of an installation.

import { AUDIT_EVENTS } from '../audit.ts';
import { isUserName, USER_NAME_RULE } from '../names.ts';
import { Passwords } from '../sign-in/passwords.ts';
import { SESSION_IDLE_MS, sessionId } from '../store/auth-store.ts';
import { acl } from './acl-command.ts';
import { askPassword } from './ask-password.ts';
import { type Command, type CommandContext, failure, type Program, parse, usage } from './command-line.ts';
import { GRANT_HELP } from './grant-options.ts';
import { FORCE, refuseLastAdmin } from './refuse-last-admin.ts';
import { checkRole, roles } from './role-commands.ts';
import { minute, table } from './table.ts';

const HELP = `npm run users -- COMMAND: who may sign in, and what the roles allow

  add NAME --role ROLE     adds a person; asks for the password, or reads it from stdin
  list                     everybody
  password NAME            sets a new password, and ends the person's sessions
  role NAME ROLE           gives the person another role
  disable NAME             nobody signs in by this name, and its keys and sessions do not work, until
  enable NAME
  delete NAME              with keys and sessions; the runs stay until the log forgets them
                           (role, disable, delete and roles set take the last admin only with --force)

  sessions list NAME       where the person is signed in
  sessions end NAME [ID]   ends one session, or all

  roles list               viewer, member and admin are built in
  roles set NAME GRANTS    makes or changes a role; grants belong to roles, so that people of one role see the same
  roles delete NAME        only one that nobody has
${GRANT_HELP}

  acl KIND                 prints the line of a Redis user: gateway, writer (appends to the log), producer (PUBLISH alone), reader
  --user NAME              of the Redis user (the kind)
  --channels PATTERNS      that it may write or read (logs*,events*)
  --password               asks for the password, or reads it from stdin; without one nobody can log in
  --redis-version 7.2      of the server (that of REDIS_URL is asked; without it, 7.0)

Reads REDIS_URL and NAMESPACE, or AUTH_FILE, as the gateway does, and .env if there is one. Gateways that run take every
change within seconds. In compose: docker compose exec gateway npm run users -- add alice --role admin
(docker compose exec -T in scripts, which have no terminal)
`;

const NAME = 'the name of the person';

async function add(args: readonly string[], { store, audit, say }: CommandContext): Promise<void> {
  const { words, values } = parse(args, [NAME], { role: { type: 'string' } } as const);
  const [name = ''] = words;
  if (!isUserName(name)) throw usage(`${JSON.stringify(name)}: the name of a person ${USER_NAME_RULE}`);
  const role = await checkRole(store, values.role);
  if ((await store.user(name)) !== undefined) throw failure(`there is somebody called ${name} already`);
  const passwordHash = await newHash(name);
  if (!(await store.addUser({ name, passwordHash, role, disabled: false, created: Date.now() })))
    throw failure(`there is somebody called ${name} already`);
  audit.event(AUDIT_EVENTS.userAdded, { to: `user:${name}`, role });
  say(`added ${name} as ${role}`);
}

async function list(args: readonly string[], { store, print }: CommandContext): Promise<void> {
  parse(args, [], {});
  const users = (await store.users()).sort((a, b) => (a.name < b.name ? -1 : 1));
  print(
    table(
      ['NAME', 'ROLE', 'STATE', 'ADDED (UTC)'],
      users.map(({ name, role, disabled, created }) => [
        name,
        role,
        disabled ? 'disabled' : 'enabled',
        minute(created),
      ]),
    ),
  );
}

async function password(args: readonly string[], { store, audit, say }: CommandContext): Promise<void> {
  const [name = ''] = parse(args, [NAME], {}).words;
  if ((await store.user(name)) === undefined) throw nobody(name);
  const passwordHash = await newHash(name);
  if (!(await store.changeUser(name, { passwordHash }))) throw nobody(name);
  audit.event(AUDIT_EVENTS.userChanged, { to: `user:${name}`, password: 'changed' });
  say(`${name} has a new password; all sessions have ended`);
}

async function role(args: readonly string[], { store, audit, say }: CommandContext): Promise<void> {
  const { words, values } = parse(args, [NAME, 'the role'], FORCE);
  const [name = '', wanted] = words;
  const known = await checkRole(store, wanted);
  const { force } = values;
  if (!(await refuseLastAdmin(store.changeUser(name, { role: known }, { force })))) throw nobody(name);
  audit.event(AUDIT_EVENTS.userChanged, { to: `user:${name}`, role: known });
  say(`${name} is ${known} now`);
}

function turn(disabled: boolean): Command {
  return async (args, { store, audit, say }) => {
    const { words, values } = parse(args, [NAME], disabled ? FORCE : ({} as typeof FORCE));
    const [name = ''] = words;
    const { force } = values;
    if (!(await refuseLastAdmin(store.changeUser(name, { disabled }, { force })))) throw nobody(name);
    audit.event(AUDIT_EVENTS.userChanged, { to: `user:${name}`, disabled });
    say(disabled ? `${name} is disabled; all sessions have ended` : `${name} may sign in again`);
  };
}

async function remove(args: readonly string[], { store, audit, say }: CommandContext): Promise<void> {
  const { words, values } = parse(args, [NAME], FORCE);
  const [name = ''] = words;
  const { force } = values;
  if (!(await refuseLastAdmin(store.deleteUser(name, { force })))) throw nobody(name);
  audit.event(AUDIT_EVENTS.userDeleted, { to: `user:${name}` });
  say(
    `${name} is deleted, with keys and sessions; the runs stay until the log forgets them, and a new ${name} would have them`,
  );
}

async function sessions([what, ...args]: readonly string[], context: CommandContext): Promise<void> {
  if (what === 'list') await listSessions(args, context);
  else if (what === 'end') await endSessions(args, context);
  else throw usage('sessions: use sessions list NAME or sessions end NAME [ID]');
}

async function listSessions(args: readonly string[], { store, print }: CommandContext): Promise<void> {
  const [name = ''] = parse(args, [NAME], {}).words;
  const found = await store.sessionsOf(name);
  if (found.length === 0 && (await store.user(name)) === undefined) throw nobody(name);
  print(
    table(
      ['ID', 'BEGUN (UTC)', 'USED', 'ENDS', 'FROM', 'BY'],
      found.map((session) => [
        sessionId(session),
        minute(session.created),
        minute(session.seen),
        minute(Math.min(session.expires, session.seen + SESSION_IDLE_MS)),
        session.address,
        session.agent,
      ]),
    ),
  );
}

async function endSessions(args: readonly string[], { store, audit, say }: CommandContext): Promise<void> {
  const [name = '', id] = parse(args, args.length > 1 ? [NAME, 'the id'] : [NAME], {}).words;
  if (id === undefined) {
    const ended = await store.endSessions(name);
    if (ended === 0 && (await store.user(name)) === undefined) throw nobody(name);
    audit.event(AUDIT_EVENTS.sessionEnded, { to: `user:${name}`, ended });
    say(`sessions ended: ${ended}`);
  } else {
    if (!(await store.endSession(name, id))) throw failure(`${name} has no session ${JSON.stringify(id)}`);
    audit.event(AUDIT_EVENTS.sessionEnded, { to: `session:${id}` });
    say(`session ${id} ended`);
  }
}

async function newHash(name: string): Promise<string> {
  const text = await askPassword(name);
  const passwords = new Passwords();
  try {
    return await passwords.hash(text);
  } finally {
    await passwords.close();
  }
}

function nobody(name: string): Error {
  return failure(`there is nobody called ${JSON.stringify(name)}`);
}

const commands = new Map<string, Command>([
  ['add', add],
  ['list', list],
  ['password', password],
  ['role', role],
  ['disable', turn(true)],
  ['enable', turn(false)],
  ['delete', remove],
  ['sessions', sessions],
  ['roles', roles],
]);

export const users: Program = { name: 'users', help: HELP, commands, storeless: new Map([['acl', acl]]) };
