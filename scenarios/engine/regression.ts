import type { Plan } from './plan.ts'
import type { Story } from './story.ts'

/** A story that was not as told once, and the plan by which it was played then. */
export interface Regression {
  readonly story: Story
  readonly plan: Plan
}
