import type { Regression } from '../engine/regression.ts'

/** Every regression that is kept here: `npm run invent -- … --keep NAME` writes this list. */
export const regressions: readonly Regression[] = []
