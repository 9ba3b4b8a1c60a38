// Holds back what a broker delivers until something outside of the log is known, such as that nobody's rights have changed.

export interface DeliveryGuard {
  /** The connection to the log is a new one: what was known before does not count any more. */
  invalidate(): void;
  /**
   * Undefined while entries may be delivered and history read; else resolves when they may. Rejects with BrokerUnavailable if that
   * takes too long.
   */
  wait(): Promise<void> | undefined;
  /** `holdBack` is called whenever entries may not be delivered any more. */
  onStale(holdBack: () => void): void;
}
