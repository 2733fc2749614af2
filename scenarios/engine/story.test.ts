import { describe, expect, test } from 'vitest'
import { allRules } from './outcome.ts'
import { STORIES, storiesNamed } from './stories.ts'
import { type Story, say } from './story.ts'
import { isRefused, ourTierGetsItsPrice, person, staysUndelivered, step, story, type Told } from './voices.ts'

const ann = person('ann')
const ben = person('ben')

/** An admin gives it, under one request id. */
const given = (tokens: bigint, left = tokens) =>
  step(ann.isAdjusted(tokens, 'gift'), ann.isGiven(tokens), ann.has(left))

function tell(...steps: Story['steps']): Story {
  const asFound = { red: [], redTwice: [] }
  return story({ name: 'a-story', title: 'a story', people: [ann], steps, asFound })
}

describe('a story that contradicts itself is refused, and says where', () => {
  // An engine that trusts the story would call the app wrong for what nobody could get right.
  test('rows that do not add up to the balance', () => {
    expect(() => tell(step(ann.buys('power'), ann.getsPack(2_000_000n), ann.has(2_000_001n)))).toThrow(
      'story a-story, step 1 (ann buys a power pack by card): ' +
        'ann had 0, the rows move 2,000,000, but 2,000,001 is left',
    )
  })

  test('a balance that was forgotten', () => {
    expect(() => tell(step(ann.buys('power'), ann.getsPack(2_000_000n)))).toThrow('but 0 is left')
  })

  test('somebody who is not among its people', () => {
    expect(() => tell(step(ben.buys('power')))).toThrow('"ben" is not among its people')
    expect(() => tell(step(ann.buys('power'), ben.has(1n)))).toThrow('"ben" is not among its people')
  })

  test('a balance below nothing', () => {
    expect(() => tell(step(ann.uses(5n), ann.spends(5n), ann.has(-5n)))).toThrow(
      'ann is left with -5: a balance stops at 0',
    )
  })

  test('a pack of negative tokens, a grant of nothing, and one that moves another number', () => {
    expect(() => tell(step(ann.buys('power'), ann.getsPack(-5n), ann.has(-5n)))).toThrow(
      'token_pack_purchase -5 of ann: a row says how much, never less than nothing',
    )
    expect(() => tell(step(ann.buys('power'), ann.getsPack(0n)))).toThrow(
      'token_pack_purchase 0 of ann: what grants or takes nothing writes no row',
    )
    const short: Told = {
      row: { who: 'ann', type: 'token_pack_purchase', tokens: 5n, delta: 4n, key: 'checkout_session' },
    }
    expect(() => tell(step(ann.buys('power'), short, ann.has(4n)))).toThrow('a grant moves all of it, not 4')
  })

  test('a deduction that adds, or takes more than it says', () => {
    for (const moves of [-5n, 6n]) {
      const told = step(ann.isAdjusted(-5n, 'oops'), ann.isTaken(5n, { moves }), ann.has(10n - moves))
      expect(() => tell(given(10n), told)).toThrow(`it takes up to that, and can't move ${-moves}`)
    }
  })

  // Nothing an app does could key a row by a fact that there is not.
  test('a row of a key that its act can’t have', () => {
    expect(() => tell(step(ann.buys('power'), ann.getsPlan(5n), ann.has(5n)))).toThrow(
      'subscription_grant 5 of ann: its key is of kind invoice, and the step brings about no such fact',
    )
    expect(() => tell(step(ann.renewalFails(), ann.getsPlan(5n), ann.has(5n)))).toThrow('no such fact')
    expect(() => tell(step(ann.buys('power'), ann.spends(0n)))).toThrow(
      'chat_conversation 0 of ann: only AI use writes a row without a grant key',
    )
    const other: Told = {
      row: { who: 'ann', type: 'trial_grant', tokens: 5n, delta: 5n, key: 'checkout_session' },
    }
    expect(() => tell(step(ann.buys('power'), other, ann.has(5n)))).toThrow(
      'a key of kind checkout_session is on token_pack_purchase',
    )
    const keyless: Told = { row: { who: 'ann', type: 'admin_grant', tokens: 5n, delta: 5n, key: null } }
    expect(() => tell(step(ann.uses(5n), keyless, ann.has(5n)))).toThrow('has a grant key')
  })

  // The app is right to grant once; the story would call it wrong.
  test('one fact told twice: in a step, or when its money comes after it was told', () => {
    const twice = step(ann.buys('power'), ann.getsPack(5n), ann.getsPack(5n), ann.has(10n))
    expect(() => tell(twice)).toThrow('another row has the same key (checkout_session): one fact, one row')
    expect(() =>
      tell(
        step(ann.buys('power', { pay: 'delayed' }), ann.getsPack(5n), ann.has(5n)),
        step(ann.debitSucceeds(), ann.getsPack(5n), ann.has(10n)),
      ),
    ).toThrow(
      "step 2 (ann's bank debit succeeds): token_pack_purchase 5 of ann: another row has the same key",
    )
    expect(() => tell(given(5n), given(5n, 10n))).toThrow('another row has the same key (admin)')
  })

  test('a row of what is refused', () => {
    const told = step(ann.isAdjusted(5n, 'gift'), ann.isGiven(5n), ann.has(5n), isRefused)
    expect(() => tell(told)).toThrow('what is refused writes no row, but it tells one')
  })

  // What comes with a later step, because Stripe could not deliver it before, is no contradiction.
  test('but not what Stripe delivers again with the step that follows', () => {
    const steps = [
      step(ann.startsAnnual(), staysUndelivered),
      step(ann.buys('power', { pay: 'delayed' }), staysUndelivered),
      step(ourTierGetsItsPrice('annual'), ann.getsPlan(5n), ann.has(5n)),
    ] as const
    expect(() => tell(...steps)).not.toThrow()
    // And it came then, not later still.
    expect(() =>
      tell(
        ...steps.slice(0, 2),
        step(ann.failsToUse(1n)),
        step(ann.cancels('now'), ann.getsPlan(5n), ann.has(5n)),
      ),
    ).toThrow('no such fact')
  })

  test('two people of one name', () => {
    const twice = { name: 'a-story', title: '', steps: [], asFound: { red: [], redTwice: [] } }
    expect(() => story({ ...twice, people: [ann, ann] })).toThrow('one name is there twice')
  })
})

