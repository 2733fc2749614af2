import type { Books } from './books.ts'
import {
  ADDS,
  type Deed,
  INT_MAX,
  isUse,
  type Live,
  type Manual,
  type Naming,
  type Rows,
} from './legacy-histories.ts'
import { payment } from './old-rows.ts'

const MINUTE = 60_000

/** Does the deeds of a history, as the app would, and enters in the books what is owed for them. */
export class Deeds {
  readonly #books: Books
  /** A user's last pack. `keyed`: a row names its session. */
  readonly #packs = new Map<string, { tokens: number; fact: string; keyed: boolean }>()
  #acts = 0

  constructor(books: Books) {
    this.#books = books
  }

  async past(deed: Deed, minute: number): Promise<void> {
    if (deed.what === 'rows') await this.#rows(deed, minute)
    else if (deed.what === 'manual') await this.#manual(deed, minute)
    else {
      for (let i = 0; i < deed.times; i++) {
        await this.#call(deed.what, this.#books.user(deed.user), minute, i * 1_000)
      }
    }
  }

  /** What the app does now: as found, or, where unify has come to its end, by the functions that it brought. */
  async now({ user: n, what }: Live): Promise<void> {
    const user = this.#books.user(n)
    const act = ++this.#acts
    const tokens = 1_000 + act
    switch (what) {
      case 'annual':
      case 'drip':
      case 'trial':
        return this.#call(what, user, 'now')
      case 'again':
        return this.#again(user)
      case 'manual':
        if (await this.#books.to.isUnified()) return
        return this.#manual({ what, user: n, tokens, adds: act % 2 > 0, told: act % 3 > 0 }, 'now')
      case 'legacy':
        return this.#legacyNow(user, tokens, act)
      default:
        return this.#usageNow(what, user, tokens, act)
    }
  }

  async #rows({ user: n, word, tokens, ...deed }: Rows, minute: number): Promise<void> {
    const user = this.#books.user(n)
    const fact = `_${minute}`
    const owed = this.#books.movement(user, word.is, tokens, deed.timeless ? 'never' : minute)
    const legacy = deed.legacy.map((entry) => ({ ...entry, names: this.#books.to.naming(entry.names) }))
    const names = [...legacy, ...deed.usage].map((entry) => entry.names)
    const all = (name: Naming) => names.every((its) => its === name || its === 'both')
    // Where nothing that both tables name tells of the movement, its moment has to.
    const late = all('session') || all('intent') ? deed.lateSeconds : Math.min(deed.lateSeconds, 3)
    const fate = tokens === 0 && !isUse(word.is) ? 'stays' : 'counterpart'

    let keyed = false
    const stored = ({ names: its }: { names: Naming }) => {
      keyed ||= its === 'session' || its === 'both'
      return 1
    }
    let inLegacy = 0
    for (const [i, { negative, ...entry }] of legacy.entries()) {
      const when = deed.timeless ? ('never' as const) : minute * MINUTE + i * 1_000
      const row = { ...entry, fact, when, type: word.was, size: negative ? -tokens : tokens }
      if ((await this.#books.legacyRow(owed, fate, row)) && fate === 'counterpart') inLegacy += stored(entry)
    }
    let inUsage = 0
    for (const [i, entry] of deed.usage.entries()) {
      const type = word.is === 'token_pack_purchase' ? 'admin_grant' : word.is
      const metadata = entry.names === 'none' ? entry.metadata : payment(entry.names, fact)
      const at = minute * MINUTE + (late + i) * 1_000 + 300
      if (await this.#books.to.usage({ user, type, tokens, metadata, failed: deed.failed }, at))
        inUsage += stored(entry)
    }

    // What both tables have is one movement, one by one; a call that failed is none, and tells of no other.
    const times = deed.failed ? inLegacy : Math.max(inLegacy, inUsage)
    for (let i = 0; i < times; i++) await this.#books.moved(owed)
    for (let i = 0; deed.failed && i < inUsage; i++) this.#books.owed.push({ ...owed, failed: true })
    if (word.is !== 'token_pack_purchase') return
    if (times > 1) this.#books.double(fact)
    // Of a pack that token_transactions has oftener, one more event is the counterpart of what is there already.
    if (inUsage > 0 && inUsage >= inLegacy) {
      this.#packs.set(user, { tokens, fact, keyed })
    }
  }

  async #manual({ user: n, tokens, adds, told }: Manual, minute: number | 'now'): Promise<void> {
    const user = this.#books.user(n)
    const before = this.#books.snapshot(user) ?? (this.#books.to.secondShape ? 0 : undefined)
    const after = before === undefined ? Number.NaN : adds ? before + tokens : Math.max(before - tokens, 0)
    const tells = told && after <= INT_MAX
    // A balance that neither way leads to.
    const odd = before ? before : tokens === 5 ? 6 : 5
    const owed = this.#books.movement(user, tells && !adds ? 'admin_deduct' : 'admin_grant', tokens, minute)
    await this.#books.legacyRow(owed, tells ? 'counterpart' : 'undecided', {
      type: 'manual_adjustment',
      size: tokens,
      after: tells ? after : odd,
      when: minute === 'now' ? minute : minute * MINUTE,
    })
    if (tells) await this.#books.moved(owed)
  }

  async #call(
    what: 'annual' | 'drip' | 'trial',
    user: string,
    minute: number | 'now',
    late = 0,
  ): Promise<void> {
    const unified = await this.#books.to.isUnified()
    const id = ++this.#acts
    const before = await this.#books.to.balance(user)
    const at = minute === 'now' ? minute : minute * MINUTE + late
    if (what !== 'trial' && !unified) await this.#books.to.pays(user, what, `in_${id}`, at)

    const plan = `(select s.id from public.customer_subscriptions as s
      where s.user_id = $1 and s.stripe_subscription_id like 'sub_${what}_%')`
    const invoice = unified ? `, p_stripe_invoice_id => 'in_${id}'` : ''
    const call = {
      annual: `grant_annual_tokens($1, ${plan}${invoice})`,
      drip: `drip_tokens_28day($1, ${plan}, (select count(*)::int + 1 from public.token_drips where user_id = $1)${invoice})`,
      trial: `grant_trial_tokens($1, null, 500000, 56${unified ? `, 'sub_trial_${id}'` : ''})`,
    }[what]
    if (!(await this.#books.to.takes(`select public.${call}`, [user]))) return
    const after = await this.#books.readBalance(user)

    if (what === 'trial') {
      // As found it raises the balance and leaves no row.
      if (unified) this.#books.owed.push(this.#books.movement(user, 'trial_grant', 500_000, minute))
      return
    }
    const size = what === 'annual' ? 5_000_000 : 375_000
    // As found a year says nowhere what it took.
    const took = what === 'annual' ? unified && before > 0 : after !== before + size
    if (took) this.#books.owed.push(this.#books.movement(user, 'admin_deduct', before, minute))
    const grant = this.#books.movement(user, 'subscription_grant', size, minute)
    this.#books.owed.push(grant)
    if (at !== 'now')
      await this.#books.to.dateBack(what === 'annual' ? 'token_transactions' : 'token_drips', user, at)
    if (what === 'annual') await this.#books.findLegacyRow(grant, after)
  }

  /** The event of a pack of the past comes once more. */
  async #again(user: string): Promise<void> {
    const pack = this.#packs.get(user)
    if (pack === undefined) return
    const { fact, tokens } = pack
    const owed = this.#books.movement(user, 'token_pack_purchase', tokens, 'now')
    if (await this.#books.to.isUnified()) {
      const granted = await this.#books.to.takes(
        `select public.grant_token_pack($1, $2, 'cs${fact}', 'pi${fact}')`,
        [user, tokens],
      )
      if (!granted || pack.keyed) return
      await this.#books.readBalance(user)
      this.#books.owed.push(owed)
    } else {
      const row = { user, type: 'admin_grant', tokens, metadata: payment('both', fact) }
      taken(await this.#books.to.usage(row, 'now'))
      await this.#books.moved(owed)
    }
    this.#packs.set(user, { ...pack, keyed: true })
    this.#books.double(fact)
  }

  async #legacyNow(user: string, tokens: number, act: number): Promise<void> {
    if (await this.#books.to.isUnified()) return
    const pack = act % 2 > 0
    const owed = this.#books.movement(user, pack ? 'token_pack_purchase' : 'chat_conversation', tokens, 'now')
    const row = {
      type: pack ? 'pack_purchase' : 'chat',
      size: act % 3 > 0 ? -tokens : tokens,
      when: 'now' as const,
    }
    taken(await this.#books.legacyRow(owed, 'counterpart', row))
    await this.#books.moved(owed)
  }

  async #usageNow(
    what: 'pack' | 'admin' | 'deduct' | 'use',
    user: string,
    tokens: number,
    act: number,
  ): Promise<void> {
    const type = (
      {
        pack: 'token_pack_purchase',
        admin: 'admin_grant',
        deduct: 'admin_deduct',
        use: 'chat_conversation',
      } as const
    )[what]
    const owed = this.#books.movement(user, type, tokens, 'now')
    if (!(await this.#books.to.isUnified())) {
      const metadata = what === 'pack' ? payment('both', `_now_${act}`) : {}
      const row = { user, type: what === 'pack' ? 'admin_grant' : type, tokens, metadata }
      taken(await this.#books.to.usage(row, 'now'))
      return this.#books.moved(owed)
    }
    // What overdraws moves less than its size; that is another test's subject.
    if (!ADDS.has(type) && (await this.#books.to.balance(user)) < tokens) return
    const call = {
      pack: `grant_token_pack($1, ${tokens}, 'cs_now_${act}', 'pi_now_${act}')`,
      admin: `adjust_tokens($1, ${tokens}, 'now-${act}')`,
      deduct: `adjust_tokens($1, -${tokens}, 'now-${act}')`,
      use: `record_token_usage($1, 'chat_conversation', 'gpt-5', ${tokens})`,
    }[what]
    if (!(await this.#books.to.takes(`select public.${call}`, [user]))) return
    await this.#books.readBalance(user)
    this.#books.owed.push(owed)
  }
}

/** Every install takes what the app as found writes all day, and has to go on taking it until unify has ended. */
function taken(it: boolean): void {
  if (!it) throw new Error('the app could not write what it has always written')
}
