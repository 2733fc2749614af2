import { troubles } from './stories/trouble.ts'
import { tell } from './support/tell-stories.ts'

tell('trouble', troubles)
