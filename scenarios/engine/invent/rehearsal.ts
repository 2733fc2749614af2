import { Cast } from '../cast.ts'
import type { Act, StoryPerson } from '../story.ts'
import { isMadeUp } from './books.ts'

/** What is owed from later than the audit's own time is not judged, so stories end before it. */
const LATEST = new Date('2026-03-01')

/** A story at Stripe alone, before any app is told of it: Stripe's own word whether an act can be. */
export class Rehearsal {
  readonly #people: readonly StoryPerson[]
  readonly #taken: Act[] = []
  #cast: Cast

  constructor(people: readonly StoryPerson[]) {
    this.#people = people
    this.#cast = this.#again()
  }

  /** Does it, if Stripe does not refuse it. */
  takes(act: Act): boolean {
    try {
      doIt(this.#cast, act)
      if (this.#cast.stripe.now < LATEST) {
        this.#taken.push(act)
        return true
      }
    } catch (error) {
      // The simulator's own errors; anything else is a defect, and to be seen.
      if (!(error instanceof Error) || error.constructor !== Error) throw error
    }
    // Whatever it did by halves is forgotten.
    this.#cast = this.#again()
    return false
  }

  #again(): Cast {
    const cast = new Cast('rehearsal', this.#people)
    for (const act of this.#taken) doIt(cast, act)
    return cast
  }
}

function doIt(cast: Cast, act: Act): void {
  if (isMadeUp(act) && act.do !== 'admin' && act.do !== 'use') cast.act(act)
}
