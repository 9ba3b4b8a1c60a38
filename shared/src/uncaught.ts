// The last line of defence: an error that nothing has caught is said in one line, and ends the program in its own way,
// with exit code 1.

/** Enough for the message and the place; an error may hold what somebody sent. */
const MAX_CHARACTERS = 2_000;

/**
 * `say` gets the first such error, or rejection, as one line; `end` ends the program with `process.exitCode`. What goes
 * wrong while it ends is not said; after `graceMs` the program is ended where it stands.
 */
export function onUncaught(say: (line: string) => void, end: () => void, graceMs: number): void {
  let ending = false;
  process.on('uncaughtException', (error) => {
    if (ending) return;
    ending = true;
    process.exitCode = 1;
    setTimeout(() => process.exit(), graceMs).unref();
    say(`uncaught: ${oneLine(error)}`);
    end();
  });
}

/** What an error says of itself, and where it comes from. */
export function oneLine(error: unknown): string {
  const text = (error instanceof Error && error.stack) || String(error);
  return text.replaceAll(/\s*\n\s*/g, ' | ').slice(0, MAX_CHARACTERS);
}
