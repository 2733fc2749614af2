import { annual } from './stories/annual.ts'
import { tell } from './support/tell-stories.ts'

tell('annual', annual)
