import { AuthStates } from '../auth/auth-state.ts'
import { Resolver } from '../auth/resolver.ts'
import { StoreStates } from '../state/store-states.ts'
import { Lineages } from './lineages.ts'

/**
 * What is known of histories: where stores stand, what settings say, what stores hold. All of it follows from entries
 * and is named by them, so it is kept as long as memory allows and never has to be taken back.
 */
export class History {
  readonly lineages = new Lineages()
  readonly auth = new AuthStates()
  readonly resolver = new Resolver({ auth: this.auth, lineages: this.lineages })
  readonly states = new StoreStates(this.auth)
}
