// One line of a chart.

export interface Line {
  label: string;
  /** The CSS class whose colour the line has. */
  color: string;
  values: ArrayLike<number>;
  /** Whether a zero means that there was nothing to measure. Such a zero is not drawn. */
  sparse?: boolean;
}
