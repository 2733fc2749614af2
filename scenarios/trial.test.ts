import { trials } from './stories/trial.ts'
import { tell } from './support/tell-stories.ts'

tell('trial', trials)
