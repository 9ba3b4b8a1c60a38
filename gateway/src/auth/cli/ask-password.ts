// Reads a password from the terminal, without showing it, or from the first line of what is piped in. It is never an argument,
// because arguments stand in the list of processes and in the history of the shell.

import { isPassword, PASSWORD_RULE } from '../sign-in/passwords.ts';
import { failure, usage } from './command-line.ts';

/** Of what is piped in. */
const MAX_INPUT = 4_096;

export async function askPassword(who: string): Promise<string> {
  const { stdin } = process;
  const password = stdin.isTTY ? await fromTerminal(`Password for ${who}: `) : await firstLine();
  if (!isPassword(password)) throw usage(`the password ${PASSWORD_RULE}`);
  if (stdin.isTTY && (await fromTerminal('The same again: ')) !== password)
    throw usage('the two passwords are not the same');
  return password;
}

async function firstLine(): Promise<string> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) {
    text += chunk;
    if (text.includes('\n') || text.length > MAX_INPUT) break;
  }
  return text.split(/\r?\n/, 1)[0] ?? '';
}

async function fromTerminal(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  // The terminal shows nothing from here on, so nothing either that is typed as soon as the question stands there.
  stdin.setRawMode(true).setEncoding('utf8').resume();
  stderr.write(prompt);
  try {
    return await typed();
  } finally {
    stdin.setRawMode(false).pause();
    stderr.write('\n');
  }
}

function typed(): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  const hear = (chunk: string) => {
    for (const letter of chunk) {
      if (letter === '\r' || letter === '\n') return resolve(text);
      if (letter === '\u0003' || letter === '\u0004') return reject(failure('given up')); // Ctrl-C, Ctrl-D
      if (letter === '\u007f' || letter === '\b') text = [...text].slice(0, -1).join('');
      else if (letter === '\u0015')
        text = ''; // Ctrl-U
      else if (letter >= ' ' && text.length <= MAX_INPUT) text += letter;
    }
  };
  process.stdin.on('data', hear);
  return promise.finally(() => process.stdin.off('data', hear));
}
