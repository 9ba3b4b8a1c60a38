// What a line of Markdown begins.

/** Its indentation, its marks and the language. */
export const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})[ \t]*(\S*)/;
export const INDENTED = /^ {4}/;
export const HEADING = /^ {0,3}(#{1,6})(?=\s|$)/;
/** Makes a heading of the paragraph above. */
export const UNDERLINE = /^ {0,3}(=+|-+)\s*$/;
export const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}\s*$/;
export const QUOTE = /^ {0,3}> ?/;
/** Its indentation, its mark, the number in it, and the space behind it. */
export const ITEM = /^( {0,3})([-+*]|(\d{1,9})[.)])(\s+|$)/;

/** Whether a line closes what the marks `fence` have opened. */
export function isClosing(line: string, fence: string): boolean {
  const marks = /^ {0,3}([`~]+)\s*$/.exec(line)?.[1] ?? '';
  return marks.length >= fence.length && marks === fence.charAt(0).repeat(marks.length);
}

/** Whether it may be the line under the names of a table's columns. */
export function isTableRuler(line: string): boolean {
  return /^[\s|:-]+$/.test(line) && line.includes('-') && line.includes('|');
}

/** Whether a paragraph ends before the line, although no blank line is between. */
export function interrupts(line: string): boolean {
  if ([FENCE, HEADING, RULE, QUOTE].some((begins) => begins.test(line))) return true;
  const [opening, , , number = '1'] = ITEM.exec(line) ?? [];
  return opening !== undefined && number === '1' && opening.trim() !== line.trim();
}
