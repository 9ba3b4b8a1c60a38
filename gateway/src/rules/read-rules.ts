// The rules of a text or a file, if they are valid in themselves and where they are to be used.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { readText } from '../watched-file.ts';
import { parseRules, type RuleSet } from './rules-file.ts';

/** Says what else is wrong with valid rules, such as a destination without an address; undefined if nothing is. */
export type RulesCheck = (rules: RuleSet) => string | undefined;

/** @throws CodedError `invalid_rules` */
export function acceptRules(text: string, check: RulesCheck): RuleSet {
  const rules = parseRules(text);
  const complaint = check(rules);
  if (complaint !== undefined) throw new CodedError('invalid_rules', complaint);
  return rules;
}

/** @throws CodedError `invalid_rules` */
export function readRules(path: string, check: RulesCheck): { rules: RuleSet; text: string } {
  const text = readText(path, 'invalid_rules');
  return { rules: acceptRules(text, check), text };
}
