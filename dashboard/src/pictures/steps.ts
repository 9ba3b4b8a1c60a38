// How many rows each key moves by, in every view that is moved over row by row.

/** Undefined for a key that goes nowhere; `page` is how many rows a page has. */
export function stepOf(key: string, page: number): number | undefined {
  switch (key) {
    case 'ArrowDown':
    case 'j':
      return 1;
    case 'ArrowUp':
    case 'k':
      return -1;
    case 'PageDown':
      return page;
    case 'PageUp':
      return -page;
    case 'Home':
    case 'g':
      return Number.NEGATIVE_INFINITY;
    case 'End':
    case 'G':
      return Number.POSITIVE_INFINITY;
    default:
      return undefined;
  }
}
