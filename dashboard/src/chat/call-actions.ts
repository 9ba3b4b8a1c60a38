// What the reader can do about the calls of an answer.

export interface CallActions {
  mayDecide: boolean;
  decide(approval: string, approved: boolean, reason?: string): void;
  openInLog(call: string): void;
}
