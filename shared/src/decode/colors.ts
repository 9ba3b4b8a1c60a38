// Removes the color codes of terminals, so that a level or a time after them is found.

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
const COLOR = /\x1b\[[\d;]*m/g;

export function withoutColors(text: string): string {
  return text.includes('\u001b[') ? text.replaceAll(COLOR, '') : text;
}
