/** Faults that no rule has to see, and why. */
export interface Harmless {
  /** `table.column`, or `table` for faults of the whole row; a `*` at the end stands for anything. */
  readonly column: string
  /** Kinds of fault; all without it. */
  readonly kinds?: readonly string[]
  /** Kinds of row; all without it. */
  readonly rows?: readonly string[]
  /** In other ledgers it is caught, and it must be in one at least. */
  readonly sometimes?: true
  readonly reason: string
}

export const HARMLESS: readonly Harmless[] = []
