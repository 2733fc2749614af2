import { uses } from './stories/use.ts'
import { tell } from './support/tell-stories.ts'

tell('use', uses)
