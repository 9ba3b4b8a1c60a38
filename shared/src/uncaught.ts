// The last line of defence: an error that nothing has caught is reported in one line, and then the program ends as it does
// after a signal, with exit code 1.

/** Enough for the message and the place in the code. An error may hold a text of any length that a client sent. */
const MAX_CHARACTERS = 2_000;

/**
 * `report` gets the first uncaught error, or unhandled rejection, as one line; `end` begins the end of the program, with
 * `process.exitCode` set. Further errors while the program ends are ignored; after `graceMs` the process exits in any case.
 */
export function onUncaught(report: (line: string) => void, end: () => void, graceMs: number): void {
  let ending = false;
  process.on('uncaughtException', (error) => {
    if (ending) return;
    ending = true;
    process.exitCode = 1;
    setTimeout(() => process.exit(), graceMs).unref();
    report(`uncaught: ${oneLine(error)}`);
    end();
  });
}

/** An error's message and stack on one line: `TypeError: x is not a function | at …`. */
export function oneLine(error: unknown): string {
  const text = (error instanceof Error && error.stack) || String(error);
  return text.replaceAll(/\s*\n\s*/g, ' | ').slice(0, MAX_CHARACTERS);
}
