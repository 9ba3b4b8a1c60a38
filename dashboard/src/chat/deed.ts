// What the reader can do about the calls of an answer.

export interface Deed {
  mayDecide: boolean;
  decide(approval: string, approved: boolean, reason?: string): void;
  openInLog(call: string): void;
}
