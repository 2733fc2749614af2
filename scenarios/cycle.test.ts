import { cycles } from './stories/cycle.ts'
import { tell } from './support/tell-stories.ts'

tell('cycle', cycles)
