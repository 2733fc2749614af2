import { bystanders } from './stories/bystanders.ts'
import { tell } from './support/tell-stories.ts'

tell('bystanders', bystanders)
