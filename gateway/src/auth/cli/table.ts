// Lists as a person reads them in a terminal: columns, each as wide as its widest cell, and nothing that could move the cursor.

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) =>
    row.map((cell) => cell.replaceAll(/[^\x20-\x7e\u00a1-\uffff]/g, '?')),
  );
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `2026-11-29 10:51`, in UTC. */
export function minute(ms: number): string {
  return ms === 0 ? 'never' : new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}
