// Writes a text only where it is another: to write the same one costs a layout, too.

export function setText(node: Element | Text | undefined, text: string): void {
  if (node && node.textContent !== text) node.textContent = text;
}
