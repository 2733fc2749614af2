import { availableParallelism } from 'node:os'

/** How many processes play stories at a time: a run waits for Postgres half of its time. */
export const WORKERS = 2 * availableParallelism()
