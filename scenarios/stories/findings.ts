/**
 * What is wrong with the app as it was found, and which invariants see it: the audit document's findings, and those
 * that come to light when its webhook is told the same things. A story names the findings that it reproduces; the
 * invariants that turn red are these, and no others.
 */
const FINDINGS = {
  /** "Annual Subscription Grants: writes to token_transactions (NOT token_usage)". Renewals don't even do that. */
  annualOutsideLedger: [
    'balance-is-ledger-sum-as-found',
    'evidence-has-grant',
    'legacy-row-in-ledger-as-found',
  ],
  /** The same for the 28-day plan, whose drips are in token_drips alone. */
  dripsOutsideLedger: ['balance-is-ledger-sum-as-found', 'drip-in-ledger-as-found', 'evidence-has-grant'],
  /** "Trial Token Grants: unknown if tracked anywhere": they are not. */
  trialUntracked: ['balance-is-ledger-sum-as-found', 'evidence-has-grant'],
  /** No event is remembered: a redelivery of Stripe's grants again. */
  packGrantedTwice: ['grant-has-evidence', 'one-grant-per-fact'],
  /** An admin's row names no request: the second one is seen by nobody asking for it. */
  adjustedTwice: ['grant-has-evidence'],
  /** payment_status is not looked at. */
  unpaidPackGranted: ['grant-has-evidence'],
  /** The tokens of one pack are granted, whatever the quantity. */
  quantityIgnored: ['grant-size-as-owed'],
  /** What was paid for is not looked at: the pack that the session is labelled with is granted. */
  labelBelieved: ['grant-size-as-owed'],
  /** A session that names nobody, or somebody who is not there, is logged and answered 200. */
  saleOfNobodyLost: ['evidence-has-grant'],
  /** The row is written, and there is no balance to move. */
  rowWithoutProfile: ['balance-is-ledger-sum-as-found'],
  /** The function fails where the subscription has no row of its own; that is logged and answered 200. */
  periodNotGranted: ['evidence-has-grant'],
  /** A plan is heard of by its Checkout session alone: what support starts is not. */
  startWithoutSessionLost: ['evidence-has-grant'],
  /** livemode is not looked at. */
  testModeGranted: ['test-mode-grants-nothing'],
  testModeGrantedTwice: ['one-grant-per-fact', 'test-mode-grants-nothing'],
  /** The balance stops at 0, the row is written in full, and nothing tells them apart from a loss. */
  overdraftClamped: ['balance-is-ledger-sum-as-found'],
  /** The CHECK refuses the row, the error is logged, and the balance is charged. */
  chargedWithoutRow: ['balance-is-ledger-sum-as-found', 'used-counter-is-usage'],
  /** The draft keeps the balance that it was copied with. */
  draftLeftBehind: ['profile-rows-agree'],
  /** No bug: policy, and what it costs. */
  refundKeptTokens: ['refunded-purchase-kept-tokens'],
} as const satisfies Record<string, readonly string[]>

export type Finding = keyof typeof FINDINGS

/** The invariants that see these findings. */
export function seenBy(...findings: readonly Finding[]): readonly string[] {
  return [...new Set(findings.flatMap((finding) => FINDINGS[finding]))].sort()
}
