// The alerts that fire, as signals.
import { signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import type { Alert } from './alert.ts';

/** Empty also where nobody may know, or the gateway has no rules. */
export const alerts = signal<readonly Alert[]>([]);
/** By this computer's clock, when the gateway last said which fire; 0 where it says so to nobody, or not to this person. */
export const alertsAsOf = signal(0);
/** Whether the gateway did not answer when it was asked last. */
export const areAlertsStale = signal(false);
export const alertsOpen = signal(false);
/** The component in the top line that shows how many fire. */
export const alertPart = signal<ComponentType | undefined>(undefined);
