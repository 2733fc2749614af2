import { mixtures } from './stories/mixture.ts'
import { tell } from './support/tell-stories.ts'

tell('mixture', mixtures)
