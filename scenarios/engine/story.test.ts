import { describe, expect, test } from 'vitest'
import { STORIES, storiesNamed } from './stories.ts'
import { type Story, say } from './story.ts'
import { person, step, story } from './voices.ts'

const ann = person('ann')
const ben = person('ben')

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
