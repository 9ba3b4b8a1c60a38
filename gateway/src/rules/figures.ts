// What is counted of rules and alerts.

/** Totals since the start, and what holds now. */
export interface RulesFigures {
  leading: number;
  rules: number;
  firing: number;
  lagMs: number;
  entries: number;
  events: number;
  fired: number;
  missed: number;
  dropped: number;
  sent: number;
  failed: number;
}

export const NO_FIGURES: RulesFigures = {
  leading: 0,
  rules: 0,
  firing: 0,
  lagMs: 0,
  entries: 0,
  events: 0,
  fired: 0,
  missed: 0,
  dropped: 0,
  sent: 0,
  failed: 0,
};
