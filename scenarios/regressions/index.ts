import type { Regression } from '../engine/regression.ts'
import { keptPacksUsedUpBeforeReset } from './packs-used-up-before-reset.ts'

/** Every regression that is kept here: `npm run invent -- … --keep NAME` writes this list. */
export const regressions: readonly Regression[] = [keptPacksUsedUpBeforeReset]
