// Makes any text one line that shows all that is in it: what a terminal would obey, what turns the order of letters, and what is there
// without being seen is written as an escape. So a model, and whoever reads over its shoulder, see the same.

import { withoutColors } from '@llm-streamer/shared/decode/colors.ts';

/**
 * Control characters, invisible and directional ones, ends of lines and halves of characters; also the variation selectors in which
 * bytes can be hidden. Joiners stay, which several scripts and emoji need.
 */
const UNSEEN =
  /(?![\u200c\u200d])(?:[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|[\u{fe00}-\u{fe0d}]|[\u{e0100}-\u{e01ef}])/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** At most about `most` characters; of a longer text the end is left out, and that is said. */
export function plainText(text: string, most: number): string {
  // Colors are left out first: they are no content, and as escapes they would be most of a line.
  const kept = withoutColors(text.length > most ? text.slice(0, most) : text).replace(UNSEEN, escapeOf);
  const shown = kept.length > most ? kept.slice(0, most).toWellFormed() : kept;
  return text.length > most || shown.length < kept.length
    ? `${shown}… [cut: ${text.length} characters]`
    : shown;
}

function escapeOf(character: string): string {
  return SHORT[character] ?? `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}
