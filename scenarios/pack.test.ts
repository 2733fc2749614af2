import { packs } from './stories/pack.ts'
import { tell } from './support/tell-stories.ts'

tell('pack', packs)
