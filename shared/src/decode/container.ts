// Reads lines in the form in which container runtimes keep them for Kubernetes:
// `2026-11-29T05:00:05.123456789Z stderr F the program's line`.

import { parseTime } from './time.ts';

const CRI = /^(\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP]) /;

export interface ContainerLine {
  time: number | undefined;
  /** `partial` says that the runtime has cut a long line at the end of this one. */
  attrs: { stream: string; partial?: true };
  line: string;
}

export function parseContainerLine(text: string): ContainerLine | undefined {
  const [head, time, stream, tag] = CRI.exec(text) ?? [];
  if (head === undefined || stream === undefined) return undefined;
  const line = text.slice(head.length);
  if (line.trim() === '') return undefined;
  return { time: parseTime(time), attrs: { stream, ...(tag === 'P' && { partial: true as const }) }, line };
}
