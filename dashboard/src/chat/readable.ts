// Arguments and results of tools as a person reads them: whatever is not seen as it is, is written as an escape. So what somebody consents
// to is what he reads, also where an address is turned around or has letters that nobody sees.

/** Controls, and what has no width or turns the order of letters; a line feed is seen. */
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/u;
/** Other spaces than the usual one, and the sign of Braille without a dot. */
const BLANK = /(?! )\p{Zs}|\u2800/u;
/** These make one picture of several. */
const WITHIN_EMOJI =
  /(?<=\p{Extended_Pictographic})\ufe0f|(?<=\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)\u200d(?=\p{Extended_Pictographic})/u;
const ESCAPED = new RegExp(`(?!${WITHIN_EMOJI.source})(?:${UNSEEN.source}|${BLANK.source})`, 'gu');

/** JSON with its structure, everything else as it is. */
export function readable(value: unknown): string {
  return textOf(value).replace(
    ESCAPED,
    (found) => `\\u{${(found.codePointAt(0) as number).toString(16).padStart(4, '0')}}`,
  );
}

function textOf(value: unknown): string {
  if (value === undefined) return 'too long to be kept';
  if (typeof value !== 'string') return JSON.stringify(value, undefined, 1);
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' ? JSON.stringify(parsed, undefined, 1) : value;
  } catch {
    return value;
  }
}
