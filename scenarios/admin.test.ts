import { admins } from './stories/admin.ts'
import { tell } from './support/tell-stories.ts'

tell('admin', admins)
