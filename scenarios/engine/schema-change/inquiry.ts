import type { Break, Catalogue } from '../../../audits/catalogue.ts'
import type { Schema } from '../../../fixtures/schema/schema.ts'
import type { Story } from '../story.ts'

/** What is to be judged, and by what. */
export interface Inquiry {
  readonly before: Schema
  readonly after: Schema
  readonly stories: readonly Story[]
  readonly catalogue: Catalogue
  readonly breaks: readonly Break[]
  readonly stripeMockUrl: string | undefined
  /** Told what is being done. */
  readonly report: (what: string) => void
}