// What overdraws moves less than it says, and only that much.
test('an overdraft is told by what it moves', () => {
  const told = tell(
    step(ann.isAdjusted(300n, 'gift'), ann.isGiven(300n), ann.has(300n)),
    step(ann.isAdjusted(-1_000n, 'oops'), ann.isTaken(1_000n, { moves: 300n }), ann.has(0n)),
  )
  expect(told.steps[1]?.rows).toEqual([
    { who: 'ann', type: 'admin_deduct', tokens: 1_000n, delta: -300n, key: 'admin' },
  ])
})

describe('the stories', () => {
  // Two stories of one name could not be told apart on the command line, nor their people in one database.
  test('have names of their own', () => {
    const names = STORIES.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  // One that is declared under a name that no rule has would never be asked for.
  test('declare invariants that there are', async () => {
    const rules = new Set((await allRules()).invariants.map(({ id }) => id))
    const declared = STORIES.flatMap(({ minor, asFound }) => [...minor, ...asFound.red, ...asFound.redTwice])
    expect(declared.filter((id) => !rules.has(id))).toEqual([])
  })

  // What can't be written down can't be replayed, nor said in a timeline.
  test('are plain data, and each act can be said in words', () => {
    for (const { steps } of STORIES) {
      for (const { act } of steps) {
        expect(structuredClone(act)).toEqual(act)
        expect(say(act)).toMatch(/^[a-z].*[a-z).%0-9]$/)
      }
    }
  })

  test('are found by name, and an unknown name lists them', () => {
    expect(storiesNamed(['trial-annual', 'pack-paid']).map(({ name }) => name)).toEqual([
      'trial-annual',
      'pack-paid',
    ])
    expect(() => storiesNamed(['pack-payed'])).toThrow(
      /no story "pack-payed"; the stories are:\n {2}pack-paid /,
    )
  })
})
