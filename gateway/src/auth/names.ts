// Which names people, roles and keys may have. A person's name begins the names of his runs, and so must fit into a channel and be
// mistaken for nobody else's.

/** With `conversations:` before it and an id after it, a channel has at most 200 characters. */
const NAME = /^[a-z0-9][a-z0-9_.-]{0,56}$/;
/** The runs of keys belong to `k-<id>`, and those of people whom an issuer of tokens knows to `j-<digest>`. */
const RESERVED = ['k-', 'j-'];
/** In whose name servers of tools are asked where it is no person: nobody signs in, the gateway looks at their tools, or a command asks. */
const NOBODIES = ['everyone', 'gateway', 'cli'];

export const NAME_RULE = 'must be 1 to 57 of a-z 0-9 _ . -, beginning with a letter or digit, without ..';
export const USER_NAME_RULE = `${NAME_RULE}, not begin with ${RESERVED.join(' or ')}, and not be ${NOBODIES.join(' or ')}`;

export function isName(text: string): boolean {
  return NAME.test(text) && !text.includes('..');
}

export function isUserName(text: string): boolean {
  return isName(text) && !RESERVED.some((prefix) => text.startsWith(prefix)) && !NOBODIES.includes(text);
}
